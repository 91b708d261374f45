import { describe, expect, it } from 'vitest';
import {
  appendGroups,
  createPace,
  FLURRY_FLUSHES,
  GROUP_EVENTS,
  withUnwritten,
} from '../../src/agent/append-groups.ts';
import { type NewEvent, newEvent } from '../../src/contract/event.ts';
import { createQueue } from '../../src/lib/queue.ts';

const when = { time: '2026-11-23T06:14:09.842Z', clock: 'synced', boot: null, monoMs: null } as const;
const low = () => newEvent('battery.low', 'C0FFEE01', { percent: 5 }, when);

/** Flushes events that come every `everyMs`, as `appendGroups` does, in time moved by hand; gives when each was flushed. */
function flushTimes(everyMs: number, events: number, groupMs: number): number[] {
  const pace = createPace(groupMs);
  const times: number[] = [];
  let nowMs = 0;
  for (let n = 0; n < events; ) {
    nowMs = Math.max(nowMs, n * everyMs);
    nowMs += pace.waitMs(nowMs);
    times.push(nowMs);
    const next = Math.floor(nowMs / everyMs) + 1;
    pace.flushed(nowMs, next - n);
    n = next;
  }
  return times;
}

describe('the pace of flushes', () => {
  it('lets a lone event through at once, for ever', () => {
    expect(flushTimes(600, 1_000, 600)).toEqual(Array.from({ length: 1_000 }, (_, n) => n * 600));
  });

  it('lets a flurry through at once', () => {
    expect(flushTimes(1, FLURRY_FLUSHES, 600)).toEqual(Array.from({ length: FLURRY_FLUSHES }, (_, n) => n));
  });

  it('flushes once in the time of a group and once for a thousand events, over a longer time', () => {
    const minute = flushTimes(10, 6_000, 600);
    expect(minute.length).toBeGreaterThanOrEqual(100);
    expect(minute.length).toBeLessThanOrEqual(100 + 6 + FLURRY_FLUSHES + 1);
    const gaps = minute.slice(-50).map((at, i) => at - (minute.at(i - 51) ?? Number.NaN));
    for (const gap of gaps) expect(Math.abs(gap - 600 / 1.06)).toBeLessThan(2);
  });

  it('regains its flurry after a rest', () => {
    const pace = createPace(100);
    for (let n = 0; n < FLURRY_FLUSHES; n += 1) pace.flushed(0, 0);
    expect(pace.waitMs(0)).toBe(100);
    expect(pace.waitMs(40)).toBe(60);
    for (let n = 0; n < FLURRY_FLUSHES; n += 1) {
      expect(pace.waitMs(60_000)).toBe(0);
      pace.flushed(60_000, 0);
    }
    expect(pace.waitMs(60_000)).toBe(100);
  });

  it('waits for nothing where that is 0', () => {
    const pace = createPace(0);
    for (let n = 0; n < 1_000; n += 1) {
      expect(pace.waitMs(n)).toBe(0);
      pace.flushed(n, 1);
    }
  });
});

const logger = {
  warn: (fields: object, message: string) => {
    throw new Error(`${message} ${JSON.stringify(fields)}`);
  },
};

