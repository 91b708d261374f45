/** Files that hold all events and the password's hash: for their owner only, whatever umask the process has. */
import { closeSync, openSync } from 'node:fs';

export const OWN_FILE = 0o600;
export const OWN_FOLDER = 0o700;

/**
 * Makes an empty file that only its owner reads, where none is: SQLite opens it as a new database, and gives -wal and -shm the mode of
 * it. Never opens a file that is there: closing it again would drop the locks that this process holds on it. Throws
 * with SQLite's code for a file that cannot be made.
 */
export function makeOwnFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', OWN_FILE));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    throw Object.assign(new Error(`${path} cannot be made (${code})`, { cause: error }), { code: 'SQLITE_CANTOPEN' });
  }
}
