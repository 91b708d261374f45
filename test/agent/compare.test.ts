import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import {
  COMPARE_LIMIT_MS,
  COMPARE_UNASKED_MS,
  type ComparerParts,
  createComparer,
  NOTHING_KEPT,
} from '../../src/agent/compare.ts';
import { agentSchema } from '../../src/agent/config.ts';
import { type CompareQuestion, SHAKE_KEYS, SHAKE_LIMITS } from '../../src/contract/compare.ts';
import { accelerated } from './detector/motion.ts';
import { live, WALL } from './kept/live.ts';

const detect = { ...agentSchema.shape.detect.parse({}), shake: { sensitivity: 0.7 } };
const question: CompareQuestion = { collar: 'C0FFEE01', hours: 3, shake: { sensitivity: 3 } };

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-compare-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A strong shake and a weak one of one collar, and another collar. */
async function kept(): Promise<string> {
  const folder = join(tempFolder(), 'kept');
  const strong = { fromMs: 4_000, forMs: 900, hz: 5, amplitudeG: 2.5 };
  const weak = { fromMs: 12_000, forMs: 900, hz: 5, amplitudeG: 0.5 };
  const readings = [...accelerated([strong, weak], 20_000), ...accelerated([strong, strong], 20_000, 50, 'B')];
  const sorted = readings.sort((a, b) => a.atMs - b.atMs);
  await live(folder, sorted, detect);
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), WALL / 1_000 + 20, WALL / 1_000 + 20);
  return folder;
}

function rig(folder: string | null, more: Partial<ComparerParts> = {}) {
  let monoMs = 0;
  const comparer = createComparer({
    kept: folder === null ? null : { folder, settings: detect },
    monoNow: () => monoMs,
    wallNow: () => WALL + 20_000,
    ...more,
  });
  const stop = new AbortController();
  const done = comparer.run(stop.signal);
  const end = async () => {
    stop.abort();
    await done;
  };
  onTestFinished(end);
  const ask = (asked = question) => {
    const answer = comparer.compare(asked);
    if (typeof answer === 'string') return answer;
    return answer.working ? null : answer.compared;
  };
  const pass = (ms: number) => {
    monoMs += ms;
  };
  const told = async (asked = question) => {
    await expect.poll(() => ask(asked), { timeout: 60_000, interval: 20 }).not.toBeNull();
    return ask(asked);
  };
  return { ask, told, pass, end };
}

test('what other settings add to the shakes of one collar, with its place in the picture, in a thread behind the others', async () => {
  const before = getPriority();
  const { ask, told } = rig(await kept());
  expect(ask()).toBeNull();
  const compared = await told();
  expect(getPriority()).toBe(before);
  expect(compared).toMatchObject({
    ...{ collar: 'C0FFEE01', fromMs: WALL + 20_000 - 3 * 3_600_000, toMs: WALL + 20_000, readings: 1_001 },
    ...{ added: 1, removed: 0, same: 1, own: { sensitivity: 3 } },
    decidedBy: [expect.stringMatching(/^\d+\/[0-9a-f]{8}$/)],
  });
  if (compared === null || typeof compared === 'string') throw new Error('nothing was compared');
  expect([compared.past.length, compared.anew.length]).toEqual([1, 2]);
  const added = compared.changes.find(({ what }) => what === 'added')?.after ?? [0, 0];
  expect(Math.abs(compared.fromMs + added[0] - WALL - 12_000)).toBeLessThan(1_500);
  expect(compared.levels.findLastIndex((level) => level > 0.5)).toBe(239);
  expect(compared.triedBy).not.toBe(compared.decidedBy[0]);
  // It is told again without being done again.
  expect(ask()).toEqual(compared);
  expect(await told({ ...question, shake: { sensitivity: 0.2 } })).toMatchObject({ added: 0, removed: 1, same: 0 });
  expect(await told({ ...question, shake: {} })).toMatchObject({ added: 0, removed: 0, moved: 0, same: 1, own: {} });
});

test('where nothing is kept it says what to set, or of what there is nothing', async () => {
  expect(rig(null).ask()).toBe(NOTHING_KEPT);
  expect(NOTHING_KEPT).toContain('readings.keep');
  expect(await rig(join(tempFolder(), 'none')).told()).toBe('no readings are kept yet');
  const { told } = rig(await kept());
  expect(await told({ ...question, collar: 'C' })).toBe('no readings of C are kept of the last 3 h');
});

/** A thread that never answers, and one that breaks. */
function program(text: string): URL {
  const path = join(tempFolder(), 'worker.mjs');
  writeFileSync(path, text);
  return pathToFileURL(path);
}

test('one at a time, no longer than it may take, and only as long as somebody asks', async () => {
  const { ask, pass } = rig('/nowhere', { program: program('setInterval(() => undefined, 1_000);') });
  const other = { ...question, collar: 'B' };
  expect(ask()).toBeNull();
  expect(ask(other)).toBe('settings are being compared already: try again in a while');
  for (let ms = 0; ms <= COMPARE_LIMIT_MS; ms += 5_000) {
    expect(ask()).toBeNull();
    pass(5_000);
  }
  expect(ask()).toBe('45 s were not enough: ask for fewer hours');
  expect(ask(other)).toBeNull();
  pass(COMPARE_UNASKED_MS + 1);
  // Nobody wants it any more: it makes room.
  expect(ask()).toBeNull();
});

test('a thread that breaks costs the answer and nothing else', async () => {
  const broken = rig('/nowhere', { program: program('throw new Error("no room");') });
  expect(await broken.told()).toBe('it could not be done: no room');
  const ended = rig('/nowhere', { program: program('process.exit(3);') });
  expect(await ended.told()).toBe('it ended before it was done (3)');
});

test('what may be tried is what agent.yaml may say', () => {
  const own = (key: string, value: number) =>
    agentSchema.shape.detect.safeParse({ shake: { collars: { C1: { [key]: value } } } }).success;
  for (const key of SHAKE_KEYS) {
    const { least, most, whole } = SHAKE_LIMITS[key];
    const step = whole ? 1 : 0.001;
    expect([key, own(key, least), own(key, most)]).toEqual([key, true, true]);
    expect([key, own(key, least - step), own(key, most + step)]).toEqual([key, false, false]);
    expect([key, own(key, (least + most) / 2 + 0.25)]).toEqual([key, !whole]);
  }
});
