import { describe, expect, it } from 'vitest';
import { usedBytes } from '../../../src/agent/log/budget.ts';
import { addEpoch, appendRows, type LogCore, readEvents, write } from '../../../src/agent/log/core.ts';
import type { IngestLog } from '../../../src/agent/log/event-log.ts';
import { openLogReader } from '../../../src/agent/log/open-log-reader.ts';
import { trimLog } from '../../../src/agent/log/trim.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import { type NewEvent, newEvent, type StoredEvent } from '../../../src/contract/event.ts';
import { event, GIGABYTE, levels, openLog, openLogInThread, readAll, T0, tempPath, timeAt } from './log-fixture.ts';
import { mix, newCore } from './thin-rig.ts';

const DAY = 86_400_000;
const when = { time: timeAt(T0), clock: 'synced', boot: null, monoMs: null } as const;
const eventsOf = ({ rows, epochs }: LogCore): StoredEvent[] =>
  epochs.flatMap((e) => readEvents(rows, e, { from: 1, to: e.lastSeq, limit: 1e9, maxBytes: 1e9 }));
/** Worth too much to be thinned. */
const bulky = (count: number): NewEvent[] =>
  Array.from({ length: count }, (_, i) => event('cat.moved', { from: null, to: `${i} ${'x'.repeat(400)}` }, i));

async function hex(log: Pick<IngestLog, 'chainAt'>, epoch: string, seq: number): Promise<string | null> {
  const hash = await log.chainAt(epoch, seq);
  return hash === null ? null : chainHex(hash);
}

