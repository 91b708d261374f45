import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { openStore } from '../../src/central/open-store.ts';
import { MAX_STATS_EVENTS, statsOf } from '../../src/central/stats.ts';
import type { Store } from '../../src/central/store/store.ts';
import { at, createWriter, epochId, NOW } from './store/events.ts';

const HOUR = 3_600;
const now = new Date(NOW);
let folder: string;
let store: Store;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'collard-stats-'));
  store = await openStore({ url: `sqlite:${join(folder, 'central.db')}` });
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

async function fill() {
  const porch = createWriter('porch', epochId(1));
  for (const [catId, newName, collar] of [
    [1, 'Mia', 'A'],
    [2, 'Tom', 'B'],
  ] as const) {
    porch.add('cat.named', `cat/${catId}`, { catId, oldName: null, newName }, -100 * HOUR);
    porch.add('collar.assigned', `cat/${catId}`, { catId, collar }, -100 * HOUR);
  }
  const meow = (collar: string, hours: number, durationMs: number) =>
    porch.add('meow.ended', `collar/${collar}`, { durationMs, peakG: 1, readings: 1, place: null }, hours * HOUR);
  // Noon is one o'clock in Berlin: these are two days there.
  meow('A', -14, 100);
  meow('A', -12, 200);
  meow('B', -12, 1_000);
  const revoked = meow('A', -2, 9_999);
  meow('A', -2, 301);
  porch.add('cat.moved', 'collar/A', { from: null, to: 'roof' }, -1 * HOUR);
  await store.ingest(porch.batch(1, porch.events.length), NOW);
  while ((await store.project(1_000)).events > 0);
  await openCatService(store, () => now).revoke(revoked.epoch, revoked.seq, 'a bird');
}

describe('stats', () => {
  it('count events and meows of each cat by the days of a time zone', async () => {
    await fill();
    const { rows, ...about } = await statsOf(store, { by: 'day', tz: 'Europe/Berlin', from: at(-48 * HOUR) }, now);
    expect(about).toEqual({ by: 'day', tz: 'Europe/Berlin', from: at(-48 * HOUR), to: NOW });
    const day = (n: number) => `2026-11-${n}T00:00:00+01:00`;
    expect(rows).toEqual([
      {
        ...{ from: day(22), to: day(23), catId: 1, name: 'Mia' },
        ...{ events: 1, types: { 'meow.ended': 1 }, meows: 1, meowMs: 100, meanMs: 100 },
      },
      {
        ...{ from: day(23), to: day(24), catId: 1, name: 'Mia' },
        ...{ events: 3, types: { 'cat.moved': 1, 'meow.ended': 2 }, meows: 2, meowMs: 501, meanMs: 251 },
      },
      {
        ...{ from: day(23), to: day(24), catId: 2, name: 'Tom' },
        ...{ events: 1, types: { 'meow.ended': 1 }, meows: 1, meowMs: 1_000, meanMs: 1_000 },
      },
    ]);
  });

  it('count by hour, and only what is asked for', async () => {
    await fill();
    const hours = await statsOf(store, { by: 'hour', tz: 'UTC', catId: 1, from: at(-13 * HOUR) }, now);
    expect(hours.rows.map(({ from, events }) => [from, events])).toEqual([
      ['2026-11-23T00:00:00+00:00', 1],
      ['2026-11-23T10:00:00+00:00', 1],
      ['2026-11-23T11:00:00+00:00', 1],
    ]);
    const moved = await statsOf(store, { by: 'day', tz: 'UTC', catId: 1, types: ['collard.cat.moved'] }, now);
    expect(moved.from).toBe('2026-10-23T00:00:00.000Z');
    expect(moved.rows).toMatchObject([{ events: 1, meows: 0, meowMs: 0, meanMs: null }]);
  });

  it('tell how far they are, cat by cat and through segments', async () => {
    const porch = createWriter('porch', epochId(1));
    for (const [catId, collar] of [
      [1, 'A'],
      [2, 'B'],
    ] as const) {
      porch.add('cat.named', `cat/${catId}`, { catId, oldName: null, newName: collar }, -1_440 * HOUR);
      porch.add('collar.assigned', `cat/${catId}`, { catId, collar }, -1_440 * HOUR);
    }
    for (let i = 0; i < 3_000; i += 1)
      porch.add('meow.started', `collar/${i % 2 === 0 ? 'A' : 'B'}`, { level: 1 }, -3_000 + i);
    for (let from = 1; from <= porch.events.length; from += 500) {
      const to = Math.min(porch.events.length, from + 499);
      await store.ingest({ ...porch.batch(from, to), chain: porch.chain(to) }, NOW);
    }
    while ((await store.project(500)).events > 0);
    for (const segments of [undefined, 'no segments yet']) {
      const shares: number[] = [];
      await statsOf(store, { by: 'day', from: at(-3_000) }, now, segments, (share) => void shares.push(share));
      expect(shares.length).toBeGreaterThan(1);
      expect(shares).toEqual([...shares].sort((a, b) => a - b));
      expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
      expect(shares.at(-1)).toBeGreaterThan(0.5);
    }
  });

  it('refuse what they cannot answer', async () => {
    await fill();
    await expect(statsOf(store, { by: 'day', tz: 'Mars' }, now)).rejects.toMatchObject({ code: 'BAD_TIME_ZONE' });
    await expect(statsOf(store, { by: 'day', catId: 9 }, now)).rejects.toMatchObject({ code: 'CAT_NOT_FOUND' });
    const endless = {
      cats: store.cats,
      whole: store.whole,
      newest: store.newest,
      counts: store.counts,
      segments: store.segments,
      oldest: async () => ({ ...(await page), next: 't' }),
    };
    const one = await store.oldest({ limit: 1, catId: 1 });
    const page = Promise.resolve({
      events: Array.from({ length: 1_000 }, () => one.events[0]).flatMap((e) => e ?? []),
    });
    const asked = statsOf(endless, { by: 'day', catId: 1 }, now);
    await expect(asked).rejects.toMatchObject({
      code: 'TOO_MUCH_HISTORY',
      message: expect.stringContaining(String(MAX_STATS_EVENTS)),
    });
  });
});
