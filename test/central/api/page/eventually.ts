import { expect } from 'vitest';

/** As `expect.poll`, but with the patience that a busy machine needs. */
export function eventually<T>(read: () => Promise<T> | T) {
  return expect.poll(read, { timeout: 30_000, interval: 100 });
}