describe('trimming', () => {
  it('deletes confirmed events older than the grace, and keeps the chain where it cut', async () => {
    const path = tempPath();
    const log = await openLog(path, { keepDays: 1 });
    await log.append([...levels(5), ...levels(5, 3 * DAY)]);
    const epoch = log.epochs()[0]?.epoch ?? '';
    const [atCut, atEnd] = [await hex(log, epoch, 4), await hex(log, epoch, 10)];
    // Half a day after the young ones: their age is between nothing and the grace.
    const now = T0 + 3.5 * DAY;
    expect(await log.trim(now)).toMatchObject({ deleted: 0, lost: 0 });
    log.saveMark(epoch, 4, 'i');
    expect(await log.trim(now)).toMatchObject({ deleted: 4, lost: 0 });
    log.saveMark(epoch, 10, 'i');
    expect(await log.trim(now)).toMatchObject({ deleted: 1, lost: 0 });
    expect(log.epochs()[0]).toMatchObject({ firstSeq: 6, lastSeq: 10, storedSeq: 10 });
    expect(await hex(log, epoch, 3)).toBeNull();
    expect(await hex(log, epoch, 10)).toBe(atEnd);
    await log.close();
    const again = await openLog(path, { keepDays: 0 });
    expect(again.epochs()[0]).toMatchObject({ firstSeq: 6, lastSeq: 10, storedSeq: 10 });
    expect(await hex(again, epoch, 4)).not.toBe(atCut);
    expect(await again.trim(T0 + 30 * DAY)).toMatchObject({ deleted: 5, lost: 0 });
    expect(again.epochs()[0]).toMatchObject({ firstSeq: 11, lastSeq: 10 });
    expect(await hex(again, epoch, 10)).toBe(atEnd);
    expect(await again.append(levels(1))).toMatchObject({ firstSeq: 11 });
    await again.close();
  });

  it('deletes nothing of a later epoch that is no older than the grace, to the millisecond', async () => {
    const core = newCore(tempPath(), 'e');
    const limits = { keepDays: 1, keepBytes: 1e9, budgetBytes: 1e9 };
    const ports = { when: () => when, freeBytes: () => 1e9 };
    write(core, () => appendRows(core, levels(7)));
    write(core, () => addEpoch(core, 'f', 0, 'test'));
    write(core, () => appendRows(core, levels(5, 10_000)));
    for (const epoch of core.epochs) epoch.storedSeq = epoch.lastSeq;
    // While the oldest are young nobody looks further.
    expect((await trimLog(core, T0 + DAY + 3_000, limits, ports)).deleted).toBe(3);
    expect(await trimLog(core, T0 + DAY + 12_000, limits, ports)).toEqual({ deleted: 6, lost: 0, step: 'ok' });
    expect(core.epochs).toMatchObject([
      { epoch: 'e', firstSeq: 8, lastSeq: 7 },
      { epoch: 'f', firstSeq: 3, lastSeq: 5 },
    ]);
    core.db.close();
  });

  it('does at most so much in one call, and the rest in the next', async () => {
    const core = newCore(tempPath(), 'e');
    const limits = { keepDays: 0, keepBytes: 1e9, budgetBytes: 1e9 };
    const ports = { when: () => when, freeBytes: () => 1e9 };
    write(core, () => appendRows(core, levels(60)));
    Object.assign(core.epochs[0] ?? {}, { storedSeq: 60 });
    expect((await trimLog(core, T0 + DAY, limits, ports, 1)).deleted).toBe(50);
    expect((await trimLog(core, T0 + DAY, limits, ports, 1)).deleted).toBe(10);
    core.db.close();
  });

  it('never judges the age of an event by an unsynced clock', async () => {
    const log = await openLog(tempPath(), { keepDays: 1 });
    const old = {
      ...event('meow.started', { level: 1 }, -4_000 * DAY),
      clock: 'unsynced',
      boot: 'b',
      monoMs: 1,
    } as const;
    await log.append([old, ...levels(1), old, ...levels(1, 2 * DAY), old]);
    log.saveMark(log.epochs()[0]?.epoch ?? '', 5, 'i');
    expect(await log.trim(T0 + 2.5 * DAY)).toMatchObject({ deleted: 2, lost: 0 });
    expect(log.epochs()[0]?.firstSeq).toBe(3);
    await log.close();
  });

  it('deletes confirmed events earlier when they take too many bytes', async () => {
    const log = await openLog(tempPath(), { keepBytes: 500_000 });
    await log.append(bulky(5_000));
    log.saveMark(log.epochs()[0]?.epoch ?? '', 4_000, 'i');
    const { deleted, lost } = await log.trim(T0);
    expect(lost).toBe(0);
    expect(deleted).toBe(4_000);
    expect(log.epochs()[0]?.firstSeq).toBe(4_001);
    await log.close();
  });

  it('still remembers the collars whose events it deleted', async () => {
    const path = tempPath();
    const log = await openLog(path, { keepDays: 0 });
    await log.append([event('cat.moved', { from: null, to: 'attic' }), ...levels(1)]);
    log.saveMark(log.epochs()[0]?.epoch ?? '', 2, 'i');
    await log.trim(T0 + DAY);
    expect(await readAll(log)).toEqual([]);
    await log.close();
    const again = await openLog(path);
    expect(await again.remembered()).toMatchObject([{ collar: 'C0FFEE01', place: 'attic', openMeow: true }]);
    await again.close();
  });

  it('when it was told to hold, keeps what is old as long as the disk budget lasts', async () => {
    const log = await openLog(tempPath(), { keepDays: 0, budgetBytes: 1_500_000 });
    await log.append(levels(3));
    log.saveMark(log.epochs()[0]?.epoch ?? '', 3, 'i');
    log.holdTrimming();
    expect(await log.trim(T0 + DAY)).toMatchObject({ deleted: 0, lost: 0 });
    await log.append(bulky(5_000));
    const { deleted, lost } = await log.trim(T0 + DAY);
    expect(deleted).toBe(3);
    expect(lost).toBeGreaterThan(0);
    await log.close();
  });
});

