import { describe, expect, it } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { createRates, healthOf, toldSince } from '../../src/agent/health.ts';
import { createForwardStatus } from '../../src/agent/publisher/status.ts';
import { createHeard } from '../../src/agent/source/heard.ts';
import type { SourceHealth } from '../../src/contract/message.ts';

const source = (name: string, readings: number): SourceHealth => ({
  source: name,
  state: 'open',
  reason: null,
  readings,
  discarded: {},
  lostSamples: 0,
  lastReading: null,
});

describe('readings a second', () => {
  it('are those since the health message before, of each source', () => {
    let atMs = 5_000;
    const rates = createRates(() => atMs);
    expect(rates.of([source('a', 10), source('b', 0)]).map((one) => one.perSecond)).toEqual([undefined, undefined]);
    atMs += 60_000;
    expect(rates.of([source('a', 3_010), source('b', 0)]).map((one) => one.perSecond)).toEqual([50, 0]);
    atMs += 60_000;
    expect(rates.of([source('a', 3_010), source('b', 7)]).map((one) => one.perSecond)).toEqual([0, 0.1]);
  });

  it('asked twice within a second they are what they were, and the time counts on', () => {
    let atMs = 0;
    const rates = createRates(() => atMs);
    rates.of([source('a', 0)]);
    atMs = 10_000;
    expect(rates.of([source('a', 100)])[0]?.perSecond).toBe(10);
    atMs = 10_400;
    expect(rates.of([source('a', 500)])[0]?.perSecond).toBe(10);
    atMs = 20_000;
    expect(rates.of([source('a', 500)])[0]?.perSecond).toBe(40);
  });
});

it('says that another program holds the log only while it does', async () => {
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ serial: '/dev/x' }],
    log: { path: 'x.db' },
    mqtt: { url: 'mqtt://h' },
  });
  const log = { epochs: () => [], bytes: () => 9e6, written: () => null };
  const clock = { monoNow: () => 0, wallNow: () => 0, quality: () => 'synced' };
  const of = (walHeld: boolean) =>
    healthOf({
      config,
      ...{ version: '1', log, clock, sources: [], heard: createHeard(), kept: null },
      status: createForwardStatus({
        log,
        stalledAfterMs: 1,
        monoNow: () => 0,
        now: () => 0,
        wentRound: () => undefined,
      }),
      disk: { state: 'ok', walBytes: 8e6, walHeld },
      ...toldSince(() => 0, {}),
    } as unknown as Parameters<typeof healthOf>[0]);
  expect(await of(true)).toMatchObject({ walBytes: 8e6, walHeld: true });
  expect(await of(false)).not.toHaveProperty('walHeld');
});
