import { expect, test } from 'vitest';
import type { Detection } from '../../../src/agent/detector/detection.ts';
import { silenceReading, silenceTick } from '../../../src/agent/detector/silence.ts';

const collar = 'C0FFEE01';
const settings = { afterMs: 10_000 };

test('a collar that is not heard is silent once, and heard once when it comes back', () => {
  const state = { collar, lastSeenMs: null, silent: false };
  const out: Detection[] = [];
  silenceTick(state, 99_000, settings, out);
  silenceReading(state, 100_000, out);
  silenceTick(state, 109_999, settings, out);
  expect(out).toEqual([]);
  silenceTick(state, 110_700, settings, out);
  silenceTick(state, 200_000, settings, out);
  silenceReading(state, 300_000, out);
  silenceReading(state, 300_020, out);
  expect(out).toEqual([
    { type: 'collar.silent', collar, atMs: 110_000, lastSeenMs: 100_000 },
    { type: 'collar.heard', collar, atMs: 300_000, lastSeenMs: 100_000 },
  ]);
});
