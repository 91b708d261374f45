import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { levels, openLog, tempPath } from './log-fixture.ts';

/** Of an epoch before. */
const BASE = 7;

/** Three groups of ten events in the second epoch of an open log, and the file as another program has it. */
async function threeGroups() {
  const path = tempPath();
  const log = await openLog(path);
  await log.append(levels(BASE));
  await log.startEpoch('test');
  for (let group = 0; group < 3; group += 1) await log.append(levels(10));
  const epoch = log.epochs()[1]?.epoch ?? '';
  const other = new Database(path);
  onTestFinished(async () => {
    other.close();
    await log.close();
  });
  const seqs = async (from: number, to: number, limit = 100) =>
    (await log.read(epoch, from, to, limit, 1e9)).map(({ seq }) => seq);
  return { log, epoch, other, seqs };
}

const corrupt = (message: string) => ({ code: 'SQLITE_CORRUPT', message: expect.stringContaining(message) });

describe('what is read of a log', () => {
  it('is proved to the end of its group, also where that lies behind what was asked for', async () => {
    const { other, seqs } = await threeGroups();
    other.exec(`UPDATE event SET data = '{"level":99}' WHERE pos = ${BASE + 19}`);
    expect(await seqs(8, 10)).toEqual([8, 9, 10]);
    await expect(seqs(11, 12)).rejects.toMatchObject(corrupt('event 20 of epoch'));
    await expect(seqs(8, 11)).rejects.toMatchObject(corrupt('does not match its chain'));
    expect(await seqs(21, 30)).toHaveLength(10);
    other.exec(`UPDATE event SET data = '{"level":99}' WHERE pos = ${BASE + 21}`);
    await expect(seqs(8, 30)).rejects.toMatchObject(corrupt('does not match its chain'));
  });

  it('is nothing behind its end and before what is held, however far: that is no damage', async () => {
    const { log, epoch, seqs } = await threeGroups();
    expect(await seqs(31, 31)).toEqual([]);
    expect(await seqs(75, 91)).toEqual([]);
    expect(await seqs(30, 91)).toEqual([30]);
    log.saveMark(epoch, 20, 'i');
    const first = log.epochs()[0]?.epoch ?? '';
    log.saveMark(first, BASE, 'i');
    await log.trim(Date.parse('2100-01-01'));
    const held = log.epochs()[1]?.firstSeq ?? 0;
    expect(held).toBeGreaterThan(3);
    expect(await seqs(1, held - 3)).toEqual([]);
    expect(await seqs(1, held)).toEqual([held]);
  });

  it('is as much as was asked for, and nothing of the epoch before', async () => {
    const { log, epoch, seqs } = await threeGroups();
    expect(await seqs(1, 30, 4)).toEqual([1, 2, 3, 4]);
    expect(await seqs(0, 2)).toEqual([1, 2]);
    const bytes = async (max: number) => (await log.read(epoch, 1, 30, 100, max)).length;
    // {"level":1} takes 11.
    expect([await bytes(0), await bytes(21), await bytes(22), await bytes(32), await bytes(33)]).toEqual([
      1, 1, 2, 2, 3,
    ]);
    expect(await log.read(epoch, 5, 4, 100, 1e9)).toEqual([]);
    await expect(log.read(epoch, 6, 4, 100, 1e9)).rejects.toMatchObject(corrupt('events 6 to 4'));
  });

  it('is hashed once where a group is read in parts, and again where it was not the last', async () => {
    const { other, seqs } = await threeGroups();
    expect(await seqs(1, 3)).toEqual([1, 2, 3]);
    // Nobody looks again at what has just been proved.
    other.exec(`UPDATE event SET data = '{"level":99}' WHERE pos = ${BASE + 7}`);
    expect(await seqs(4, 10)).toHaveLength(7);
    expect(await seqs(11, 12)).toEqual([11, 12]);
    await expect(seqs(4, 6)).rejects.toMatchObject(corrupt('event 10 of epoch'));
  });

  it('stops where an event before it in its group is gone, for then nothing proves it', async () => {
    const { other, seqs } = await threeGroups();
    other.exec(`DELETE FROM event WHERE pos = ${BASE + 12}`);
    expect(await seqs(1, 10)).toHaveLength(10);
    await expect(seqs(15, 20)).rejects.toMatchObject(corrupt('event 15 of epoch'));
  });

  it('stops where no hash is kept behind it', async () => {
    const { other, seqs } = await threeGroups();
    other.exec(`DELETE FROM chain WHERE pos = ${BASE + 30}`);
    expect(await seqs(11, 20)).toHaveLength(10);
    await expect(seqs(21, 25)).rejects.toMatchObject(corrupt('no chain is kept behind event 25'));
  });

  it('stops at a hole that has kept the hashes of what was in it', async () => {
    const { other, seqs, epoch } = await threeGroups();
    other.exec(`DELETE FROM event WHERE pos BETWEEN ${BASE + 8} AND ${BASE + 22}`);
    await expect(seqs(1, 30)).rejects.toMatchObject(corrupt(`events 8 to 22 of epoch ${epoch} are missing`));
    await expect(seqs(8, 21)).rejects.toMatchObject(corrupt(`events 8 to 21 of epoch ${epoch} are missing`));
    other.exec(`DELETE FROM event WHERE pos > ${BASE + 22}`);
    await expect(seqs(23, 30)).resolves.toEqual([]);
    await expect(seqs(19, 30)).rejects.toMatchObject(corrupt(`events 19 to 30 of epoch ${epoch} are missing`));
  });
});
