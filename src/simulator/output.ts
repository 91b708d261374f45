/** Where a simulation writes to: a file, a port (pty), or stdout. */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { delay } from '../lib/wait.ts';

export interface Output {
  /** A character device: a reader at the other end lives in real time. */
  readonly isPort: boolean;
  /** Resolves when all bytes are taken; false when nobody reads any more, or the signal aborted first. */
  write(bytes: Uint8Array): Promise<boolean>;
  close(): Promise<void>;
}

/** How soon a full port is tried again. */
const RETRY_MS = 5;

/** Creates or empties the file; a port is opened as it is, its settings are the reader's. Rejects with the system's code. */
export async function openOutput(path: string, signal: AbortSignal): Promise<Output> {
  const there = await statOf(path);
  const isPort = there?.isCharacterDevice() ?? false;
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOCTTY, O_NONBLOCK } = constants;
  // A blocked write cannot be stopped, and Node waits for it even at exit: a port is written without blocking.
  const handle = await open(path, isPort ? O_WRONLY | O_NOCTTY | O_NONBLOCK : O_WRONLY | O_CREAT | O_TRUNC, 0o644);
  return { isPort, write: (bytes) => writeAll(handle, bytes, isPort, signal), close: () => handle.close() };
}

async function statOf(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch {
    // What is not there is created; what may not be looked at, `open` reports.
    return null;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, isPort: boolean, signal: AbortSignal): Promise<boolean> {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += (await handle.write(bytes, at)).bytesWritten;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      // A pty whose other end has gone answers EIO.
      if (code === 'EPIPE' || (isPort && code === 'EIO')) return false;
      if (code !== 'EAGAIN') throw error;
      await delay(RETRY_MS, signal);
      if (signal.aborted) return false;
    }
  }
  return true;
}

/** Writes to a stream that somebody else closes, such as stdout. */
export function streamOutput(stream: Writable, signal: AbortSignal): Output {
  let broken: NodeJS.ErrnoException | null = null;
  /** Ends the wait of the write that is under way. */
  let release: () => void = () => undefined;
  signal.addEventListener('abort', () => release(), { once: true });
  stream.once('error', (error) => {
    broken = error;
    release();
  });
  return {
    isPort: false,
    async write(bytes) {
      if (broken === null && !signal.aborted) {
        await new Promise<void>((resolve) => {
          release = resolve;
          stream.write(bytes, () => resolve());
        });
      }
      if (broken !== null && broken.code !== 'EPIPE') throw broken;
      return broken === null && !signal.aborted;
    },
    close: async () => undefined,
  };
}