describe('what tells of losses', () => {
  it('is told again when it goes, as long as events before the hole are held: central would wait there for ever', async () => {
    const core = newCore(tempPath(), 'e');
    write(core, () => appendRows(core, mix(Array<'moved'>(10).fill('moved'), 0)));
    write(core, () => appendRows(core, mix(Array<'started'>(100).fill('started'), 10)));
    write(core, () => appendRows(core, mix(Array<'moved'>(10).fill('moved'), 110)));
    write(core, () => addEpoch(core, 'f', 0, 'test'));
    const limits = { keepDays: 1, keepBytes: 1e9, budgetBytes: 1e9 };
    const ports = { when: () => when, freeBytes: () => 1e9 };
    expect((await trimLog(core, T0, { ...limits, budgetBytes: usedBytes(core) - 1 }, ports)).lost).toBeGreaterThan(0);
    const told = () => eventsOf(core).filter(({ type }) => type === 'collard.history.lost');
    const [first] = told();
    expect([first?.epoch, JSON.parse(first?.data ?? '')]).toMatchObject(['f', { epoch: 'e', fromSeq: 11 }]);
    // Central has all of `f`, and nothing of `e` any more: it was put back to an old copy.
    const f = core.epochs[1];
    const confirm = () => Object.assign(f ?? {}, { storedSeq: f?.lastSeq });
    confirm();
    const later = T0 + 2 * DAY;
    expect((await trimLog(core, later, limits, ports, 1)).deleted).toBeGreaterThan(0);
    expect(told()).toMatchObject([{ epoch: 'f', seq: (first?.seq ?? 0) + 1, data: first?.data }]);
    // Of a hole that nothing held lies before there is nothing to tell.
    Object.assign(core.epochs[0] ?? {}, { storedSeq: 120 });
    await trimLog(core, later, limits, ports);
    confirm();
    await trimLog(core, later, limits, ports);
    expect(eventsOf(core)).toEqual([]);
    core.db.close();
  });
});

