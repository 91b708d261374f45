/**
 * The ingest loop: source → decoder → watch → log. What arrives together is appended together (one flush), under lasting load
 * at most `groupMs` late. Nobody else hears of an event before it is on the card.
 */
import { type EventData, type EventType, type NewEvent, newEvent } from '../contract/event.ts';
import { createQueue, type Queue } from '../lib/queue.ts';
import { type Loop, runAll } from '../lib/run-all.ts';
import { ticks } from '../lib/wait.ts';
import { appendGroups, type Unwritten, withUnwritten } from './append-groups.ts';
import { type Clock, eventTime, isoTime } from './clock.ts';
import type { Decoded, Decoder, NodeRequest, Reading } from './decoder/reading.ts';
import { createReceivers } from './decoder/receivers.ts';
import { toEvent, unknownEnd } from './detected.ts';
import { isRoomSensor } from './detector/place.ts';
import {
  createWatch,
  rememberCollar,
  rememberedCollars,
  step,
  type WatchInput,
  type WatchSettings,
  type WatchState,
} from './detector/watch.ts';
import { nameDetectors } from './detector-names.ts';
import type { Keeper } from './kept/keeper.ts';
import type { IngestLog, RememberedCollar } from './log/event-log.ts';
import type { Heard } from './source/heard.ts';
import { createReplay } from './source/replay.ts';
import type { Source, SourceInput } from './source/source.ts';
import { createTeller, type Tally } from './source/tally.ts';
import type { Traces } from './traces.ts';

/** Events that wait for their flush. Beyond it the sources wait: their own limits hold then. */
export const PENDING_EVENTS = 10_000;
const TICK_MS = 1_000;
const REASON_CHARACTERS = 500;

export interface IngestSource {
  readonly source: Source;
  readonly decoder: Decoder;
  readonly tally: Tally;
  /** Answers what the other side asks, where that is configured. */
  readonly answer?: (request: NodeRequest) => void;
}

export interface IngestLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface IngestParts {
  readonly sources: readonly IngestSource[];
  readonly log: Pick<IngestLog, 'append' | 'remembered' | 'unsyncedBoot' | 'failedSources'>;
  readonly clock: Clock;
  /** Kept up to date while the loop runs. */
  readonly heard: Pick<Heard, 'note'>;
  readonly detect: WatchSettings;
  /** They are told what the detectors are given; the keeper is closed at the end. */
  readonly keeper?: Keeper;
  readonly live?: Pick<Traces, 'note'>;
  readonly groupMs: number;
  /** Kept up to date while the loop runs. */
  readonly unwritten: Unwritten;
  readonly logger: IngestLogger;
  /** Told each second while the loop moves. */
  readonly moved?: () => void;
}

/**
 * Resolves after the signal aborted, open meows were ended and the last group is on the card. Rejects with the log's error
 * when an append fails, and says how many events end with it: then nothing more is read.
 */
