/** Writes bytes to a pseudo-terminal as fast as its reader takes them, or at a pace. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Pty } from '../../src/simulator/pty.ts';

/** So much is handed to the kernel at a time: the writer sleeps there until there is room, and costs the reader nothing. */
const CHUNK_BYTES = 65_536;

/** Resolves when the kernel has taken all of it. Rejects where nobody reads for `patienceMs`. `pty` is a patient one. */
export async function pour(pty: Pty, bytes: Uint8Array, patienceMs: number): Promise<void> {
  for (let from = 0; from < bytes.length; from += CHUNK_BYTES) {
    const enough = new AbortController();
    const tired = pause(patienceMs, true, { signal: enough.signal, ref: false }).catch(() => false);
    const left = await Promise.race([pty.write(bytes.subarray(from, from + CHUNK_BYTES)), tired]);
    enough.abort();
    if (left === true) throw new Error(`nobody has read the port for ${patienceMs} ms`);
    if (left !== 0) throw new Error(`${left} bytes are lost: the terminal is not patient`);
  }
}

/** Writes one piece after the other, `perSecond` of them; `onWrite` hears when each is written, in ms since 1970. */
export async function pace(
  pty: Pty,
  pieces: readonly Uint8Array[],
  perSecond: number,
  onWrite: (index: number, atMs: number) => void,
): Promise<void> {
  const began = performance.now();
  for (const [index, piece] of pieces.entries()) {
    const due = began + (index * 1_000) / perSecond - performance.now();
    if (due > 0) await pause(due);
    onWrite(index, performance.timeOrigin + performance.now());
    await pour(pty, piece, 10_000);
  }
}
