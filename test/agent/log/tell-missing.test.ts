import { copyFileSync, existsSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IngestLog } from '../../../src/agent/log/event-log.ts';
import { createRows } from '../../../src/agent/log/rows.ts';
import { type StoredEvent, shortType } from '../../../src/contract/event.ts';
import { lostRanges } from '../../../src/contract/lost.ts';
import type { SeqRange } from '../../../src/contract/message.ts';
import { event, levels, openLog, openLogInThread, readAll, T0, tempPath } from './log-fixture.ts';

const SUFFIXES = ['', '-wal', '-shm'] as const;
const REASON = 'neither in the log nor at central';

/** Holds 1 to 10 of an epoch that went to 20, of which central had confirmed 1 to 15: so 16 to 20 are told. */
async function putBack(
  open: typeof openLog = openLog,
  isLater = false,
): Promise<{ path: string; log: IngestLog; epoch: string }> {
  const path = tempPath();
  const first = await openLog(path);
  if (isLater) {
    await first.append(levels(7));
    await first.startEpoch('test');
  }
  await first.append(levels(10));
  const epoch = first.epochs().at(-1)?.epoch ?? '';
  for (const suffix of SUFFIXES) if (existsSync(path + suffix)) copyFileSync(path + suffix, `${path}.copy${suffix}`);
  await first.append(levels(10));
  first.saveMark(epoch, 15, 'incarnation');
  await first.close();
  for (const suffix of SUFFIXES) {
    rmSync(path + suffix, { force: true });
    if (existsSync(`${path}.copy${suffix}`)) copyFileSync(`${path}.copy${suffix}`, path + suffix);
  }
  return { path, log: await open(path), epoch };
}

const told = (events: readonly StoredEvent[]) =>
  events.filter(({ type }) => shortType(type) === 'history.lost').map(({ data }) => JSON.parse(data));

