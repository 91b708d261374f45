/**
 * The SQLite file of the log: how it is made, opened, proved safe and locked. Knows nothing of events.
 * WAL with synchronous=FULL: a commit that returned survives a power cut. `psow=0`: so it does on a card that destroys the
 * sector that it was writing.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { codeOf, explainDisk, isDamage, logError, tryDisk } from './log-error.ts';
import { assertDurable } from './prove-safe.ts';

export type Db = Database.Database;

/** "coll" in the header of the file. */
const APPLICATION_ID = 0x636f_6c6c;
export const SCHEMA_VERSION = 1;
const WAL_PAGES = 1_000;
/** After a checkpoint the write-ahead log is cut to this; before it, it holds about half. */
export const WAL_BYTES = 8 * 1024 * 1024;
/** So long a reader or checkpoint of another process may hold us up. */
const BUSY_MS = 5_000;
/** The writer has a thread of its own, in which nothing else waits: longer than anybody's look into the log. */
const WRITER_BUSY_MS = 60_000;
/** So long a predecessor that is just ending may keep the lock. */
const LOCK_WAIT_MS = 500;

// SQLite reads this once, when the first database of the process is opened: without it `psow=0` cannot be said.
process.env.SQLITE_USE_URI ??= '1';

/**
 * pos rises over all epochs; seq = pos - epoch.base. `word` is the dictionary of types and boot ids. `chain` holds one row
 * for each commit group and one where trimming cut. `fact`: session, incarnation, …
 */
const SCHEMA = `
  CREATE TABLE epoch (
    no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, base INTEGER NOT NULL,
    stored INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, reason TEXT NOT NULL
  ) STRICT;
  CREATE TABLE word (no INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE event (
    pos INTEGER PRIMARY KEY, type INTEGER NOT NULL, version INTEGER NOT NULL, subject TEXT, time INTEGER NOT NULL,
    synced INTEGER NOT NULL, boot INTEGER, mono REAL, data TEXT NOT NULL
  ) STRICT;
  CREATE TABLE chain (pos INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;
  CREATE TABLE remembered (
    collar TEXT PRIMARY KEY, place TEXT, open_meow INTEGER NOT NULL, silent INTEGER NOT NULL,
    battery_low INTEGER NOT NULL, last_event INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE fact (key TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID;
`;

/** Makes the folder and, where none is, an empty file that only its owner reads. Throws with the fix in the message. */
export function prepareFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    create(path);
    accessSync(dirname(path), constants.W_OK);
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw explainDisk(path, error);
  }
}

/** Never opens a file that is there: closing it again would drop the locks that this process holds on it. */
function create(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'wx', 0o600));
}

/** Holds the log for this process: the lock goes when the process does, however it ends. Throws LOG_IN_USE. */
export function lockLog(path: string): { close(): void } {
  const lockPath = `${path}.lock`;
  try {
    create(lockPath);
    const lock = new Database(lockPath, { timeout: LOCK_WAIT_MS });
    try {
      lock.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      lock.close();
      throw error;
    }
    return { close: () => lock.close() };
  } catch (error) {
    if (codeOf(error).startsWith('SQLITE_BUSY')) {
      throw logError(
        'LOG_IN_USE',
        `log ${path} is in use by another agent: stop that one, or give this one its own log.path`,
        error,
      );
    }
    if (!isDamage(error)) throw explainDisk(path, error);
    // A damaged lock file holds nothing worth keeping.
    rmSync(lockPath, { force: true });
    return lockLog(path);
  }
}

