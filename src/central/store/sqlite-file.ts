/**
 * The file of a store in SQLite: how it is opened, and proved to keep what a commit promises. WAL with synchronous=FULL: a commit that
 * returned survives a power cut. `psow=0`: so it does on a disk that destroys the sector that it was writing.
 */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { type Kysely, sql } from 'kysely';
import { makeOwnFile } from './own-file.ts';
import type { Tables } from './tables.ts';
import { transact } from './transact.ts';

/**
 * A waiting writer blocks the whole process, one after the other: each loop that writes so long, in turn. What is asked of us is answered
 * between two of them, and a keepalive bears some.
 */
const BUSY_TIMEOUT_MS = 2_000;
/** A reader that is not done keeps the write-ahead log from its checkpoint; after it, it is cut to this. */
const WAL_BYTES = 8 * 1024 * 1024;
export const MEMORY = ':memory:';

// SQLite reads this once, when the first database of the process is opened: without it `psow=0` cannot be said.
process.env.SQLITE_USE_URI ??= '1';

/** Throws with the code of better-sqlite3 (`SQLITE_CANTOPEN`, `SQLITE_READONLY` …), or NOT_DURABLE. */
export function openSqliteFile(path: string, durable: boolean): Database.Database {
  const folder = dirname(path);
  if (!existsSync(folder)) {
    throw Object.assign(new Error(`there is no folder ${folder}`), { code: 'SQLITE_CANTOPEN' });
  }
  if (path !== MEMORY) makeOwnFile(path);
  const database =
    path === MEMORY ? new Database(path, { timeout: BUSY_TIMEOUT_MS }) : openWithoutPowersafeOverwrite(path);
  try {
    database.pragma('journal_mode = WAL');
    database.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`);
    database.pragma('foreign_keys = ON');
    database.pragma(`journal_size_limit = ${WAL_BYTES}`);
    // Pages that a statement may have to take back: they are few.
    database.pragma('temp_store = MEMORY');
    if (durable) assertDurable(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Asked once the schema is there. Commits one page, and rejects with code NOT_DURABLE where that took one frame of the WAL: with
 * `psow=0` a commit is padded to the end of its sector, so that the next write cannot take it along. One in 512 commits ends there by
 * itself: then the next one does not. On a full disk nothing can be lost yet. Who writes beside it may hide what it looks for, and has
 * proved the same.
 */
export async function provePadding(db: Kysely<Tables>, path: string): Promise<void> {
  try {
    if ((await framesOfCommit(db)) >= 2 || (await framesOfCommit(db)) >= 2) return;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_FULL') return;
    throw error;
  }
  const text = 'commits share sectors of the disk (psow=0 has no effect): a power cut could take what was stored';
  throw notDurable(path, text);
}

/** Below 0 where the WAL was begun anew. */
async function framesOfCommit(db: Kysely<Tables>): Promise<number> {
  const before = await walFrames(db);
  await transact(db, async (trx) => {
    const row = await trx.selectFrom('meta').select('value').where('name', '=', 'starts').executeTakeFirst();
    // Another value: SQLite writes no page for one that changes nothing.
    const value = String((Number(row?.value) || 0) + 1).padStart(9, '0');
    const insert = trx.insertInto('meta').values({ name: 'starts', value });
    await insert.onConflict((own) => own.column('name').doUpdateSet({ value })).execute();
  });
  return (await walFrames(db)) - before;
}

/** Moves nothing: asks only. */
async function walFrames(db: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ readonly log: number }>`pragma wal_checkpoint(NOOP)`.execute(db);
  return rows[0]?.log ?? 0;
}

function openWithoutPowersafeOverwrite(path: string): Database.Database {
  try {
    return new Database(`${pathToFileURL(path).href}?psow=0`, { timeout: BUSY_TIMEOUT_MS });
  } catch (error) {
    // Is it the file, or are options in file names switched off? A disk that failed once says another code.
    if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_CANTOPEN')) throw error;
    new Database(path).close();
    const text =
      'it cannot be opened with psow=0: SQLITE_USE_URI=1 must be in the environment before the first database of this process ' +
      'is opened: without it a power cut could take what was stored';
    throw notDurable(path, text, error);
  }
}

function assertDurable(database: Database.Database, path: string): void {
  const mode = database.pragma('journal_mode', { simple: true });
  const synchronous = database.pragma('synchronous', { simple: true });
  if ((mode === 'wal' || path === MEMORY) && synchronous === 2) return;
  const text = `journal_mode ${String(mode)}, synchronous ${String(synchronous)} would lose what was stored in a power cut`;
  throw notDurable(path, `${text}: it must lie on a local disk (no network share)`);
}

function notDurable(path: string, text: string, cause?: unknown): Error {
  return Object.assign(new Error(`${path}: ${text}`, { cause }), { code: 'NOT_DURABLE' });
}
