/** Writes bytes to a pseudo-terminal as fast as its reader takes them, or at a pace. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Pty } from '../../src/simulator/pty.ts';

/** Longer than a tty's buffer is never taken at once. */
const CHUNK_BYTES = 4_096;
const FULL_MS = 1;

/** Resolves when the kernel has taken all of it. Rejects where nobody reads for `patienceMs`. */
export async function pour(pty: Pty, bytes: Uint8Array, patienceMs: number): Promise<void> {
  let takenAt = performance.now();
  for (let from = 0; from < bytes.length; ) {
    const chunk = bytes.subarray(from, from + CHUNK_BYTES);
    const left = await pty.write(chunk);
    from += chunk.length - left;
    if (left < chunk.length) takenAt = performance.now();
    else if (performance.now() - takenAt > patienceMs) throw new Error(`nobody has read the port for ${patienceMs} ms`);
    if (left > 0) await pause(FULL_MS);
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
