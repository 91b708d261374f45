/** What a command reads must be there already. */
import { existsSync } from 'node:fs';
import { CommandError, EXIT } from './exit.ts';

/** Opens what is there, or throws CommandError: a command that reads makes no store. */
export async function openExisting<T>(url: string, open: () => Promise<T>): Promise<T> {
  const path = url.replace(/^sqlite:/, '');
  if (path !== url && !existsSync(path)) {
    throw new CommandError(
      EXIT.unavailable,
      `there is no store at ${path}`,
      'collard central makes it at its first start',
    );
  }
  try {
    return await open();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    // The URL of a server may hold a password; the error names the server.
    if (path === url) throw new CommandError(EXIT.unavailable, text, 'collard doctor tells more', { cause: error });
    const fix = 'this user must be able to read and write the file and its folder';
    throw new CommandError(EXIT.io, `the store ${path} cannot be opened: ${text}`, fix, { cause: error });
  }
}
