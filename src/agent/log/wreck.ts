/**
 * Reads what can still be read of a damaged file. Where SQLite stumbles, the range is halved until the broken place is found;
 * everything around it is given. Whether what is given is true is not known here: `prove.ts` tells.
 */
import Database from 'better-sqlite3';
import { type ChainHash, parseChainHex } from '../../contract/chain.ts';
import type { StoredEvent } from '../../contract/event.ts';
import { codeOf } from './log-error.ts';
import { fileBytes } from './log-file.ts';
import type { Kept } from './prove.ts';
import { closingKey, copyKey, createRows, type EpochSpan } from './rows.ts';
import { createWords } from './words.ts';
import { readWords, type Trusted } from './wreck-words.ts';

/** Where an epoch lies, by one of the places that tell it. */
export interface EpochGuess {
  readonly no: number;
  readonly epoch: string;
  readonly base: number;
  readonly storedSeq: number;
}

export interface Wreck {
  /** The same file by what the index says of its words, where the table contradicts that; else null. */
  readonly byIndex: (() => Wreck) | null;
  /** What the table says, and what its copies say. There were `count` at least. */
  epochs(count: number): readonly EpochGuess[];
  /** The readable ones with pos in [from, to], in order. */
  events(span: EpochSpan, from: number, to: number): readonly StoredEvent[];
  chains(from: number, to: number): readonly Kept[];
  /** As `Readable` of `prove.ts`. */
  next(pos: number): number;
  /** No row that can be read lies behind it. */
  readonly last: number;
  incarnation(): string | null;
  /** chain at the end of an epoch that another one has followed, or null. */
  closing(no: number): ChainHash | null;
  close(): void;
}

/** Reads that may fail before the rest of a damaged file is given up: each costs a search through its tree. */
const MAX_FAILED_READS = 20_000;
const MAX_EPOCHS = 1_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HASH_BYTES = 32;
const EPOCHS = 'SELECT no, id AS epoch, base, stored AS storedSeq FROM epoch WHERE no BETWEEN ? AND ? ORDER BY no';
const MIN_ROW_BYTES = 16;
const TABLES = ['event', 'chain'] as const;

type Table = (typeof TABLES)[number];

/** null where nothing of it can be read. */
export function openWreck(path: string): Wreck | null {
  return attempt(() => open(path)) ?? null;
}

function open(path: string): Wreck {
  const db = new Database(path, { readonly: true, fileMustExist: true });
  try {
    return read(db, fileBytes(path), 'table');
  } catch (error) {
    db.close();
    throw error;
  }
}

function read(db: Database.Database, bytes: number, trusted: Trusted): Wreck {
  const { texts, isDoubtful } = readWords(db, trusted);
  const rows = createRows(db, createWords(db, texts));
  const chains = db.prepare<[number, number], Kept>(
    'SELECT pos, hash FROM chain WHERE pos BETWEEN ? AND ? ORDER BY pos',
  );
  const fact = (key: string) =>
    attempt(() => db.prepare<[string], unknown>('SELECT value FROM fact WHERE key = ?').pluck().get(key));
  const behind = {
    event: db.prepare<[number], number>('SELECT pos FROM event WHERE pos > ? ORDER BY pos LIMIT 1').pluck(),
    chain: db.prepare<[number], number>('SELECT pos FROM chain WHERE pos > ? ORDER BY pos LIMIT 1').pluck(),
  };
  const after = (table: Table, pos: number) => {
    const found = attempt(() => behind[table].get(pos) ?? Number.POSITIVE_INFINITY);
    if (found === undefined) failed += 1;
    return found ?? pos + 1;
  };
  let failed = 0;
  const halving = <T>(from: number, to: number, take: (from: number, to: number) => readonly T[]): readonly T[] => {
    const all = attempt(() => take(from, to));
    if (all !== undefined) return all;
    failed += 1;
    if (from >= to || failed > MAX_FAILED_READS) return [];
    const middle = Math.floor((from + to) / 2);
    return [...halving(from, middle, take), ...halving(middle + 1, to, take)];
  };
  return {
    byIndex: isDoubtful && trusted === 'table' ? () => read(db, bytes, 'index') : null,
    epochs(count) {
      const told = halving(1, MAX_EPOCHS, (from, to) =>
        db.prepare<[number, number], Record<string, unknown>>(EPOCHS).all(from, to),
      );
      const length = Math.min(MAX_EPOCHS, Math.max(told.length, count) + 1);
      const copies = Array.from({ length }, (_, i) => attempt(() => copyOf(fact(copyKey(i + 1)))));
      return [...told, ...copies].flatMap((one) => guessOf(one) ?? []);
    },
    events: (span, from, to) => halving(from, to, (a, b) => [...rows.iterate(span, a, b)]),
    chains: (from, to) =>
      halving(from, to, (a, b) => chains.all(a, b)).filter(({ hash }) => hash?.length === HASH_BYTES),
    next(pos) {
      // Where the way is broken there may be rows at once behind it.
      return failed > MAX_FAILED_READS
        ? Number.POSITIVE_INFINITY
        : Math.min(...TABLES.map((table) => after(table, pos)));
    },
    last: lastOf(db, bytes),
    closing: (no) => parseChainHex(fact(closingKey(no))),
    incarnation() {
      const kept = fact('incarnation');
      return typeof kept === 'string' && UUID.test(kept) ? kept : null;
    },
    close: () => {
      db.close();
    },
  };
}

/** The highest position that can be true: a row takes some bytes, so that no more than so many lie behind the first one. */
function lastOf(db: Database.Database, bytes: number): number {
  const first = Math.min(
    ...TABLES.map((table) => attempt(() => one(db, `SELECT min(pos) FROM ${table}`)) ?? Number.POSITIVE_INFINITY),
  );
  const most = (Number.isFinite(first) ? first : 0) + Math.ceil(bytes / MIN_ROW_BYTES);
  return Math.max(0, ...TABLES.map((table) => lastUpTo(db, table, most)));
}

/** From the end, and where that is broken, in ever smaller steps from the start. */
function lastUpTo(db: Database.Database, table: Table, most: number): number {
  const max = attempt(() => one(db, `SELECT max(pos) FROM ${table} WHERE pos <= ${most}`));
  if (max !== undefined) return max ?? 0;
  const next = db
    .prepare<[number], number>(`SELECT pos FROM ${table} WHERE pos > ? AND pos <= ${most} LIMIT 1`)
    .pluck();
  let last = 0;
  for (let step = 2 ** 44; step >= 1; step /= 2) last = attempt(() => next.get(last + step - 1)) ?? last;
  return last;
}

function one(db: Database.Database, sql: string): number | null {
  return db.prepare(sql).pluck().get() as number | null;
}

function copyOf(text: unknown): unknown {
  return typeof text === 'string' ? JSON.parse(text) : null;
}

function guessOf(value: unknown): EpochGuess | null {
  if (typeof value !== 'object' || value === null) return null;
  const { no, epoch, base, storedSeq } = value as Record<string, unknown>;
  if (typeof epoch !== 'string' || !UUID.test(epoch) || !isCount(no) || !isCount(base)) return null;
  return { no, epoch, base, storedSeq: isCount(storedSeq) ? storedSeq : 0 };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** undefined where SQLite or the text of a row gives an error: it is damaged. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (codeOf(error).startsWith('SQLITE_') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