describe('the disk budget', () => {
  it('that no log could keep takes nothing of one that holds nothing', async () => {
    const core = newCore(tempPath(), 'e');
    const ports = { when: () => when, freeBytes: () => 1e9 };
    expect(await trimLog(core, T0, { keepDays: 0, keepBytes: 0, budgetBytes: 1 }, ports)).toEqual({
      deleted: 0,
      lost: 0,
      step: 'ok',
    });
    expect(core.epochs).toMatchObject([{ firstSeq: 1, lastSeq: 0 }]);
    core.db.close();
  });

  it('that no log could keep is told once, and not again and again', async () => {
    const core = newCore(tempPath(), 'e');
    const ports = { when: () => when, freeBytes: () => 1e9 };
    const limits = { keepDays: 1, keepBytes: 1e9, budgetBytes: 1 };
    write(core, () => appendRows(core, mix(Array<'moved'>(200).fill('moved'), 0)));
    write(core, () => addEpoch(core, 'f', 0, 'test'));
    write(core, () => appendRows(core, mix(Array<'moved'>(200).fill('moved'), 200)));
    expect(await trimLog(core, T0, limits, ports)).toEqual({ deleted: 0, lost: 400, step: 'losing' });
    const told = eventsOf(core);
    expect(told.map(({ seq, data }) => [seq, JSON.parse(data)])).toEqual([
      [201, { epoch: 'e', fromSeq: 1, toSeq: 200, count: 200, reason: 'disk budget' }],
      [202, { epoch: 'f', fromSeq: 1, toSeq: 200, count: 200, reason: 'disk budget' }],
    ]);
    expect(await trimLog(core, T0, limits, ports)).toEqual({ deleted: 0, lost: 0, step: 'ok' });
    // Of several that say the same of an epoch one is made.
    const again = { epoch: 'e', fromSeq: 1, toSeq: 9, count: 9, reason: 'disk budget' };
    const lost = newEvent('history.lost', null, again, when);
    write(core, () => appendRows(core, [lost, lost, lost]));
    expect((await trimLog(core, T0, limits, ports)).lost).toBe(5);
    expect(eventsOf(core).map(({ seq, data }) => [seq, JSON.parse(data)])).toEqual([
      [206, { epoch: 'e', fromSeq: 1, toSeq: 200, count: 227, reason: 'disk budget' }],
      [207, { epoch: 'f', fromSeq: 1, toSeq: 205, count: 205, reason: 'disk budget' }],
    ]);
    expect((await trimLog(core, T0, limits, ports)).lost).toBe(0);
    core.db.close();
  });

  it('gives up the oldest unconfirmed events, confirmed ones first, and says so in one event', async () => {
    const log = await openLog(tempPath(), { budgetBytes: 1_500_000 });
    await log.append(bulky(5_000));
    const epoch = log.epochs()[0]?.epoch ?? '';
    log.saveMark(epoch, 1_000, 'i');
    const { deleted, lost } = await log.trim(T0);
    expect(deleted).toBe(1_000);
    expect(lost).toBeGreaterThan(0);
    const all = await readAll(log);
    const told = all.at(-1);
    expect(told).toMatchObject({ seq: 5_001, type: 'collard.history.lost' });
    expect(JSON.parse(told?.data ?? '')).toEqual({
      epoch,
      fromSeq: 1_001,
      toSeq: 1_000 + lost,
      count: lost,
      reason: 'disk budget',
    });
    expect(all[0]?.seq).toBe(1_001 + lost);
    expect(await log.trim(T0)).toMatchObject({ deleted: 0, lost: 0 });
    await log.close();
  });

  it('says again what an event said that is given up itself, so that no gap is unexplained', async () => {
    const log = await openLog(tempPath(), { budgetBytes: 1_000_000 });
    const epoch = log.epochs()[0]?.epoch ?? '';
    for (let round = 0; round < 6; round += 1) {
      await log.append(bulky(4_000));
      await log.trim(T0);
    }
    const second = await log.startEpoch('test');
    await log.append(bulky(4_000));
    await log.trim(T0);
    const held = new Set((await readAll(log)).map((e) => `${e.epoch}/${e.seq}`));
    const told = (await readAll(log)).filter((e) => e.type === 'collard.history.lost').map((e) => JSON.parse(e.data));
    for (const head of log.epochs()) {
      for (let seq = 1; seq <= head.lastSeq; seq += 1) {
        const explained = told.some((t) => t.epoch === head.epoch && t.fromSeq <= seq && seq <= t.toSeq);
        expect(held.has(`${head.epoch}/${seq}`) || explained).toBe(true);
      }
    }
    expect(log.epochs().map((e) => e.epoch)).toEqual([epoch, second]);
    await log.close();
  });

  it('shrinks with the free space of the disk, and counts the pages that are free in the file', async () => {
    const log = await openLog(tempPath(), {}, { freeBytes: () => 300 * 1024 });
    await log.append(bulky(8_000));
    const { lost } = await log.trim(T0);
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(8_000);
    expect(await log.trim(T0)).toMatchObject({ deleted: 0, lost: 0 });
    await log.close();
  });

  it('lets others append and read while it works', async () => {
    const path = tempPath();
    const log = await openLog(path, { keepDays: 0, keepBytes: GIGABYTE });
    await log.append(levels(9_000, -9_000_000));
    log.saveMark(log.epochs()[0]?.epoch ?? '', 9_000, 'i');
    const trimmed = log.trim(T0 + DAY);
    await log.append(levels(1));
    expect(await trimmed).toMatchObject({ deleted: 9_000, lost: 0 });
    const reader = openLogReader(path);
    expect(await readAll(reader)).toMatchObject([{ seq: 9_001 }]);
    reader.close();
    await log.close();
  });

  it.each([
    ['alone', openLog],
    ['in a thread', openLogInThread],
  ])('ends early where the log is closed meanwhile, and goes on at the next start (%s)', async (_, open) => {
    const path = tempPath();
    const log = await open(path, { keepDays: 0, keepBytes: GIGABYTE });
    await log.append(levels(9_000, -9_000_000));
    log.saveMark(log.epochs()[0]?.epoch ?? '', 9_000, 'i');
    const trimmed = log.trim(T0 + DAY);
    await log.close();
    expect((await trimmed).deleted).toBe(2_000);
    const again = await openLog(path, { keepDays: 0, keepBytes: GIGABYTE });
    expect((await again.trim(T0 + DAY)).deleted).toBe(7_000);
    await again.close();
  });
});
