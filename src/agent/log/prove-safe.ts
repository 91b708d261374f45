/** Proves of an open file that SQLite keeps what the log promises, instead of hoping that a setting was taken. */
import type Database from 'better-sqlite3';
import { codeOf, logError } from './log-error.ts';

type Db = Database.Database;

/** Throws LOG_UNSAFE where a commit that returned might not survive a power cut. */
export function assertDurable(db: Db, path: string): void {
  const mode = db.pragma('journal_mode', { simple: true });
  const synchronous = db.pragma('synchronous', { simple: true });
  if (mode === 'wal' && synchronous === 2) return;
  throw logError(
    'LOG_UNSAFE',
    `log ${path}: journal_mode ${String(mode)}, synchronous ${String(synchronous)} would lose events in a power cut: ` +
      'set log.path to a local disk (no network share)',
  );
}

/**
 * Commits one page, and throws LOG_UNSAFE where that took one frame of the WAL: with `psow=0` a commit is padded to the end of
 * its sector, so that the next write cannot take it along. One in 512 commits ends there by itself: then the next one does not.
 * Returns false where the disk is full: it takes nothing, so nothing can be lost in it yet, and making room needs the log.
 */
export function provePadding(db: Db, path: string): boolean {
  const starts = Number(db.prepare("SELECT value FROM fact WHERE key = 'starts'").pluck().get()) || 0;
  try {
    // Another value: SQLite writes no page for one that changes nothing.
    if (framesOfCommit(db, starts + 1) >= 2 || framesOfCommit(db, starts + 2) >= 2) return true;
  } catch (error) {
    if (codeOf(error) === 'SQLITE_FULL') return false;
    throw error;
  }
  throw logError(
    'LOG_UNSAFE',
    `log ${path}: commits share sectors of the card (psow=0 has no effect): a power cut could take acknowledged events`,
  );
}

/** Below 0 where the WAL was begun anew. */
function framesOfCommit(db: Db, starts: number): number {
  const before = walFrames(db);
  db.prepare("INSERT OR REPLACE INTO fact (key, value) VALUES ('starts', ?)").run(String(starts).padStart(9, '0'));
  return walFrames(db) - before;
}

/** Moves nothing: asks only. */
function walFrames(db: Db): number {
  const [{ log }] = db.pragma('wal_checkpoint(NOOP)') as [{ readonly log: number }];
  return log;
}
