/** Readings that an agent has kept, decided anew. The ingest loop is the real one, and so are the files. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { Clock } from '../../src/agent/clock.ts';
import { agentSchema } from '../../src/agent/config.ts';
import { createDecoder } from '../../src/agent/decoder/decoder.ts';
import type { Reading } from '../../src/agent/decoder/reading.ts';
import type { Detection } from '../../src/agent/detector/detection.ts';
import { differenceOf, type Verdict, verdictsOf } from '../../src/agent/detector/difference.ts';
import type { WatchSettings } from '../../src/agent/detector/watch.ts';
import { runIngest } from '../../src/agent/ingest.ts';
import { readKept } from '../../src/agent/kept/read-kept.ts';
import type { IngestLog } from '../../src/agent/log/event-log.ts';
import { type Kept, openKept } from '../../src/agent/open-kept.ts';
import { createRederiver } from '../../src/agent/rederive.ts';
import { createHeard } from '../../src/agent/source/heard.ts';
import type { Source, SourceInput } from '../../src/agent/source/source.ts';
import { createTally } from '../../src/agent/source/tally.ts';
import type { NewEvent } from '../../src/contract/event.ts';
import { createQueue } from '../../src/lib/queue.ts';
import { accelerated } from './detector/motion.ts';

const WALL = Date.parse('2026-11-23T06:00:00.000Z');
const detect = agentSchema.shape.detect.parse({});
const logger = { info: () => undefined, warn: () => undefined };

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-rederive-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A clock that goes with the readings: each is heard as it is taken. */
function handClock(): { monoMs: number; readonly clock: Clock } {
  const hand: { monoMs: number; clock: Clock } = {
    monoMs: 0,
    clock: { wallNow: () => WALL + hand.monoMs, monoNow: () => hand.monoMs, quality: () => 'synced', boot: 'b' },
  };
  return hand;
}

/** Runs an agent's ingest over these readings, keeping them. Resolves with the events that it logged. */
async function live(folder: string, readings: readonly Reading[], settings: WatchSettings): Promise<NewEvent[]> {
  const hand = handClock();
  const events: NewEvent[] = [];
  const log = {
    append: async (more: readonly NewEvent[]) => void events.push(...more),
    remembered: async () => [
      {
        collar: 'C0FFEE01',
        place: 'hall',
        openMeow: false,
        silent: true,
        batteryLow: false,
        lastEvent: new Date(WALL - 9e5).toISOString(),
      },
    ],
    unsyncedBoot: null,
    failedSources: [],
  } as unknown as IngestLog;
  const queue = createQueue<SourceInput>(1_000_000);
  const ended = new AbortController();
  const source: Source = {
    name: 'x',
    overrunBytes: 0,
    async *inputs(signal) {
      while (!signal.aborted) {
        const [input] = await queue.takeUpTo(1, signal);
        if (input === undefined) return;
        if (input.type === 'bytes') hand.monoMs = input.atMs;
        yield input;
        if (queue.size === 0) ended.abort();
      }
    },
  };
  for (const { collar, atMs, axG, ayG, azG, place, rssiDbm } of readings) {
    const line = JSON.stringify({ collar, ax: axG, ay: ayG, az: azG, place, rssi: rssiDbm });
    queue.push({ type: 'bytes', bytes: Buffer.from(`${line}\n`), atMs });
  }
  const config = { readings: { keep: '1h / 10 MB', folder }, log: { path: 'x' } as never };
  const kept = openKept(config, settings, hand.clock, logger, 60_000) as Kept;
  const writing = kept.run();
  const sources = [{ source, decoder: createDecoder({ format: 'json' }), tally: createTally('x') }];
  const parts = { sources, log, clock: hand.clock, heard: createHeard(), detect: settings, groupMs: 0, logger };
  await runIngest({ ...parts, keeper: kept.keeper }, ended.signal);
  kept.close();
  await writing;
  return events;
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
