/** Readings that an agent has kept, decided anew. The ingest loop is the real one, and so are the files. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import type { Detection } from '../../src/agent/detector/detection.ts';
import { differenceOf, type Verdict, verdictsOf } from '../../src/agent/detector/difference.ts';
import type { WatchSettings } from '../../src/agent/detector/watch.ts';
import { readKept } from '../../src/agent/kept/read-kept.ts';
import { createRederiver } from '../../src/agent/rederive.ts';
import { accelerated } from './detector/motion.ts';
import { live, WALL } from './kept/live.ts';

const detect = agentSchema.shape.detect.parse({});

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-rederive-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What was decided then, what is decided now, and how many segments are damaged. */
async function anew(folder: string, settings: WatchSettings) {
  const rederiver = createRederiver(settings);
  const [then, now]: [Detection[], Detection[]] = [[], []];
  let damaged = 0;
  for await (const block of readKept(folder, () => (damaged += 1))) {
    const derived = rederiver.take(block);
    then.push(...derived.live);
    now.push(...derived.anew);
  }
  return { then, now, damaged };
}

const shakes = accelerated(
  [4_000, 9_000, 15_000].map((fromMs) => ({ fromMs, forMs: 900, hz: 5, amplitudeG: 1.6 })),
  20_000,
  50,
  'C0FFEE01',
  0.123_456_789,
);

test('under the same settings the same is decided, to the last bit, and as it was logged', async () => {
  const folder = tempFolder();
  const events = await live(folder, shakes, detect);
  const { then, now, damaged } = await anew(folder, detect);
  expect(damaged).toBe(0);
  expect(now).toEqual(then);
  expect(now.map(({ type }) => `collard.${type}`)).toEqual(events.map(({ type }) => type));
  expect(now.filter(({ type }) => type === 'meow.ended')).toHaveLength(3);
  expect(
    now.map((d) => new Date(Math.round('endMs' in d ? d.endMs : 'startMs' in d ? d.startMs : d.atMs)).toISOString()),
  ).toEqual(events.map(({ time }) => time));
});

const motion = fc.record({
  fromMs: fc.nat(18_000),
  forMs: fc.integer({ min: 100, max: 3_000 }),
  hz: fc.double({ min: 1, max: 12, noNaN: true }),
  amplitudeG: fc.double({ min: 0.05, max: 4, noNaN: true }),
});
const sighting = fc.record({
  collar: fc.constantFrom('A', 'B'),
  atMs: fc.double({ min: 0, max: 20_000, noNaN: true }),
  place: fc.constantFrom('hall', 'attic'),
  rssiDbm: fc.double({ min: -95, max: -40, noNaN: true }),
});

test('whatever collars do', async () => {
  const settings = { ...detect, place: { ...detect.place, marginDb: 3, dwellMs: 500 }, silence: { afterMs: 5_000 } };
  await fc.assert(
    fc.asyncProperty(
      fc.array(motion, { maxLength: 4 }),
      fc.array(sighting, { maxLength: 60 }),
      fc.double({ min: 0.8, max: 10, noNaN: true }),
      async (motions, sightings, restG) => {
        const folder = mkdtempSync(join(tmpdir(), 'collard-rederive-'));
        try {
          const readings = [...accelerated(motions, 20_000, 50, 'A', restG), ...sightings];
          const sorted = readings.sort((a, b) => a.atMs - b.atMs);
          const events = await live(folder, sorted, settings);
          const { then, now } = await anew(folder, settings);
          expect(now).toEqual(then);
          expect(now.map(({ type }) => `collard.${type}`)).toEqual(events.map(({ type }) => type));
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: 25 },
  );
});

test('a file that ends in the middle, and one that is damaged, cost what lies behind and nothing else', async () => {
  const folder = tempFolder();
  await live(folder, shakes, detect);
  const whole = await anew(folder, detect);
  const [name = ''] = readdirSync(folder);
  const path = join(folder, name);
  const bytes = readFileSync(path);
  for (let i = 1; i <= 20; i += 1) {
    truncateSync(path, Math.floor((bytes.length * i) / 21));
    const { then, now } = await anew(folder, detect);
    expect(now).toEqual(then);
    expect(now).toEqual(whole.now.slice(0, now.length));
    writeFileSync(path, bytes);
  }
  appendFileSync(path, Buffer.alloc(500));
  const { now, damaged } = await anew(folder, detect);
  expect([now, damaged]).toEqual([whole.now, 1]);
});

test('where the first segments are gone it begins in the middle, a minute later', async () => {
  const folder = tempFolder();
  const long = accelerated(
    Array.from({ length: 24 }, (_, i) => ({ fromMs: 5_000 + 10_000 * i, forMs: 900, hz: 5, amplitudeG: 1.6 })),
    240_000,
  );
  await live(folder, long, detect);
  const whole = await anew(folder, detect);
  const names = readdirSync(folder).sort();
  expect(names.length).toBeGreaterThan(1);
  rmSync(join(folder, names[0] ?? ''));
  const { then, now } = await anew(folder, detect);
  expect(now).toEqual(then);
  expect(now.length).toBeGreaterThan(4);
  expect(now).toEqual(whole.now.slice(-now.length));
});

test('other settings show what would change', async () => {
  const folder = tempFolder();
  const weak = { fromMs: 12_000, forMs: 900, hz: 5, amplitudeG: 0.5 };
  await live(folder, accelerated([{ fromMs: 4_000, forMs: 900, hz: 5, amplitudeG: 2.5 }, weak], 20_000), {
    ...detect,
    shake: { sensitivity: 0.7 },
  });
  const compare = async (sensitivity: number) => {
    const { then, now } = await anew(folder, { ...detect, shake: { sensitivity } });
    return differenceOf(verdictsOf(then), verdictsOf(now));
  };
  const near = (found: readonly Verdict[]) =>
    found.map(({ type, startMs }) => [type, Math.round((startMs - WALL) / 1_000)]);
  const same = await compare(0.7);
  expect([same.added, same.removed, same.moved]).toEqual([[], [], []]);
  expect(near((await compare(3)).added)).toEqual([['meow', 12]]);
  const none = await compare(0.2);
  expect(near(none.removed)).toEqual([['meow', 4]]);
});
