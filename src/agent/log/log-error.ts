/** The errors of the log. `code` is ours (LOG_…), SQLite's (SQLITE_…) or the system's (EACCES, …). */
import { dirname } from 'node:path';
import { READ_ONLY_DISK, whyReadOnly } from './mount.ts';

export type LogErrorCode =
  /** Another process holds this log. */
  | 'LOG_IN_USE'
  /** The log was written by an agent of another name. */
  | 'LOG_OTHER_AGENT'
  /** The file is a sound database of another program. */
  | 'LOG_FOREIGN'
  /** The file was written by a newer collard. */
  | 'LOG_NEWER'
  /** SQLite would not promise what the log promises (synchronous=FULL, WAL). */
  | 'LOG_UNSAFE'
  /** An earlier write failed: nothing more is appended until the process is started again. */
  | 'LOG_FAILED'
  /** The thread of the log has ended: what it was doing may have happened or not. */
  | 'LOG_THREAD'
  /** An event that central would refuse; nothing was appended. */
  | 'BAD_EVENT'
  /** There is no log to read. */
  | 'LOG_MISSING';

export interface LogError extends Error {
  readonly code: string;
}

/** `message` says what is wrong and what to do about it. */
export function logError(code: LogErrorCode | string, message: string, cause?: unknown): LogError {
  return Object.assign(new Error(message, { cause }), { code });
}

/** The `code` of an error of SQLite or the system, or ''. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True where it worked. What the disk refuses is not told; a fault of ours is thrown. For what the log can do without. */
export function tryDisk(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (codeOf(error) === '') throw error;
    return false;
  }
}

/** Is the file itself broken, whatever the disk does? */
export function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error));
}

/** Did the disk fail a read? */
export function isUnreadable(error: unknown): boolean {
  return /^SQLITE_IOERR_(CORRUPTFS|READ)$/.test(codeOf(error));
}

/** Full or locked: SQLite has rolled the transaction back before it was flushed, and nothing is in doubt. Not so after SQLITE_IOERR. */
export function isPassing(error: unknown): boolean {
  return /^SQLITE_(FULL$|BUSY)/.test(codeOf(error));
}

/** The same error with a message that names the file and what to do; `code` is kept. One of ours says so already. */
export function explainDisk(path: string, error: unknown, mountinfo?: string): LogError {
  const code = codeOf(error);
  if (code.startsWith('LOG_')) return error as LogError;
  return logError(
    code === '' ? 'LOG_FAILED' : code,
    `log ${path}: ${messageOf(error)}: ${fixOf(path, error, mountinfo)}`,
    error,
  );
}

function fixOf(path: string, error: unknown, mountinfo?: string): string {
  const code = codeOf(error);
  if (/FULL|ENOSPC/.test(code)) return 'free space on that disk, or lower log.budgetBytes';
  if (/BUSY/.test(code)) return 'end the program that holds it, such as a backup or an SQL shell';
  if (isDamage(error)) return 'start again: the damaged file is moved aside';
  const readOnly = /^(SQLITE_|EROFS$)/.test(code) ? whyReadOnly(dirname(path), mountinfo) : null;
  const { what, fix } = readOnly ?? (code === 'EROFS' ? READ_ONLY_DISK : {});
  if (what !== undefined) return `${what}: ${fix}`;
  return /READONLY|EACCES|EPERM|CANTOPEN|ENOTDIR|ENOENT|EEXIST/.test(code)
    ? 'make its folder writable for the user of this program, or set log.path to one that is'
    : 'look at the disk (dmesg), then start again';
}