describe('appending in groups', () => {
  function rig(groupMs: number, before = 0) {
    const pending = createQueue<NewEvent>(10_000);
    const groups: number[] = [];
    for (let n = 0; n < before; n += 1) pending.push(low());
    const log = {
      append: async (events: readonly NewEvent[]) => {
        groups.push(events.length);
        return { epoch: '', firstSeq: 1, lastSeq: events.length };
      },
    };
    // The time stands still: what was spent is not regained.
    const done = appendGroups(pending, { log, clock: { monoNow: () => 0 }, groupMs, unwritten: { events: 0 }, logger });
    return { pending, groups, done };
  }

  /** One event in a flush, until the flurry is over. */
  async function tired(groupMs: number) {
    const house = rig(groupMs);
    for (let n = 1; n <= FLURRY_FLUSHES; n += 1) {
      house.pending.push(low());
      await expect.poll(() => house.groups.length, { interval: 1, timeout: 30_000 }).toBe(n);
    }
    return house;
  }

  it('takes together what comes in one turn', async () => {
    const { pending, groups, done } = rig(600);
    for (let n = 0; n < 20; n += 1) pending.push(low());
    await expect.poll(() => groups).toEqual([20]);
    pending.close();
    await done;
  });

  it('gathers once the flurry is over, and writes what is left at once at the end', async () => {
    const { pending, groups, done } = await tired(2_000_000);
    for (let n = 0; n < 7; n += 1) {
      pending.push(low());
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(groups).toHaveLength(FLURRY_FLUSHES);
    pending.close();
    await done;
    expect(groups.slice(FLURRY_FLUSHES)).toEqual([7]);
  });

  it('does not wait longer where enough have come', async () => {
    const { pending, groups, done } = await tired(2_000_000);
    for (let n = 0; n < 1_000; n += 1) pending.push(low());
    await expect.poll(() => groups.slice(FLURRY_FLUSHES), { timeout: 30_000 }).toEqual([1_000]);
    pending.close();
    await done;
  });

  it('flushes the end of a burst at once: what many share earns a flurry', async () => {
    const { pending, groups, done } = rig(2_000_000, 10_000);
    await expect.poll(() => groups.reduce((sum, size) => sum + size, 0), { timeout: 30_000 }).toBe(10_000);
    for (let round = 1; round < 8; round += 1) {
      for (let n = 0; n < 5 * GROUP_EVENTS; n += 1) pending.push(low());
      const all = 10_000 * (1 + round);
      await expect.poll(() => groups.reduce((sum, size) => sum + size, 0), { timeout: 30_000 }).toBe(all);
    }
    expect(groups.length).toBeGreaterThan(FLURRY_FLUSHES);
    pending.push(low());
    await expect.poll(() => groups.at(-1), { timeout: 30_000 }).toBe(1);
    pending.close();
    await done;
  });

  it('never makes a group beyond its limit', async () => {
    const { pending, groups, done } = rig(600, 2 * GROUP_EVENTS + 1);
    pending.close();
    await done;
    expect(groups).toEqual([GROUP_EVENTS, GROUP_EVENTS, 1]);
  });

  it('appends of a group that is refused what can be stored, and tells the rest', async () => {
    const pending = createQueue<NewEvent>(10);
    const bad = { ...low(), data: 'no JSON' };
    for (const one of [low(), bad, low()]) pending.push(one);
    pending.close();
    const appended: number[] = [];
    const log = {
      append: async (events: readonly NewEvent[]) => {
        if (events.includes(bad)) throw Object.assign(new Error('refused'), { code: 'BAD_EVENT' });
        appended.push(events.length);
        return { epoch: '', firstSeq: 1, lastSeq: events.length };
      },
    };
    const lines: string[] = [];
    const telling = { warn: (fields: object, message: string) => lines.push(`${message} ${JSON.stringify(fields)}`) };
    await appendGroups(pending, {
      log,
      clock: { monoNow: () => 0 },
      groupMs: 0,
      unwritten: { events: 0 },
      logger: telling,
    });
    expect(appended).toEqual([2]);
    const fields = { type: bad.type, reason: 'data is not JSON' };
    expect(lines).toEqual([`an event cannot be stored ${JSON.stringify(fields)}`]);
  });

  it('ends with the error of the log, which is asked for nothing more', async () => {
    const pending = createQueue<NewEvent>(10);
    pending.push(low());
    const broken = Object.assign(new Error('no'), { code: 'SQLITE_IOERR' });
    let asked = 0;
    const append = () => {
      asked += 1;
      return Promise.reject(broken);
    };
    const log = { append };
    await expect(
      appendGroups(pending, { log, clock: { monoNow: () => 0 }, groupMs: 0, unwritten: { events: 0 }, logger }),
    ).rejects.toBe(broken);
    expect(asked).toBe(1);
  });
});

it('the error of a log says how many events end with it, where any do', () => {
  const error = Object.assign(new Error('no room'), { code: 'SQLITE_FULL' });
  expect(withUnwritten(error, { events: 0 })).toBe(error);
  const told = { code: 'SQLITE_FULL', message: 'no room; 3 events that waited for it had not been written' };
  expect(withUnwritten(error, { events: 3 })).toMatchObject(told);
  const fault = new TypeError('ours');
  expect(withUnwritten(fault, { events: 3 })).toBe(fault);
});
