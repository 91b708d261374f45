/** What the open log holds in memory, and the one way to write to the file. Everything else of the log works on this. */
import { type ChainHash, chainAfter, chainHex, chainStart } from '../../contract/chain.ts';
import type { NewEvent, StoredEvent } from '../../contract/event.ts';
import { assertStart, assertTail, chainAtLast } from './epoch-chain.ts';
import type { HeadWitness } from './head-witness.ts';
import { explainDisk, isDamage, isPassing, type LogError, logError } from './log-error.ts';
import { type Db, reading, SCHEMA_VERSION, trySuspect } from './log-file.ts';
import { type Memory, openMemory } from './remember.ts';
import {
  type Chains,
  closingKey,
  copyKey,
  createChains,
  createRows,
  type EpochSpan,
  epochCopy,
  type Rows,
} from './rows.ts';
import { openTells, type Tells } from './tells.ts';

/** An epoch with its marks. The last one of the list is being written. */
export interface EpochState extends EpochSpan {
  storedSeq: number;
  firstSeq: number;
  lastSeq: number;
  /** Found in this life that central holds another history of it. The witness remembers it for the next. */
  disowned?: true;
}

export interface LogCore {
  readonly path: string;
  readonly agent: string;
  readonly db: Db;
  readonly rows: Rows;
  readonly chains: Chains;
  readonly memory: Memory;
  readonly tells: Tells;
  readonly epochs: EpochState[];
  /** The highest pos ever given, over all epochs. */
  lastPos: number;
  /** chain at the last seq of the current epoch. */
  lastChain: ChainHash;
  /** chain at the end of the epoch before the current one, in hex, or ''. */
  closed: string;
  incarnation: string | null;
  /** Marks that are newer in memory than on the card. */
  marksDirty: boolean;
  /** Told after each commit where the log stands. */
  witness: Pick<HeadWitness, 'note'> | null;
  /** Set by the first write that failed: nobody knows what is on the card, so nothing is written any more. */
  failed: LogError | null;
}

interface EpochRow {
  readonly no: number;
  readonly id: string;
  readonly agent: string;
  readonly base: number;
  readonly stored: number;
}

/** Reads the state of an open file. Throws SQLITE_CORRUPT where the newest events do not match their chain. */
export function loadCore(db: Db, path: string, agent: string): LogCore {
  const rows = createRows(db);
  const chains = createChains(db);
  const epochs = loadEpochs(db, rows, chains);
  const current = epochs.at(-1);
  const lastPos = current === undefined ? 0 : current.base + current.lastSeq;
  if (current !== undefined) assertTail(rows, chains, current, path);
  for (const epoch of epochs) assertStart(chains, epoch, path);
  return {
    path,
    agent,
    db,
    rows,
    chains,
    memory: openMemory(db, rows, epochs, lastPos),
    tells: openTells(db),
    epochs,
    lastPos,
    lastChain: current === undefined ? chainStart(agent, '') : chainAtLast(chains, current),
    closed: readFact(db, closingKey(epochs.at(-2)?.no ?? 0)) ?? '',
    incarnation: readFact(db, 'incarnation'),
    marksDirty: false,
    witness: null,
    failed: null,
  };
}

/** Every epoch of the file with what it holds, oldest first. */
export function loadEpochs(db: Db, rows: Rows, chains: Chains): EpochState[] {
  const found = db.prepare<[], EpochRow>('SELECT no, id, agent, base, stored FROM epoch ORDER BY no').all();
  return found.map((row, i) => {
    if (typeof row.id !== 'string' || typeof row.agent !== 'string' || !Number.isSafeInteger(row.base))
      throw logError('SQLITE_CORRUPT', `epoch ${row.no} of the log is damaged`);
    const end = found[i + 1]?.base ?? Math.max(row.base, chains.last());
    const first = rows.first(row.base, end) ?? end + 1;
    const { no, id: epoch, agent, base, stored: storedSeq } = row;
    return { no, epoch, agent, base, storedSeq, firstSeq: first - base, lastSeq: end - base };
  });
}

/**
 * Runs `work` in one transaction that takes the write lock at once. Returns durable; after a failure the log is closed to
 * writers, unless the disk was full or the file locked: then nothing has happened, and it may be tried again.
 */
export function write<T>(core: LogCore, work: () => T): T {
  if (core.failed !== null)
    throw logError('LOG_FAILED', `log ${core.path} takes no more events: ${core.failed.message}`, core.failed);
  let result: T;
  const undo = remember(core);
  try {
    result = core.db.transaction(work).immediate();
  } catch (error) {
    if (isPassing(error)) {
      undo();
      throw explainDisk(core.path, error);
    }
    core.failed = explainDisk(core.path, error);
    if (isDamage(error)) trySuspect(core.path);
    throw core.failed;
  }
  noteHead(core);
  return result;
}

