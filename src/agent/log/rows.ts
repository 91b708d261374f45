/** Events as rows, both directions. About 100 bytes each: types and boot ids go through a dictionary, times are numbers. */
import { type ChainHash, chainNext } from '../../contract/chain.ts';
import { MAX_DATA_BYTES, whyNoHead } from '../../contract/envelope.ts';
import type { NewEvent, StoredEvent } from '../../contract/event.ts';
import type { SeqRange } from '../../contract/message.ts';
import { createInsert } from './insert.ts';
import { logError } from './log-error.ts';
import type { Db } from './log-file.ts';
import { createWords, type Words } from './words.ts';

/** Where an epoch lies in the file: its events have pos in (base, end]. */
export interface EpochSpan {
  readonly no: number;
  readonly epoch: string;
  readonly agent: string;
  readonly base: number;
}

/** The fact that says again what the table says of an epoch: so a flipped bit in a name is told from another name. */
export function copyKey(no: number): string {
  return `epoch/${no}`;
}

/** The fact that holds the chain at the end of an epoch that another one has followed. */
export function closingKey(no: number): string {
  return `closed/${no}`;
}

export function epochCopy({ no, epoch, agent, base }: EpochSpan): string {
  return JSON.stringify({ no, epoch, agent, base });
}

export interface Rows {
  /** Writes events, one behind the other from `pos` on. Within the caller's transaction. */
  insert(pos: number, events: readonly NewEvent[]): void;
  /** After a transaction that was rolled back: what it wrote is not there. */
  forget(): void;
  /** Rows with pos in [from, to], in order. The iterator must be finished before the next statement that writes. */
  iterate(span: EpochSpan, from: number, to: number): Iterable<StoredEvent>;
  /** Deletes rows with pos in [from, to]; returns how many. */
  remove(from: number, to: number): number;
  /** The lowest pos in (base, end], or null. */
  first(base: number, end: number): number | null;
  /** The runs of positions in [from, to] that have no row, rising. */
  missing(from: number, to: number): readonly SeqRange[];
  /** Positions in [from, to] of rows of these (full) types, rising. */
  ofTypes(from: number, to: number, types: readonly string[]): readonly number[];
}

interface EventRow {
  readonly pos: number;
  readonly type: number;
  readonly version: number;
  readonly subject: string | null;
  readonly time: number;
  readonly synced: number;
  readonly boot: number | null;
  readonly mono: number | null;
  readonly data: string;
}

const HASH_BYTES = 32;
/** A day that every month has, an hour that every day has: only of others it has to be tried whether they are. */
const PLAIN_TIME = /^\d{4}-\d\d-(?:0\d|1\d|2[0-8])T(?:[01]\d|2[0-3]):/;
/** The last moment that a date can name. */
export const MAX_TIME_MS = 8.64e15;

export function createRows(db: Db, words = createWords(db)): Rows {
  const insert = createInsert(db, words);
  const select = db.prepare<[number, number], EventRow>('SELECT * FROM event WHERE pos BETWEEN ? AND ? ORDER BY pos');
  const remove = db.prepare('DELETE FROM event WHERE pos BETWEEN ? AND ?');
  const first = db
    .prepare<[number, number], number | null>('SELECT min(pos) FROM event WHERE pos > ? AND pos <= ?')
    .pluck();
  const missing = db
    .prepare<[number, number, number, number], [number, number]>(
      `SELECT before + 1, pos - 1
       FROM (SELECT pos, lag(pos, 1, ?) OVER (ORDER BY pos) AS before
             FROM (SELECT pos FROM event WHERE pos BETWEEN ? AND ? UNION ALL SELECT ?))
       WHERE pos > before + 1 ORDER BY pos`,
    )
    .raw();
  const ofTypes = db
    .prepare<[number, number, string], number>(
      `SELECT pos FROM event WHERE pos BETWEEN ? AND ?
       AND type IN (SELECT no FROM word WHERE text IN (SELECT value FROM json_each(?))) ORDER BY pos`,
    )
    .pluck();
  return {
    insert,
    forget: words.forget,
    *iterate(span, from, to) {
      for (const row of select.iterate(from, to)) yield toEvent(row, span, words);
    },
    remove: (from, to) => remove.run(from, to).changes,
    first: (base, end) => within(first.get(base, end) ?? null, base, end),
    missing: (from, to) => (from > to ? [] : missing.all(from - 1, from, to, to + 1)),
    ofTypes: (from, to, types) => ofTypes.all(from, to, JSON.stringify(types)),
  };
}

/** The hash of each commit group, forward from the nearest one below. */
export interface Chains {
  /** Within the caller's transaction. */
  save(pos: number, hash: ChainHash): void;
  /** The nearest kept hash with pos in (base, limit], or null. */
  nearest(base: number, limit: number): { readonly pos: number; readonly hash: ChainHash } | null;
  /** The kept hashes with pos in [from, to], in order. */
  range(from: number, to: number): readonly { readonly pos: number; readonly hash: ChainHash }[];
  /** The lowest kept pos in (base, end], or null. */
  first(base: number, end: number): number | null;
  /** Forgets hashes with pos in [from, to]. */
  remove(from: number, to: number): void;
  /** The highest pos that was ever written; 0 when none was. */
  last(): number;
}

