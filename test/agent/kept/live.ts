/** Kept readings of a known story: the ingest loop is the real one, and so are the files. */
import type { Clock } from '../../../src/agent/clock.ts';
import { createDecoder } from '../../../src/agent/decoder/decoder.ts';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import type { WatchSettings } from '../../../src/agent/detector/watch.ts';
import { runIngest } from '../../../src/agent/ingest.ts';
import type { IngestLog } from '../../../src/agent/log/event-log.ts';
import { type Kept, openKept } from '../../../src/agent/open-kept.ts';
import { createHeard } from '../../../src/agent/source/heard.ts';
import type { Source, SourceInput } from '../../../src/agent/source/source.ts';
import { createTally } from '../../../src/agent/source/tally.ts';
import type { NewEvent } from '../../../src/contract/event.ts';
import { createQueue } from '../../../src/lib/queue.ts';

/** When the first reading was taken. */
export const WALL = Date.parse('2026-11-23T06:00:00.000Z');
const logger = { info: () => undefined, warn: () => undefined };

/** A clock that goes with the readings: each is heard as it is taken. */
function handClock(): { monoMs: number; readonly clock: Clock } {
  const hand: { monoMs: number; clock: Clock } = {
    monoMs: 0,
    clock: { wallNow: () => WALL + hand.monoMs, monoNow: () => hand.monoMs, quality: () => 'synced', boot: 'b' },
  };
  return hand;
}

/** Runs an agent's ingest over these readings, keeping them. Resolves with the events that it logged. */
export async function live(folder: string, readings: readonly Reading[], settings: WatchSettings): Promise<NewEvent[]> {
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
  for (const { collar, atMs, axG, ayG, azG, shake, place, rssiDbm } of readings) {
    const line = JSON.stringify({ collar, ax: axG, ay: ayG, az: azG, shake, place, rssi: rssiDbm });
    queue.push({ type: 'bytes', bytes: Buffer.from(`${line}\n`), atMs });
  }
  const config = { readings: { keep: '1h / 10 MB', folder }, log: { path: 'x' } as never };
  const kept = openKept(config, settings, hand.clock, logger, 60_000) as Kept;
  const writing = kept.run();
  const sources = [{ source, decoder: createDecoder({ format: 'json' }), tally: createTally('x') }];
  const parts = {
    sources,
    log,
    clock: hand.clock,
    heard: createHeard(),
    detect: settings,
    groupMs: 0,
    unwritten: { events: 0 },
    logger,
  };
  await runIngest({ ...parts, keeper: kept.keeper }, ended.signal);
  kept.close();
  await writing;
  return events;
}
