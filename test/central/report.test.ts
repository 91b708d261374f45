import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { openStore } from '../../src/central/open-store.ts';
import { reportOf } from '../../src/central/report.ts';
import type { Store } from '../../src/central/store/store.ts';
import { at, createWriter, epochId, NOW, type Writer } from './store/events.ts';

const HOUR = 3_600;
const DAY = 24 * HOUR;
const now = new Date(NOW);
const ms = (seconds: number) => Date.parse(at(seconds));
let folder: string;
let store: Store;
let porch: Writer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'collard-report-'));
  store = await openStore({ url: `sqlite:${join(folder, 'central.db')}`, now: () => now });
  porch = createWriter('porch', epochId(1));
  for (const [catId, newName, collar] of [
    [1, 'Mia', 'A'],
    [2, 'Tom', 'B'],
  ] as const) {
    porch.add('cat.named', `cat/${catId}`, { catId, oldName: null, newName }, -40 * DAY);
    porch.add('collar.assigned', `cat/${catId}`, { catId, collar }, -40 * DAY);
  }
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const meow = (collar: string, seconds: number, durationMs = 500) =>
  porch.add('meow.ended', `collar/${collar}`, { durationMs, peakG: 1, readings: 1, place: null }, seconds);
/** Up to `end`, and again from `start` on: what lies between is lost. */
const keep = async (end = porch.events.length, start = end + 1) => {
  for (const [from, to] of [
    [1, end],
    [start, porch.events.length],
  ] as const) {
    const { agent, events } = porch.batch(from, to);
    if (events.length > 0) await store.ingest({ agent, events, chain: porch.chain(to) }, NOW);
  }
  while ((await store.project(500)).events > 0);
};
const week = (catId = 1) =>
  reportOf(store, { catId, fromMs: ms(-7 * DAY), toMs: ms(0), tz: 'UTC' }, now, join(folder, 'segments'));

describe('a report', () => {
  test('is of one cat, its place before it, and what was usual', async () => {
    porch.add('cat.moved', 'collar/A', { from: null, to: 'hall' }, -39 * DAY);
    for (let day = 8; day <= 27; day += 1) for (const hour of [1, 2]) meow('A', -day * DAY + hour * HOUR);
    for (const hours of [-30, -20, -10]) meow('A', hours * HOUR);
    meow('B', -5 * HOUR);
    await keep();
    const report = await week();
    expect(report).toMatchObject({ cat: { id: 1, name: 'Mia', collar: 'A' }, tz: 'UTC', total: { meows: 3 } });
    expect(report.days).toHaveLength(8);
    expect(report.places).toMatchObject([{ place: 'hall', meows: 3 }]);
    // Of the days from the first sign on, in the four weeks before.
    expect(report.usual).toEqual({ days: 20, meowsADay: 2 });
    expect((await week(2)).total.meows).toBe(1);
    expect((await week(2)).usual).toBeNull();
  });

  test('counts what a person corrected as corrected, and tells it', async () => {
    const [wrong, moved] = [meow('A', -10 * HOUR), meow('B', -9 * HOUR)];
    meow('A', -8 * HOUR);
    await keep();
    const cats = openCatService(store, () => now);
    await cats.revoke(porch.epoch, wrong.seq, 'the washing machine');
    await cats.reassign(porch.epoch, moved.seq, 1, 'swapped');
    while ((await store.project(500)).events > 0);
    const { total, bursts, corrected } = await week();
    expect(total.meows).toBe(2);
    expect(bursts.map(({ isGiven }) => isGiven).sort()).toEqual([false, true]);
    expect(corrected).toEqual([
      { atMs: ms(-10 * HOUR), type: 'meow.ended', how: 'taken back', reason: 'the washing machine' },
      { atMs: ms(-9 * HOUR), type: 'meow.ended', how: 'given here', reason: 'swapped' },
    ]);
    expect((await week(2)).corrected).toMatchObject([{ how: 'given away' }]);
  });

  test('tells what is missing: receivers, losses with their time, and what is still to come', async () => {
    porch.add('sensor.failed', null, { source: 'usb', reason: 'gone' }, -20 * DAY);
    porch.add('sensor.recovered', null, { source: 'usb', reason: '' }, -6 * DAY);
    porch.add('sensor.failed', null, { source: 'gpio', reason: 'held' }, -5 * DAY);
    const before = meow('A', -4 * DAY);
    for (const hours of [1, 2, 3]) meow('A', -4 * DAY + hours * HOUR);
    const after = meow('A', -3 * DAY);
    const lost = { epoch: porch.epoch, fromSeq: before.seq + 1, toSeq: after.seq - 1, count: 3, reason: 'disk full' };
    porch.add('history.lost', null, lost, -2 * DAY);
    await keep(before.seq, after.seq);
    await store.sync(
      'porch',
      {
        epoch: porch.epoch,
        firstSeq: 1,
        lastSeq: porch.events.length + 12,
        chain: porch.chain(porch.events.length),
      },
      NOW,
    );
    const report = await week();
    expect(report.outages).toEqual([
      { agent: 'porch', source: 'usb', reason: 'gone', fromMs: ms(-7 * DAY), toMs: ms(-6 * DAY) },
      { agent: 'porch', source: 'gpio', reason: 'held', fromMs: ms(-5 * DAY), toMs: ms(0) },
    ]);
    expect(report.losses).toEqual([
      { agent: 'porch', count: 3, reason: 'disk full', afterMs: ms(-4 * DAY), beforeMs: ms(-3 * DAY) },
    ]);
    expect(report.awaited).toEqual([{ agent: 'porch', events: 12 }]);
  });

  test('reads segments where its days lie in them, and says the same', async () => {
    porch.add('cat.moved', 'collar/A', { from: null, to: 'hall' }, -30 * DAY);
    for (let day = 2; day <= 27; day += 1) meow('A', -day * DAY, 100 * day);
    await keep();
    const whole = await week();
    const before = at(-3 * DAY);
    const { events } = await store.expire({
      before,
      dir: join(folder, 'segments'),
      signal: new AbortController().signal,
    });
    expect(events).toBeGreaterThan(0);
    expect(await week()).toEqual(whole);
    const lone = reportOf(store, { catId: 1, fromMs: ms(-7 * DAY), toMs: ms(0), tz: 'UTC' }, now);
    await expect(lone).rejects.toMatchObject({ code: 'EXPIRED' });
  });

  test('tells how far it is, from its first read to its last', async () => {
    for (let i = 0; i < 2_500; i += 1) meow('A', -2_500 + i);
    for (let to = 500; to < porch.events.length + 500; to += 500) {
      const end = Math.min(to, porch.events.length);
      await store.ingest({ ...porch.batch(to - 499, end), chain: porch.chain(end) }, NOW);
    }
    while ((await store.project(500)).events > 0);
    const shares: number[] = [];
    const span = { catId: 1, fromMs: ms(-7 * DAY), toMs: ms(0), tz: 'UTC' };
    await reportOf(store, span, now, undefined, (share) => void shares.push(share));
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.length).toBeGreaterThan(5);
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
  });

  test('is refused for a cat that is not there, and in no known zone', async () => {
    await keep();
    await expect(week(9)).rejects.toMatchObject({ code: 'CAT_NOT_FOUND' });
    const mars = reportOf(store, { catId: 1, fromMs: 0, toMs: 1, tz: 'Mars' }, now);
    await expect(mars).rejects.toMatchObject({ code: 'BAD_TIME_ZONE' });
  });
});
