/** What a command reads must be there already. */
import { statSync } from 'node:fs';
import { CommandError, EXIT } from './exit.ts';
import { storeFileFailure } from './store-failure.ts';

/** Opens what is there, or throws CommandError: a command that reads makes no store. */
export async function openExisting<T>(url: string, open: () => Promise<T>): Promise<T> {
  const path = url.replace(/^sqlite:/, '');
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? null;
  if (path !== url && (bytes === null || bytes === 0)) {
    const text = `there is no store at ${path}${bytes === 0 ? ': the file is empty' : ''}`;
    throw new CommandError(EXIT.unavailable, text, 'collard central makes it at its first start');
  }
  try {
    return await open();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    // The URL of a server may hold a password; the error names the server.
    if (path === url) throw new CommandError(EXIT.unavailable, text, 'collard doctor tells more', { cause: error });
    const ofFile = storeFileFailure(error, path);
    if (ofFile !== null) throw ofFile;
    const fix = 'this user must be able to read and write the file and its folder';
    throw new CommandError(EXIT.io, `the store ${path} cannot be opened: ${text}`, fix, { cause: error });
  }
}
