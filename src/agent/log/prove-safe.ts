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
 */
export function provePadding(db: Db, path: string): void {
  const starts = Number(db.prepare("SELECT value FROM fact WHERE key = 'starts'").pluck().get()) || 0;
  if (!(commitIsPadded(db, starts + 1) ?? commitIsPadded(db, starts + 1) ?? false)) {
    throw logError(
      'LOG_UNSAFE',
      `log ${path}: commits share sectors of the card (psow=0 has no effect): a power cut could take acknowledged events`,
    );
  }
}

/** null where it cannot be told: the commit took one frame. */
function commitIsPadded(db: Db, starts: number): true | null {
  const before = walFrames(db);
  try {
    db.prepare("INSERT OR REPLACE INTO fact (key, value) VALUES ('starts', ?)").run(String(starts).padStart(9, '0'));
  } catch (error) {
    // A full disk takes nothing, so there is nothing to lose in it yet. The start is not refused: making room needs the log.
    if (codeOf(error) === 'SQLITE_FULL') return true;
    throw error;
  }
  return walFrames(db) - before >= 2 ? true : null;
}

/** Moves nothing: asks only. */
function walFrames(db: Db): number {
  const [wal] = db.pragma('wal_checkpoint(NOOP)') as { readonly log: number }[];
  return wal?.log ?? 0;
}
