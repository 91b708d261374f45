import { expect, it } from 'vitest';
import { createCadence } from '../../../src/agent/source/cadence.ts';

/** Bytes from `fromMs` to `toMs`, both included, each `everyMs`. */
function speak(cadence: ReturnType<typeof createCadence>, fromMs: number, toMs: number, everyMs: number): void {
  for (let at = fromMs; at <= toMs; at += everyMs) cadence.heard(at);
}

it('gives a port of which nothing is known the time that is configured', () => {
  const cadence = createCadence(30_000);
  expect(cadence.silentAfterMs).toBe(30_000);
  cadence.heard(5);
  expect(cadence.silentAfterMs).toBe(30_000);
});

it('gives ten seconds to one that has not paused for ten minutes', () => {
  const cadence = createCadence(30_000);
  speak(cadence, 1_000, 600_500, 500);
  expect(cadence.silentAfterMs).toBe(30_000);
  cadence.heard(601_000);
  expect(cadence.silentAfterMs).toBe(10_000);
});

it('begins anew with each pause: collars that sleep are no fault', () => {
  const cadence = createCadence(30_000);
  speak(cadence, 0, 600_000, 100);
  cadence.heard(600_501);
  expect(cadence.silentAfterMs).toBe(30_000);
  speak(cadence, 600_501, 1_200_501, 100);
  expect(cadence.silentAfterMs).toBe(10_000);
});

it('never waits longer than is configured', () => {
  const cadence = createCadence(4_000);
  speak(cadence, 0, 600_000, 100);
  expect(cadence.silentAfterMs).toBe(4_000);
});
