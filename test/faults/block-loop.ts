/**
 * Loaded into a program before its own code: at SIGUSR2 its event loop stands still, as in a call that does not come back. How
 * long it stood is said on stderr, so that the fault is proved.
 */
import { isMainThread } from 'node:worker_threads';

const BLOCK_MS = 10_000;

if (isMainThread) {
  process.on('SIGUSR2', () => {
    const began = performance.now();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK_MS);
    process.stderr.write(`event loop stood for ${Math.round(performance.now() - began)} ms\n`);
  });
}