describe('what central asks for and the log does not hold', () => {
  it.each([
    ['alone', openLog],
    ['in a thread', openLogInThread],
  ])('is told exactly, once, and over restarts (%s)', async (_, open) => {
    const { path, log, epoch } = await putBack(open as typeof openLog);
    expect(told(await readAll(log))).toMatchObject([{ fromSeq: 16, toSeq: 20 }]);
    const heard = log.appended(new AbortController().signal);
    expect(await log.tellMissing(epoch, [[13, 17]])).toBe(3);
    await heard;
    const loss = { epoch, fromSeq: 13, toSeq: 15, count: 3, reason: REASON };
    expect(told(await readAll(log)).slice(1)).toEqual([loss]);
    expect(await log.tellMissing(epoch, [[13, 20]])).toBe(0);
    await log.close();
    const again = await openLog(path);
    expect(await again.tellMissing(epoch, [[13, 20]])).toBe(0);
    expect(await again.tellMissing(epoch, [[11, 20]])).toBe(2);
    expect(told(await readAll(again)).slice(2)).toEqual([{ ...loss, fromSeq: 11, toSeq: 12, count: 2 }]);
    await again.close();
  });

  it('is told by its numbers within its epoch, where others came before', async () => {
    const { log, epoch } = await putBack(openLog, true);
    expect(told(await readAll(log))).toMatchObject([{ epoch, fromSeq: 16, toSeq: 20 }]);
    expect(await log.tellMissing(epoch, [[13, 17]])).toBe(3);
    expect(told(await readAll(log)).slice(1)).toEqual([{ epoch, fromSeq: 13, toSeq: 15, count: 3, reason: REASON }]);
    await log.close();
  });

  it('is not told again where an event of any epoch tells it, whatever else that tells', async () => {
    const { log, epoch } = await putBack();
    const tell = (about: string, fromSeq: number, toSeq: number) => ({
      ...event('history.lost', { epoch: about, fromSeq, toSeq, count: 0, reason: 'test' }),
      subject: null,
    });
    await log.append([tell(epoch, 12, 12), tell('another epoch', 11, 20), tell(epoch, 0, 0)]);
    await log.startEpoch('test');
    await log.append([tell(epoch, 14, 14)]);
    expect(await log.tellMissing(epoch, [[11, 20]])).toBe(3);
    expect(lostRanges(told(await readAll(log)).at(-1))).toEqual([
      [11, 11],
      [13, 13],
      [15, 15],
    ]);
    await log.close();
  });

  it('is told again in the next epoch where central has answered for what told it, and asks all the same', async () => {
    const { log, epoch } = await putBack();
    const teller = log.epochs().at(-1)?.epoch ?? '';
    expect(await log.tellMissing(epoch, [[13, 20]])).toBe(3);
    log.saveMark(teller, 2, 'incarnation');
    expect(await log.tellMissing(epoch, [[13, 20]])).toBe(0);
    const next = await log.startEpoch('mark above the log');
    log.saveMark(teller, 0, 'incarnation');
    expect(await log.tellMissing(epoch, [[13, 20]])).toBe(0);
    log.saveMark(teller, 1, 'incarnation');
    expect(await log.tellMissing(epoch, [[13, 20]])).toBe(5);
    log.saveMark(teller, 2, 'incarnation');
    expect(await log.tellMissing(epoch, [[13, 20]])).toBe(3);
    log.saveMark(next, 2, 'incarnation');
    expect(await log.tellMissing(epoch, [[13, 20]])).toBe(0);
    const loss = { epoch, reason: REASON };
    expect(told(await readAll(log)).slice(2)).toEqual([
      { ...loss, fromSeq: 16, toSeq: 20, count: 5 },
      { ...loss, fromSeq: 13, toSeq: 15, count: 3 },
    ]);
    await log.close();
  });

  it('is never what is held, what was never given, or of another log', async () => {
    const { log, epoch } = await putBack();
    const before = await readAll(log);
    const most = Number.MAX_SAFE_INTEGER;
    expect(await log.tellMissing(epoch, [[1, 10]])).toBe(0);
    expect(await log.tellMissing(epoch, [[21, most]])).toBe(0);
    expect(await log.tellMissing(log.epochs().at(-1)?.epoch ?? '', [[1, most]])).toBe(0);
    expect(await log.tellMissing('01a20867-068a-70da-b9ee-759f41bde6a8', [[1, most]])).toBe(0);
    expect(await readAll(log)).toEqual(before);
    expect(await log.tellMissing(epoch, [[1, most]])).toBe(5);
    expect(told(await readAll(log)).at(-1)).toMatchObject({ fromSeq: 11, toSeq: 15 });
    await log.close();
  });

  it('is told in one event, however many holes are asked for', async () => {
    const { log, epoch } = await putBack();
    const asked = [
      [11, 11],
      [13, 13],
      [15, 15],
    ] as const;
    expect(await log.tellMissing(epoch, asked)).toBe(3);
    expect(told(await readAll(log)).slice(1)).toMatchObject([{ fromSeq: 11, toSeq: 15, runs: [1, 1, 1, 1, 1] }]);
    await log.close();
  });

  it('needs no event where it lies before what is held: the question to central says so', async () => {
    const path = tempPath();
    const log = await openLog(path, { keepDays: 0 });
    await log.append(levels(10, -1_000_000));
    const epoch = log.epochs()[0]?.epoch ?? '';
    log.saveMark(epoch, 6, 'incarnation');
    await log.trim(T0);
    expect(log.epochs()).toMatchObject([{ firstSeq: 7, lastSeq: 10 }]);
    log.saveMark(epoch, 0, 'restored');
    expect(await log.tellMissing(epoch, [[1, 6]])).toBe(0);
    await log.close();
  });

  it('does not make a file that is doubted a damaged one', async () => {
    const { path, log, epoch } = await putBack();
    log.saveMark(epoch, 3, 'restored');
    await log.tellMissing(epoch, [[11, 15]]);
    await log.close();
    copyFileSync(path, `${path}.suspect`);
    const damaged: string[] = [];
    const again = await openLog(path, {}, { onDamaged: (_, reason) => damaged.push(reason) });
    expect(damaged).toEqual([]);
    expect(again.epochs()[0]).toMatchObject({ epoch, storedSeq: 3, lastSeq: 20 });
    await again.close();
  });
});

it('the runs that have no row are those between the rows, whatever rows there are', () => {
  const db = new Database(':memory:');
  db.exec(`CREATE TABLE word (no INTEGER PRIMARY KEY, text TEXT);
    CREATE TABLE event (pos INTEGER PRIMARY KEY, type, version, subject, time, synced, boot, mono, data)`);
  const rows = createRows(db);
  const insert = db.prepare('INSERT INTO event (pos) VALUES (?)');
  const spot = fc.integer({ min: 1, max: 30 });
  fc.assert(
    fc.property(fc.uniqueArray(spot), spot, spot, (held, from, to) => {
      db.exec('DELETE FROM event');
      for (const pos of held) insert.run(pos);
      const expected: [number, number][] = [];
      for (let pos = from; pos <= to; pos += 1) {
        const run = expected.at(-1);
        if (held.includes(pos)) continue;
        if (run !== undefined && run[1] === pos - 1) run[1] = pos;
        else expected.push([pos, pos]);
      }
      expect(rows.missing(from, to)).toEqual(expected satisfies SeqRange[]);
    }),
  );
  db.close();
});