export function createChains(db: Db): Chains {
  const save = db.prepare('INSERT OR REPLACE INTO chain (pos, hash) VALUES (?, ?)');
  const nearest = db.prepare<[number, number], { pos: number; hash: Uint8Array | null }>(
    'SELECT pos, hash FROM chain WHERE pos > ? AND pos <= ? ORDER BY pos DESC LIMIT 1',
  );
  const range = db.prepare<[number, number], { pos: number; hash: Uint8Array }>(
    'SELECT pos, hash FROM chain WHERE pos BETWEEN ? AND ? ORDER BY pos',
  );
  const first = db
    .prepare<[number, number], number | null>('SELECT min(pos) FROM chain WHERE pos > ? AND pos <= ?')
    .pluck();
  const remove = db.prepare('DELETE FROM chain WHERE pos BETWEEN ? AND ?');
  const last = db.prepare<[], number | null>('SELECT max(pos) FROM chain').pluck();
  return {
    save(pos, hash) {
      save.run(pos, hash);
    },
    nearest(base, limit) {
      const kept = nearest.get(base, limit);
      if (kept === undefined) return null;
      const { pos, hash } = kept;
      if (hash?.length !== HASH_BYTES) throw logError('SQLITE_CORRUPT', `the log's chain at ${pos} is no hash`);
      return { pos, hash };
    },
    range: (from, to) => range.all(from, to),
    first: (base, end) => within(first.get(base, end) ?? null, base, end),
    remove(from, to) {
      remove.run(from, to);
    },
    last: () => last.get() ?? 0,
  };
}

/** A broken tree may give what was not asked for. */
function within(pos: number | null, base: number, end: number): number | null {
  if (pos === null || (base < pos && pos <= end)) return pos;
  throw logError('SQLITE_CORRUPT', `the log gives position ${pos} where one in ${base + 1} to ${end} was asked for`);
}

/** chain at `pos` of an epoch from the rows that are held; null where too much was trimmed. */
export function chainAtPos(
  rows: Rows,
  chains: Chains,
  span: EpochSpan,
  pos: number,
  start: ChainHash,
): ChainHash | null {
  const anchor = chains.nearest(span.base, pos) ?? { pos: span.base, hash: start };
  let hash = anchor.hash;
  let at = anchor.pos;
  for (const event of rows.iterate(span, anchor.pos + 1, pos)) {
    at += 1;
    if (event.seq !== at - span.base) return null;
    hash = chainNext(hash, event);
  }
  return at === pos ? hash : null;
}

/**
 * Why central would not take this event as it is, or null. What it refuses must never get a number: it would block the rest.
 * Text must also come back from the card as it went (no lone surrogates).
 */
export function whyNotStorable(event: NewEvent): string | null {
  const { boot, clock, data, monoMs, subject, time, type } = event;
  if (
    !type.isWellFormed() ||
    subject?.isWellFormed() === false ||
    boot?.isWellFormed() === false ||
    !data.isWellFormed()
  )
    return 'text is not well-formed Unicode';
  const reason = whyNoHead(event);
  if (reason !== null) return reason;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return 'data is not JSON';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'data is not an object';
  if (data.length > MAX_DATA_BYTES) return `data of ${data.length} characters is too long`;
  if (JSON.stringify(value) !== data) return 'data does not survive JSON';
  if (!PLAIN_TIME.test(time) && new Date(time).toISOString() !== time) return 'time does not survive';
  const unsynced = clock === 'unsynced';
  if (unsynced !== (boot !== null) || unsynced !== (monoMs !== null))
    return 'boot and monoMs belong to unsynced events, and only to them';
  return null;
}

/** Throws BAD_EVENT. */
export function assertStorable(events: readonly NewEvent[]): void {
  for (const event of events) {
    const reason = whyNotStorable(event);
    if (reason !== null) throw logError('BAD_EVENT', `event ${event.type} cannot be stored: ${reason}`);
  }
}

/** A damaged page gives values that a sound row cannot have. */
function toEvent(row: EventRow, span: EpochSpan, words: Words): StoredEvent {
  if (typeof row.data !== 'string' || !(Math.abs(row.time) <= MAX_TIME_MS))
    throw logError('SQLITE_CORRUPT', `the log's event at ${row.pos} is damaged`);
  return {
    epoch: span.epoch,
    seq: row.pos - span.base,
    type: words.text(row.type),
    version: row.version,
    subject: row.subject,
    time: new Date(row.time).toISOString(),
    clock: row.synced === 1 ? 'synced' : 'unsynced',
    boot: row.boot === null ? null : words.text(row.boot),
    monoMs: row.mono,
    data: row.data,
  };
}
