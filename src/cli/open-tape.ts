/** Opens the events of an agent's log or of central's store, whichever a configuration describes. Works beside who writes. */
import { codeOf } from '../agent/log/log-error.ts';
import { type OpenLogReader, openLogReader } from '../agent/log/open-log-reader.ts';
import type { CentralConfig } from '../central/config.ts';
import { decodeCursor } from '../central/store/cursor.ts';
import type { EventPage } from '../central/store/store.ts';
import { collarOf, type StoredEvent } from '../contract/event.ts';
import { loadAnyConfig } from './config.ts';
import { CommandError, EXIT } from './exit.ts';
import type { Question, Tape } from './tape.ts';
import { openExistingStore } from './verify.ts';
import { eventOf, wholeTape } from './whole-tape.ts';

const PAGE_BYTES = 4 * 1024 * 1024;
/** Rows of a log that are read at once when it is read backwards. */
const BACKWARD_ROWS = 256;

/** Throws CommandError where there is nothing to read, or where a log is asked for what only central knows. */
export async function openTape(file: string, question: Question): Promise<Tape> {
  const { kind, config } = loadAnyConfig(file);
  if (kind === 'central') {
    const { store, retention } = config.value;
    return question.scan === true && question.sealed !== false
      ? wholeTape(store, retention?.segments, question)
      : storeTape(store, question);
  }
  const { catId, sort, after, before } = question;
  for (const [name, value] of Object.entries({ '--cat': catId, '--after': after, '--before': before })) {
    if (value === undefined) continue;
    throw new CommandError(EXIT.usage, `${name} is for the store of central: ${file} describes an agent`);
  }
  if (sort === 'time')
    throw new CommandError(EXIT.usage, 'the log of an agent is read in its own order: no --sort time');
  return logTape(config.value.log.path, question);
}

/** The rows of the store of central. */
async function storeTape(place: CentralConfig['store'], question: Question): Promise<Tape> {
  const { order = 'asc', sort, after, before, scan = false, sealed: _sealed, place: from, ...filter } = question;
  const store = await openExistingStore(place);
  const byTime = scan || order === 'desc' || sort === 'time' || (sort === undefined && after?.startsWith('t') === true);
  let cursor = order === 'desc' ? before : typeof from === 'string' ? from : after;
  const page = (limit: number): Promise<EventPage> => {
    if (order === 'desc')
      return store.newest({ ...filter, limit, ...(cursor === undefined ? {} : { before: cursor }) });
    if (byTime) return store.oldest({ ...filter, limit, ...(cursor === undefined ? {} : { after: cursor }) });
    return store.events({ ...filter, limit, after: decodeCursor(cursor ?? '0') });
  };
  const end = scan ? (await store.newest({ ...filter, limit: 1 })).events[0]?.time : undefined;
  let [first, last] = [0, 0];
  return {
    async next(limit) {
      const { events, next } = await page(limit);
      if (next !== '') cursor = next;
      first ||= Date.parse(events[0]?.time ?? '') || 0;
      last = Date.parse(events.at(-1)?.time ?? '') || last;
      return events.map((event) => ({ agent: event.agent, event, known: event }));
    },
    cursor: () => cursor ?? null,
    place: () => cursor ?? null,
    async leftOut() {
      const horizon = await store.horizon();
      return horizon === '' || (filter.from !== undefined && filter.from >= horizon) ? null : horizon;
    },
    share: () => (end === undefined ? 0 : Math.min(1, (last - first) / Math.max(1, Date.parse(end) - first))),
    event: (epoch, seq) => eventOf(store, epoch, seq),
    close: () => store.close(),
  };
}

/** The log of an agent, epoch by epoch. */
function logTape(path: string, question: Question): Tape {
  const reader = openReader(path);
  const { agent } = reader;
  let place = (question.place as LogPlace | undefined) ?? null;
  const pages = question.order === 'desc' ? backward(reader) : forward(reader, place);
  const total = reader.epochs().reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq - firstSeq + 1, 0);
  let given = 0;
  return {
    async next(limit) {
      // A page of which nothing is wanted is no end.
      for (;;) {
        const page = await pages(limit);
        given += page.length;
        const last = page.at(-1);
        if (last !== undefined) place = { epoch: last.epoch, seq: last.seq };
        const wanted = page.filter((event) => isWanted(agent, event, question));
        if (wanted.length > 0 || page.length === 0) return wanted.map((event) => ({ agent, event }));
      }
    },
    cursor: () => null,
    place: () => place,
    leftOut: async () => null,
    share: () => Math.min(1, given / Math.max(1, total)),
    async event(epoch, seq) {
      const [event] = await reader.read(epoch, seq, seq, 1, PAGE_BYTES);
      return event === undefined ? null : { agent, event };
    },
    close: async () => reader.close(),
  };
}

type LogPlace = Pick<StoredEvent, 'epoch' | 'seq'>;

type Pages = (limit: number) => Promise<readonly StoredEvent[]>;

function forward(reader: OpenLogReader, from: LogPlace | null): Pages {
  // Epochs are UUIDv7: where that one is gone, the next one begins.
  let epochNo = reader.epochs().findIndex(({ epoch }) => from === null || epoch >= from.epoch);
  if (epochNo < 0) epochNo = reader.epochs().length;
  let seq = reader.epochs()[epochNo]?.epoch === from?.epoch ? (from?.seq ?? 0) : 0;
  return async (limit) => {
    const epochs = reader.epochs();
    for (; epochNo < epochs.length; epochNo += 1, seq = 0) {
      const head = epochs[epochNo];
      if (head === undefined) return [];
      const from = Math.max(seq + 1, head.firstSeq);
      const found = await reader.read(head.epoch, from, head.lastSeq, limit, PAGE_BYTES);
      seq = found.at(-1)?.seq ?? seq;
      if (found.length > 0) return found;
      // The newest epoch may grow: it is asked again.
      if (epochNo === epochs.length - 1) return [];
    }
    return [];
  };
}

/** From what is the end now. */
function backward(reader: OpenLogReader): Pages {
  const heads = [...reader.epochs()].reverse();
  let at = 0;
  let below = Number.POSITIVE_INFINITY;
  return async (limit) => {
    for (; at < heads.length; at += 1, below = Number.POSITIVE_INFINITY) {
      const head = heads[at];
      if (head === undefined) return [];
      while (below > head.firstSeq && head.lastSeq >= head.firstSeq) {
        const to = Math.min(head.lastSeq, below - 1);
        const from = Math.max(head.firstSeq, to - Math.min(limit, BACKWARD_ROWS) + 1);
        const found = await reader.read(head.epoch, from, to, to - from + 1, Number.MAX_SAFE_INTEGER);
        below = from;
        // Where much was given up there may be none between two that are there.
        if (found.length > 0) return [...found].reverse();
      }
    }
    return [];
  };
}

function openReader(path: string): OpenLogReader {
  try {
    return openLogReader(path);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const exitCode = codeOf(error).startsWith('LOG_') ? EXIT.unavailable : EXIT.io;
    throw new CommandError(exitCode, error.message, null, { cause: error });
  }
}

function isWanted(agent: string, event: StoredEvent, question: Question): boolean {
  const { types, collar, from, to } = question;
  if (question.agent !== undefined && question.agent !== agent) return false;
  if (types !== undefined && !types.includes(event.type)) return false;
  if (collar !== undefined && collarOf(event) !== collar) return false;
  return (from === undefined || event.time >= from) && (to === undefined || event.time < to);
}
