import { expect, test } from 'vitest';
import { createLossGate, TELL_EVERY_MS } from '../../../src/agent/publisher/loss-gate.ts';

test('the first of each epoch passes at once, further ones each after a while', () => {
  let now = 0;
  const gate = createLossGate(() => now);
  expect([gate.pass('a'), gate.pass('b'), gate.pass('a')]).toEqual([true, true, false]);
  now = TELL_EVERY_MS - 1;
  expect([gate.pass('a'), gate.pass('c')]).toEqual([false, true]);
  now = TELL_EVERY_MS;
  expect([gate.pass('a'), gate.pass('a'), gate.pass('b'), gate.pass('c')]).toEqual([true, false, true, false]);
});