export async function runIngest(parts: IngestParts, signal: AbortSignal): Promise<void> {
  const pending = createQueue<NewEvent>(PENDING_EVENTS);
  const failed = new AbortController();
  const desk = createDesk(parts, pending, failed.signal);
  await desk.begin(await parts.log.remembered());
  const reading = async () => {
    const loops: Loop[] = parts.sources.map((from) => (inner) => readSource(from, desk, parts, inner));
    loops.push((inner) => watchTime(desk, parts, inner));
    try {
      await runAll(loops, AbortSignal.any([signal, failed.signal]));
    } finally {
      await desk.finish();
      parts.keeper?.close();
      pending.close();
    }
  };
  const writing = async () => {
    try {
      await appendGroups(pending, parts);
    } catch (error) {
      failed.abort();
      pending.close();
      throw withUnwritten(error, parts.unwritten);
    }
  };
  const ends = await Promise.allSettled([writing(), reading()]);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** Where all sources meet: the state of the watch, and the way of what it decides to the log. */
interface Desk {
  begin(remembered: readonly RememberedCollar[]): Promise<void>;
  /** A reading that this source gave. Null: all is taken; else there is no room for its events yet. */
  hear(reading: Reading, source: string): Promise<void> | null;
  feed(input: WatchInput): Promise<void>;
  say<T extends EventType>(type: T, data: EventData[T]): Promise<void>;
  finish(): Promise<void>;
}

function createDesk(parts: IngestParts, pending: Queue<NewEvent>, failed: AbortSignal): Desk {
  const { clock, detect, keeper, live, unwritten } = parts;
  const receivers = createReceivers(parts.sources.length);
  const names = nameDetectors(detect);
  let state: WatchState = createWatch();
  const push = (event: NewEvent): boolean => {
    const isTaken = pending.push(event);
    if (isTaken) unwritten.events += 1;
    return isTaken;
  };
  const putLater = async (events: readonly NewEvent[]) => {
    for (const event of events) {
      while (!failed.aborted && !push(event)) await pending.room(failed);
    }
  };
  const put = (events: readonly NewEvent[]): Promise<void> | null => {
    const taken = events.findIndex((event) => !push(event));
    return taken < 0 ? null : putLater(events.slice(taken));
  };
  const known = () => rememberedCollars(state);
  /** A promise for each reading would cost more than the reading. */
  const take = (input: WatchInput): Promise<void> | null => {
    const given = keeper === undefined ? input : keeper.round(input);
    const { state: next, detections } = step(state, given, detect);
    state = next;
    keeper?.note(given, detections, known);
    live?.note(given, detections, state);
    return detections.length === 0 ? null : put(detections.map((one) => toEvent(one, clock, names)));
  };
  const feed = async (input: WatchInput) => void (await take(input));
  return {
    feed,
    hear(reading, source) {
      const heard = receivers.take(reading, source);
      if (heard === null) return null;
      if (!isRoomSensor(heard)) parts.heard.note(heard);
      return take({ type: 'reading', reading: heard });
    },
    say: async (type, data) => void (await put([newEvent(type, null, data, eventTime(clock, clock.monoNow()))])),
    async begin(remembered) {
      for (const one of remembered) {
        state = rememberCollar(state, { ...one, atMs: lastHeard(one, clock) });
        // The agent was killed in the middle: nobody knows how long it went on, but no cat shakes for ever.
        if (one.openMeow) await put([unknownEnd(one, clock)]);
      }
      keeper?.begin(known);
    },
    finish: () => feed({ type: 'end', atMs: clock.monoNow() }),
  };
}

/** Reads one source until the signal aborts or its file ends. */
async function readSource(from: IngestSource, desk: Desk, parts: IngestParts, signal: AbortSignal): Promise<void> {
  const { source, decoder, tally } = from;
  const tell = createTeller(tally, source.name, parts.clock, parts.logger);
  const place = createReplay(parts.clock, signal);
  let overrun = 0;
  const take = async (decoded: Decoded) => {
    for (const discard of decoded.discards) tell(discard.reason, 1, discard.sample);
    for (const reading of decoded.readings) {
      const placed = source.recorded === true ? await place(reading) : reading;
      if (signal.aborted) return;
      const room = desk.hear(placed, source.name);
      if (room !== null) await room;
    }
    for (const request of decoded.requests ?? []) from.answer?.(request);
    tally.read(decoded.readings.length, isoTime(parts.clock.wallNow()));
    if (source.overrunBytes > overrun) tell('overrun', source.overrunBytes - overrun, '');
    overrun = source.overrunBytes;
  };
  let down = parts.log.failedSources.includes(source.name);
  for await (const input of source.inputs(signal)) {
    if (input.type === 'bytes') await take(decoder.push(input.bytes, source.recorded === true ? null : input.atMs));
    if (input.type === 'ended') await take(decoder.end());
    down = await noteChange(input, down, from, desk, parts.logger);
  }
}

/** Tells of a change of the source, also since the run before. Returns whether it is down now. The first opening is no news. */
async function noteChange(
  input: SourceInput,
  down: boolean,
  { source, tally }: IngestSource,
  desk: Desk,
  logger: IngestLogger,
): Promise<boolean> {
  if (input.type === 'failed') {
    const reason = input.reason.slice(0, REASON_CHARACTERS);
    tally.failed(reason);
    logger.warn({ source: source.name }, reason);
    if (!down) await desk.say('sensor.failed', { source: source.name, reason });
    return true;
  }
  if (input.type === 'opened') {
    tally.opened();
    logger.info({ source: source.name }, 'source is open');
    if (down) await desk.say('sensor.recovered', { source: source.name, reason: 'open again' });
    return false;
  }
  if (input.type === 'ended') {
    tally.ended();
    logger.info({ source: source.name }, 'file has been read to its end');
  }
  return down;
}

/** Silence and quiet show only as time passes; and the moment when the clock was set is told for what came before. */
async function watchTime(desk: Desk, parts: IngestParts, signal: AbortSignal): Promise<void> {
  const { clock, log } = parts;
  let told = false;
  for await (const _ of ticks(TICK_MS, signal)) {
    await desk.feed({ type: 'tick', atMs: clock.monoNow() });
    parts.moved?.();
    if (told || clock.quality() !== 'synced' || log.unsyncedBoot !== clock.boot) continue;
    told = true;
    await desk.say('clock.synced', { boot: clock.boot, offsetMs: Math.round(clock.wallNow() - clock.monoNow()) });
  }
}

/** A collar that was well gets its full time anew: while the agent was off nobody listened. */
function lastHeard(known: RememberedCollar, clock: Clock): number {
  const now = clock.monoNow();
  return known.silent ? Math.min(now, now - (clock.wallNow() - Date.parse(known.lastEvent))) : now;
}
