/** A capture file as a source: read once from its start, then ended. Its times are in it. */
import { type FileHandle, open } from 'node:fs/promises';
import { type BackoffLimits, backoffMs, delay } from '../../lib/wait.ts';
import type { Source } from './source.ts';

export interface FileConfig {
  readonly file: string;
}

export interface FilePorts {
  readonly monoNow: () => number;
  readonly random: () => number;
  readonly retry?: BackoffLimits;
}

/** Small, so that replaying in real time is smooth. */
const CHUNK_BYTES = 4 * 1024;
const RETRY: BackoffLimits = { firstMs: 1_000, maxMs: 30_000 };

export function openFileSource(config: FileConfig, ports: FilePorts): Source {
  const path = config.file;
  return {
    name: path,
    recorded: true,
    overrunBytes: 0,
    async *inputs(signal) {
      for (let attempt = 0; !signal.aborted; attempt += 1) {
        const opened = await open(path, 'r').catch((error: unknown) => reasonOf(path, error));
        if (typeof opened !== 'string') {
          yield { type: 'opened' };
          const reason = yield* readAll(opened, path, ports, signal);
          if (reason === null) {
            if (!signal.aborted) yield { type: 'ended' };
            return;
          }
          // A recording has no second start: what was read stays, the rest is lost with its reason.
          yield { type: 'failed', reason };
          return;
        }
        if (attempt === 0) yield { type: 'failed', reason: opened };
        await delay(backoffMs(attempt, ports.retry ?? RETRY, ports.random()), signal);
      }
    },
  };
}

/** Returns why it could not be read to its end, or null. */
async function* readAll(
  file: FileHandle,
  path: string,
  ports: FilePorts,
  signal: AbortSignal,
): AsyncGenerator<{ type: 'bytes'; bytes: Uint8Array; atMs: number }, string | null> {
  try {
    while (!signal.aborted) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES);
      if (bytesRead === 0) return null;
      yield { type: 'bytes', bytes: buffer.subarray(0, bytesRead), atMs: ports.monoNow() };
    }
    return null;
  } catch (error) {
    return reasonOf(path, error);
  } finally {
    await file.close();
  }
}

function reasonOf(path: string, error: unknown): string {
  return `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`;
}
