/** What a person is told where the file of central's store fails: what it is, and how to mend it. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { whyReadOnly } from '../agent/log/mount.ts';
import { parseStoreUrl } from '../central/store/store-url.ts';
import { CommandError, EXIT } from './exit.ts';

export interface StoreFailure {
  readonly exitCode: number;
  readonly message: string;
  readonly fix: string;
}

/** Null where no error of SQLite lies behind `error`. */
export function storeFileFailure(error: unknown, path: string): CommandError | null {
  const failure = explainStoreFile(error, path);
  return failure === null ? null : new CommandError(failure.exitCode, failure.message, failure.fix, { cause: error });
}

export function explainStoreFile(error: unknown, path: string, mountinfo?: string): StoreFailure | null {
  const found = sqliteError(error);
  if (found === null) return null;
  const { code, message } = found;
  const io = (text: string, fix: string) => ({ exitCode: EXIT.io, message: `the store ${path} ${text}`, fix });
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    const fix =
      `stop central and put ${path} aside with its -wal and -shm, delete none of them; put a backup in its place and say ` +
      '"collard central restored", or start with a new store: agents send again what they still hold (log.keepDays)';
    return io(`is damaged: ${message}`, fix);
  }
  if (code.startsWith('SQLITE_BUSY')) {
    const fix = `end it: fuser ${path} tells which`;
    return { exitCode: EXIT.retry, message: `another program holds the store ${path}: ${message}`, fix };
  }
  if (code === 'SQLITE_FULL') return io(`has no room: ${message}`, 'free space on its disk');
  const readOnly = whyReadOnly(dirname(path), mountinfo);
  if (readOnly !== null) return io(`cannot be written to: ${readOnly.what}`, readOnly.fix);
  if (code.startsWith('SQLITE_CANTOPEN'))
    return io('cannot be opened', 'its folder must exist, and this user must own it');
  if (code.startsWith('SQLITE_READONLY'))
    return io(`cannot be written to: ${message}`, 'this user must own the file and its folder');
  return io(`fails: ${message}`, 'look at its disk (dmesg) and the rights of the file');
}

/** The nearest one among the causes of `error`. */
function sqliteError(error: unknown): { readonly code: string; readonly message: string } | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (!('code' in cause) || !String(cause.code).startsWith('SQLITE_')) continue;
    return { code: String(cause.code), message: cause.message };
  }
  return null;
}

/** A store that was cut to nothing is opened as a new one: nobody else would say that what it held is gone. */
export function tellEmpty(url: string, logger: { warn(fields: object, message: string): void }): void {
  const address = parseStoreUrl(url);
  if (typeof address === 'string' || address.kind !== 'sqlite') return;
  const { path } = address;
  if (statSync(path, { throwIfNoEntry: false })?.size !== 0) return;
  const fix = 'if it held one, stop central, put a backup in its place and say "collard central restored"';
  logger.warn({ store: path }, `the file ${path} is empty: a new store begins in it; ${fix}`);
}
