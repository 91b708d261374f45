import { describe, expect, test } from 'vitest';
import { createForwardStatus } from '../../../src/agent/publisher/status.ts';

const NOW = Date.parse('2026-11-23T06:00:00.000Z');
const head = (firstSeq: number, lastSeq: number, storedSeq: number) => ({ epoch: 'e', firstSeq, lastSeq, storedSeq });

function hand(...heads: ReturnType<typeof head>[]) {
  const clock = { monoMs: 0 };
  const ports = { log: { epochs: () => heads }, stalledAfterMs: 60_000, monoNow: () => clock.monoMs, now: () => NOW };
  return { clock, heads, status: createForwardStatus(ports) };
}

describe('how forwarding goes', () => {
  test('begins without a link and without anything sent', () => {
    expect(hand().status).toMatchObject({
      link: 'connecting',
      protocol: '5',
      session: 0,
      lastError: null,
      lastConfirmed: null,
      conflicting: false,
      oversize: 0,
      acknowledged: 0,
      confirmations: 0,
      refusals: 0,
      links: 0,
      queue: 0,
      storedSeq: 0,
      stalled: false,
    });
  });

  test('counts what waits over all epochs, without what is trimmed', () => {
    expect(hand(head(4, 9, 6), head(3, 5, 0), head(1, 0, 0)).status.queue).toBe(3 + 3);
  });

  test('shows the mark of the epoch that is being written', () => {
    expect(hand(head(1, 9, 9), head(1, 5, 2)).status.storedSeq).toBe(2);
  });

  test('is stalled when something has waited so long, and no more when it is confirmed', () => {
    const { clock, heads, status } = hand(head(1, 5, 5));
    clock.monoMs = 100_000;
    expect(status.stalled).toBe(false);
    heads[0] = head(1, 6, 5);
    expect(status.stalled).toBe(false);
    clock.monoMs += 59_999;
    expect(status.stalled).toBe(false);
    clock.monoMs += 1;
    expect(status.stalled).toBe(true);
    status.confirmed();
    expect([status.stalled, status.lastConfirmed]).toEqual([false, '2026-11-23T06:00:00.000Z']);
    clock.monoMs += 60_000;
    expect(status.stalled).toBe(true);
    heads[0] = head(1, 6, 6);
    expect(status.stalled).toBe(false);
  });

  test('counts the time of a wait from when it was seen to begin', () => {
    const { clock, heads, status } = hand(head(1, 5, 5));
    clock.monoMs = 100_000;
    heads[0] = head(1, 6, 5);
    status.look();
    clock.monoMs = 160_000;
    expect(status.stalled).toBe(true);
  });
});