/** Opens for writing. Throws LOG_UNSAFE, or with code SQLITE_CORRUPT or SQLITE_NOTADB where the file is damaged. */
export function openLogFile(path: string): Db {
  const db = openWithoutPowersafeOverwrite(path);
  try {
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma(`wal_autocheckpoint = ${WAL_PAGES}`);
    db.pragma(`journal_size_limit = ${WAL_BYTES}`);
    createOrCheck(db, path);
    assertDurable(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Opens for reading beside the agent that writes. Throws LOG_MISSING, LOG_FOREIGN, LOG_NEWER. */
export function openLogFileReadOnly(path: string): Db {
  if (!existsSync(path))
    throw logError('LOG_MISSING', `there is no log at ${path}: has the agent ever run with this log.path?`);
  try {
    const db = new Database(path, { readonly: true, timeout: BUSY_MS });
    try {
      checkIdentity(db, path);
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  } catch (error) {
    throw explainDisk(path, error);
  }
}

/** The next start reads the whole file before it trusts it. Where the disk takes no note it finds the damage by itself or runs into it again. */
export function trySuspect(path: string): void {
  tryDisk(() => writeFileSync(`${path}.suspect`, '', { mode: 0o600 }));
}

/** Runs `work` that only reads. Damage that it meets is noted. */
export function reading<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw noted(path, error);
  }
}

/** The same error; damage is explained, and noted for the next start: else each would run into it again. */
export function noted(path: string, error: unknown): unknown {
  if (!isDamage(error)) return error;
  trySuspect(path);
  return explainDisk(path, error);
}

export function isSuspect(path: string): boolean {
  return existsSync(`${path}.suspect`);
}

export function clearSuspicion(path: string): void {
  rmSync(`${path}.suspect`, { force: true });
}

/** The quick one does not compare an index with its table: only these small tables have one. */
const CHECKS = ['quick_check(1)', "integrity_check('word')", "integrity_check('epoch')"] as const;

/** Throws SQLITE_CORRUPT where the file does not hold together. */
export function checkFile(db: Db, path: string): void {
  for (const check of CHECKS) {
    const verdict = db.pragma(check, { simple: true });
    if (verdict !== 'ok') throw logError('SQLITE_CORRUPT', `log ${path}: ${String(verdict)}`);
  }
}

/** Size of the file and its companions. */
export function fileBytes(path: string): number {
  let bytes = 0;
  for (const suffix of ['', '-wal', '-shm']) bytes += sizeOf(path + suffix);
  return bytes;
}

/** 0 where there is no such file. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function openWithoutPowersafeOverwrite(path: string): Db {
  try {
    return new Database(`${pathToFileURL(path).href}?psow=0`, { timeout: WRITER_BUSY_MS });
  } catch (error) {
    // Is it the file, or are options in file names switched off? A disk that failed once says another code.
    if (codeOf(error) !== 'SQLITE_CANTOPEN') throw error;
    new Database(path, { readonly: true, fileMustExist: true }).close();
    throw logError(
      'LOG_UNSAFE',
      `log ${path} cannot be opened with psow=0: SQLITE_USE_URI=1 must be in the environment before the first database of ` +
        'this process is opened: without it a power cut could take acknowledged events',
      error,
    );
  }
}

function createOrCheck(db: Db, path: string): void {
  const empty = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0;
  if (!empty) {
    checkIdentity(db, path);
    return;
  }
  const create = db.transaction(() => {
    db.exec(SCHEMA);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
  });
  create.immediate();
}

function checkIdentity(db: Db, path: string): void {
  const ours = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name IN ('epoch', 'event', 'chain')").pluck().get();
  if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) {
    // Our tables under another name in the header: bytes have changed.
    if (ours === 3) throw logError('SQLITE_CORRUPT', `log ${path}: the header of the file is damaged`);
    throw logError('LOG_FOREIGN', `${path} is the database of another program: set log.path to a file of its own`);
  }
  const version = db.pragma('user_version', { simple: true });
  if (typeof version === 'number' && version > SCHEMA_VERSION)
    throw logError(
      'LOG_NEWER',
      `log ${path} was written by a newer collard: install that version, or set log.path anew`,
    );
  if (ours !== 3 || version !== SCHEMA_VERSION)
    throw logError('SQLITE_CORRUPT', `log ${path}: tables are missing, the file is damaged`);
}