/** Only after the commit has returned: the witness must never be ahead of what is durable. */
export function noteHead(core: LogCore): void {
  const { agent, epoch, no, base, lastSeq, storedSeq } = currentEpoch(core);
  const previous = core.epochs.at(-2)?.epoch ?? '';
  const { closed } = core;
  const chain = chainHex(core.lastChain);
  const head = { version: SCHEMA_VERSION, agent, epoch, no, base, previous, closed, lastSeq, storedSeq, chain };
  const closing = (ended: number) => reading(core.path, () => readFact(core.db, closingKey(ended)));
  core.witness?.note(head, core.epochs.slice(0, -1), closing);
}

/** What a transaction changes in memory, to be put back after one that was rolled back. */
function remember(core: LogCore): () => void {
  const epochs = core.epochs.map(({ firstSeq, lastSeq }) => ({ firstSeq, lastSeq }));
  const { lastPos, lastChain, closed, marksDirty } = core;
  const tells = core.tells.all;
  const memory = core.memory.mark();
  return () => {
    core.epochs.splice(epochs.length);
    for (const [i, epoch] of core.epochs.entries()) Object.assign(epoch, epochs[i]);
    Object.assign(core, { lastPos, lastChain, closed, marksDirty });
    core.tells.restore(tells);
    core.memory.restore(memory);
    core.rows.forget();
  };
}

/** Numbers and writes events of the current epoch, with their chain. Within `write`. `chains`: chain at each, one after the other. */
export function appendRows(
  core: LogCore,
  events: readonly NewEvent[],
): { readonly firstSeq: number; readonly chains: Uint8Array } {
  const epoch = currentEpoch(core);
  const firstSeq = epoch.lastSeq + 1;
  const chains = new Uint8Array(events.length * core.lastChain.length);
  core.rows.insert(epoch.base + firstSeq, events);
  let hash = core.lastChain;
  let seq = firstSeq;
  for (const event of events) {
    hash = chainAfter(hash, epoch.epoch, seq, event);
    chains.set(hash, (seq - firstSeq) * hash.length);
    seq += 1;
  }
  const lastSeq = epoch.lastSeq + events.length;
  core.chains.save(epoch.base + lastSeq, hash);
  core.tells.note(events, epoch.base + firstSeq);
  flushMarks(core);
  core.memory.save(false);
  // Memory runs ahead of the commit here. If the commit fails, `write` puts it back, or nothing is asked of it again.
  epoch.lastSeq = lastSeq;
  core.lastPos = epoch.base + lastSeq;
  core.lastChain = hash;
  core.memory.note(events, core.lastPos);
  return { firstSeq, chains };
}

/** Writes the marks that central told. Within `write`. */
export function flushMarks(core: LogCore): void {
  if (!core.marksDirty) return;
  const save = core.db.prepare('UPDATE epoch SET stored = ? WHERE no = ? AND stored <> ?');
  for (const epoch of core.epochs) save.run(epoch.storedSeq, epoch.no, epoch.storedSeq);
  saveFact(core.db, 'incarnation', core.incarnation);
  core.marksDirty = false;
}

/** Opens a new epoch behind everything that is there. Within `write`. */
export function addEpoch(core: LogCore, epoch: string, created: number, reason: string): void {
  const { lastInsertRowid } = core.db
    .prepare('INSERT INTO epoch (id, agent, base, created, reason) VALUES (?, ?, ?, ?, ?)')
    .run(epoch, core.agent, core.lastPos, Math.round(created), reason);
  const no = Number(lastInsertRowid);
  const { agent, lastPos: base } = core;
  const added: EpochState = { no, epoch, agent, base, storedSeq: 0, firstSeq: 1, lastSeq: 0 };
  saveFact(core.db, copyKey(no), epochCopy(added));
  const before = core.epochs.at(-1);
  if (before !== undefined) {
    core.closed = chainHex(core.lastChain);
    saveFact(core.db, closingKey(before.no), core.closed);
  }
  core.epochs.push(added);
  core.lastChain = chainStart(agent, epoch);
  core.tells.note([], base);
}

export function currentEpoch(core: LogCore): EpochState {
  const epoch = core.epochs.at(-1);
  if (epoch === undefined) throw logError('SQLITE_CORRUPT', `log ${core.path} has no epoch`);
  return epoch;
}

/** Events of one epoch in [from, to], at most `limit` and about `maxBytes` of data, but one at least. */
export function readEvents(
  rows: Rows,
  epoch: EpochState,
  range: { readonly from: number; readonly to: number; readonly limit: number; readonly maxBytes: number },
): StoredEvent[] {
  const to = Math.min(range.to, epoch.lastSeq);
  const events: StoredEvent[] = [];
  let bytes = 0;
  if (range.limit <= 0) return events;
  for (const event of rows.iterate(epoch, epoch.base + Math.max(1, range.from), epoch.base + to)) {
    bytes += event.data.length;
    if (events.length > 0 && bytes > range.maxBytes) break;
    if (events.push(event) >= range.limit) break;
  }
  return events;
}

export function readFact(db: Db, key: string): string | null {
  return db.prepare<[string], string | null>('SELECT value FROM fact WHERE key = ?').pluck().get(key) ?? null;
}

export function saveFact(db: Db, key: string, value: string | null): void {
  db.prepare('INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)').run(key, value);
}
