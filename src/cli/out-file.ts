/** Where a command writes what may be long: stdout, or a file that appears whole or not at all. */
import { once } from 'node:events';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CommandError, EXIT } from './exit.ts';

export interface Output {
  /** Resolves when there is room for more; at once when the signal aborts. Rejects with the code of the disk. */
  write(text: string): Promise<void>;
  /** Resolves when all is durable and has its name. */
  finish(): Promise<void>;
  /** Takes away what was not finished. */
  discard(): Promise<void>;
}

/** `path` - is stdout. `mode`: of a new file. Throws CommandError where the file cannot be made. */
export async function openOutput(path: string, signal: AbortSignal, mode = 0o666): Promise<Output> {
  if (path === '-') {
    const nothing = () => Promise.resolve();
    return { write: (text) => toStdout(text, signal), finish: nothing, discard: nothing };
  }
  const part = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
  const file = await create(part, path, mode);
  let finished = false;
  return {
    write: async (text) => {
      if (!signal.aborted) await file.appendFile(text);
    },
    async finish() {
      await file.sync();
      await file.close();
      await rename(part, path);
      finished = true;
      await syncFolder(dirname(path));
    },
    async discard() {
      if (finished) return;
      await file.close();
      await rm(part, { force: true });
    },
  };
}

/** Waits while the reader of a pipe is slow, so that what is long does not pile up in memory. */
export async function toStdout(text: string, signal: AbortSignal): Promise<void> {
  if (text === '' || process.stdout.write(text)) return;
  await once(process.stdout, 'drain', { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

/** For who was told to stop: ends the program, with the exit code that is set, where a reader would keep it for ever. */
export function leaveReader(): void {
  if (process.stdout.writableLength > 0) process.exit();
}

async function create(part: string, path: string, mode: number): Promise<FileHandle> {
  try {
    return await open(part, 'w', mode);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    throw new CommandError(
      EXIT.io,
      `cannot write ${path}: ${code}`,
      'name a file in a folder that this user may write',
      {
        cause: error,
      },
    );
  }
}

/** A new name is durable when its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
