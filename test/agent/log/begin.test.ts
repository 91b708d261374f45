import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Lost } from '../../../src/agent/log/begin.ts';
import { levels, openLog, readAll, T0, tempPath, timeAt } from './log-fixture.ts';

const SUFFIXES = ['', '-wal', '-shm'] as const;

function keepCopy(path: string): void {
  for (const suffix of SUFFIXES) if (existsSync(path + suffix)) copyFileSync(path + suffix, `${path}.copy${suffix}`);
}

/** The files of `keepCopy` back; the witness stays as it is. */
function putBack(path: string): void {
  remove(path);
  for (const suffix of SUFFIXES)
    if (existsSync(`${path}.copy${suffix}`)) copyFileSync(`${path}.copy${suffix}`, path + suffix);
}

function remove(path: string): void {
  for (const suffix of SUFFIXES) rmSync(path + suffix, { force: true });
}

/** A log of 10 events of which a copy was made, then 5 more; `marked` were confirmed. */
async function grownSinceCopy(marked = 0): Promise<{ path: string; epoch: string }> {
  const path = tempPath();
  const log = await openLog(path);
  await log.append(levels(10));
  const epoch = log.epochs()[0]?.epoch ?? '';
  keepCopy(path);
  await log.append(levels(5));
  if (marked > 0) log.saveMark(epoch, marked, 'incarnation');
  await log.close();
  return { path, epoch };
}

/** What a copy of `grownSinceCopy` lacks. */
const tailOf = (epoch: string): Lost => ({ epoch, fromSeq: 11, toSeq: 15, count: 5, reason: 'tail of the log lost' });

/** Opens, and gives what was told as lost besides. */
async function reopen(path: string) {
  const lost: Lost[] = [];
  const damaged: string[] = [];
  const ports = {
    onLost: (one: Lost) => lost.push(one),
    onDamaged: (_: string, reason: string) => damaged.push(reason),
  };
  const log = await openLog(path, {}, ports);
  return { log, lost, damaged };
}

describe('a log whose witness has seen more than it holds', () => {
  it('tells the lost tail, never uses its numbers again, and tells it once', async () => {
    const { path, epoch } = await grownSinceCopy();
    putBack(path);
    const { log, lost } = await reopen(path);
    const told = { epoch, fromSeq: 11, toSeq: 15, count: 5, reason: 'tail of the log lost' };
    expect(lost).toEqual([told]);
    expect(log.epochs()).toMatchObject([
      { epoch, firstSeq: 1, lastSeq: 15 },
      { firstSeq: 1, lastSeq: 1 },
    ]);
    const events = await readAll(log);
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1]);
    expect(events.at(-1)).toMatchObject({ type: 'collard.history.lost', data: JSON.stringify(told) });
    // Central is asked about the epoch as far as it went; in the hole nothing can be proved.
    expect(await log.chainAt(epoch, 15)).not.toBeNull();
    expect(await log.chainAt(epoch, 12)).toBeNull();
    await log.append(levels(1));
    await log.close();
    const again = await reopen(path);
    expect(again.lost).toEqual([]);
    expect(again.log.epochs()).toEqual(log.epochs());
    await again.log.close();
  });

  it('tells only what central had not confirmed', async () => {
    const { path, epoch } = await grownSinceCopy(13);
    putBack(path);
    const { log, lost } = await reopen(path);
    expect(lost).toMatchObject([{ epoch, fromSeq: 14, toSeq: 15, count: 2 }]);
    // Central is asked anew: it may have been put back as well, and then nobody holds 11 to 13.
    expect(log.epochs()[0]).toMatchObject({ lastSeq: 15, storedSeq: 0 });
    await log.close();
  });

  it('tells a single event, too, and keeps a single one that is held', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(1));
    const epoch = log.epochs()[0]?.epoch ?? '';
    keepCopy(path);
    await log.append(levels(1));
    await log.close();
    putBack(path);
    const { log: again, lost } = await reopen(path);
    expect(lost).toEqual([{ epoch, fromSeq: 2, toSeq: 2, count: 1, reason: 'tail of the log lost' }]);
    expect(again.epochs()).toMatchObject([{ epoch, firstSeq: 1, lastSeq: 2 }, { lastSeq: 1 }]);
    expect((await readAll(again)).map(({ seq }) => seq)).toEqual([1, 1]);
    await again.close();
  });

  it('loses nothing where central had confirmed all, and still uses no number twice', async () => {
    const { path, epoch } = await grownSinceCopy(15);
    putBack(path);
    const { log, lost } = await reopen(path);
    expect(lost).toEqual([]);
    expect(log.epochs()).toMatchObject([{ epoch, lastSeq: 15, storedSeq: 0 }, { lastSeq: 0 }]);
    await log.close();
  });

  it.each([
    ['missing', remove],
    ['empty', (path: string) => truncateSync(path)],
  ])('tells all of it where the file is %s', async (_, spoil) => {
    const { path, epoch } = await grownSinceCopy(4);
    spoil(path);
    const { log, lost } = await reopen(path);
    expect(lost).toEqual([{ epoch, fromSeq: 5, toSeq: 15, count: 11, reason: 'log lost' }]);
    expect(log.epochs()).toMatchObject([
      { epoch, firstSeq: 16, lastSeq: 15, storedSeq: 0 },
      { firstSeq: 1, lastSeq: 1 },
    ]);
    await log.close();
    const again = await reopen(path);
    expect(again.lost).toEqual([]);
    await again.log.close();
  });

  it('begins anew in silence where file and witness are gone together', async () => {
    const { path } = await grownSinceCopy();
    remove(path);
    rmSync(`${path}.head`);
    const { log, lost } = await reopen(path);
    expect(lost).toEqual([]);
    expect(await readAll(log)).toEqual([]);
    await log.close();
  });

  it('tells an epoch that the file does not know, and goes on in neither', async () => {
    const { path, epoch } = await grownSinceCopy();
    const log = await openLog(path);
    const end = await log.chainAt(epoch, 15);
    const second = await log.startEpoch('test');
    await log.append(levels(3));
    await log.close();
    putBack(path);
    const { log: again, lost } = await reopen(path);
    // What the file has of the epoch before it went on as well.
    expect(lost).toEqual([tailOf(epoch), { ...tailOf(second), fromSeq: 1, toSeq: 3, count: 3 }]);
    expect(again.epochs()).toMatchObject([
      { epoch, firstSeq: 1, lastSeq: 15 },
      { epoch: second, firstSeq: 4, lastSeq: 3 },
      { lastSeq: 2 },
    ]);
    expect(await again.chainAt(epoch, 15)).toEqual(end);
    expect((await readAll(again)).length).toBe(12);
    await again.close();
    const { log: third } = await reopen(path);
    expect(third.epochs()).toEqual(again.epochs());
    await third.close();
  });

  it('ends the epoch before where it ended, though the next one has no event yet', async () => {
    const { path, epoch } = await grownSinceCopy();
    const log = await openLog(path);
    const end = await log.chainAt(epoch, 15);
    await log.startEpoch('test');
    await log.close();
    putBack(path);
    const { log: again, lost } = await reopen(path);
    expect(lost).toEqual([tailOf(epoch)]);
    expect(again.epochs()).toMatchObject([{ epoch, firstSeq: 1, lastSeq: 15 }, { lastSeq: 1 }]);
    expect(await again.chainAt(epoch, 15)).toEqual(end);
    await again.close();
  });

  it('knows from the next one how an epoch ended, where the witness is of an older version and notes no ends', async () => {
    const { path, epoch } = await grownSinceCopy();
    const log = await openLog(path);
    const end = await log.chainAt(epoch, 15);
    const next = await log.startEpoch('test');
    await log.append(levels(2));
    await log.close();
    putBack(path);
    truncateSync(`${path}.head`, 4_096 + 512);
    const { log: again, lost } = await reopen(path);
    expect(lost).toMatchObject([tailOf(epoch), { epoch: next, fromSeq: 1, toSeq: 2 }]);
    expect(again.epochs()).toMatchObject([{ epoch, lastSeq: 15 }, { epoch: next, lastSeq: 2 }, { lastSeq: 2 }]);
    expect(await again.chainAt(epoch, 15)).toEqual(end);
    await again.close();
  });

  it('leaves an older epoch of the file as it is', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(3));
    const second = await log.startEpoch('test');
    await log.append(levels(2));
    const [first] = log.epochs();
    keepCopy(path);
    const third = await log.startEpoch('test');
    await log.append(levels(4));
    await log.close();
    putBack(path);
    const { log: again, lost } = await reopen(path);
    expect(lost).toMatchObject([{ epoch: third, fromSeq: 1, toSeq: 4 }]);
    expect(again.epochs()).toMatchObject([
      first,
      { epoch: second, lastSeq: 2 },
      { epoch: third, lastSeq: 4 },
      { lastSeq: 1 },
    ]);
    await again.close();
  });

  it('asks nothing about one of which only the name was noted', async () => {
    const { path, epoch } = await grownSinceCopy();
    const log = await openLog(path);
    const empty = await log.startEpoch('test');
    const next = await log.startEpoch('test');
    await log.append(levels(1));
    await log.close();
    putBack(path);
    const { log: again } = await reopen(path);
    expect(again.epochs().map((head) => head.epoch)).not.toContain(empty);
    expect(again.epochs().map((head) => head.epoch)).toEqual([epoch, next, expect.any(String)]);
    await again.close();
  });

  it('knows how an epoch ended, also where the same copy comes back once more', async () => {
    const { path, epoch } = await grownSinceCopy();
    const whole = await openLog(path);
    const end = await whole.chainAt(epoch, 15);
    await whole.close();
    for (const lastSeqs of [
      [15, 3],
      [15, 3, 4],
    ]) {
      putBack(path);
      const { log, lost } = await reopen(path);
      // The event that told it for the first time was in none of the copies.
      expect(lost[0]).toEqual(tailOf(epoch));
      expect(await log.chainAt(epoch, 15)).toEqual(end);
      await log.append(levels(2));
      expect(log.epochs().map(({ lastSeq }) => lastSeq)).toEqual(lastSeqs);
      await log.close();
    }
  });

  it('tells what a copy lacks of an epoch that central holds otherwise, though nothing of it waited any more', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(10));
    const epoch = log.epochs()[0]?.epoch ?? '';
    keepCopy(path);
    await log.append(levels(5));
    log.saveMark(epoch, 12, 'incarnation');
    await log.startEpoch('chains differ');
    log.disown(epoch);
    log.disown('01a20867-068a-70da-b9ee-759f41bde6a8');
    log.saveMark(epoch, 15, 'incarnation');
    await log.append(levels(1));
    await log.close();
    const life = await reopen(path);
    life.log.saveMark(epoch, 15, 'incarnation');
    await life.log.append(levels(1));
    expect([life.lost, life.log.epochs()[0]?.storedSeq]).toEqual([[], 15]);
    await life.log.close();
    putBack(path);
    const again = await reopen(path);
    expect(again.lost).toMatchObject([
      { epoch, fromSeq: 13, toSeq: 15, count: 3 },
      { fromSeq: 1, toSeq: 2 },
    ]);
    await again.log.close();
  });

  it('whose copy held nothing any more, or nothing yet, is sound at the next start', async () => {
    for (const count of [0, 10]) {
      const path = tempPath();
      const log = await openLog(path, { keepDays: 0 });
      const epoch = log.epochs()[0]?.epoch ?? '';
      await log.append(levels(count, -1_000_000));
      log.saveMark(epoch, count, 'incarnation');
      await log.trim(T0);
      keepCopy(path);
      await log.append(levels(5));
      await log.close();
      putBack(path);
      const { log: again, lost } = await reopen(path);
      expect(lost).toMatchObject([{ epoch, fromSeq: count + 1, toSeq: count + 5 }]);
      const heads = again.epochs();
      expect(heads).toMatchObject([{ epoch, firstSeq: count + 6, lastSeq: count + 5 }, { lastSeq: 1 }]);
      await again.close();
      const { log: third, damaged } = await reopen(path);
      expect([third.epochs(), damaged]).toEqual([heads, []]);
      await third.close();
    }
  });

  it('tells again what a copy lacks that held nothing yet and comes back twice: central could not ask for it', async () => {
    const path = tempPath();
    const first = await openLog(path);
    const epoch = first.epochs()[0]?.epoch ?? '';
    keepCopy(path);
    await first.append(levels(7));
    await first.close();
    for (const epochs of [2, 3]) {
      putBack(path);
      const { log, lost } = await reopen(path);
      expect(lost[0]).toMatchObject({ epoch, fromSeq: 1, toSeq: 7, count: 7 });
      expect(log.epochs()).toHaveLength(epochs);
      expect(log.epochs()[0]).toMatchObject({ epoch, firstSeq: 8, lastSeq: 7 });
      await log.close();
    }
  });

  it('tells every epoch that the file does not know, of each what central had not confirmed', async () => {
    const { path, epoch } = await grownSinceCopy();
    const log = await openLog(path);
    const names = [epoch];
    for (const count of [2, 3, 0, 4, 1]) {
      names.push(await log.startEpoch('test'));
      await log.append(levels(count));
    }
    const [, second = '', third = '', , fifth = '', sixth = ''] = names;
    const ends = [await log.chainAt(epoch, 15), await log.chainAt(second, 2), await log.chainAt(fifth, 4)];
    log.saveMark(second, 1, 'incarnation');
    log.saveMark(third, 3, 'incarnation');
    await log.close();
    putBack(path);
    const { log: again, lost } = await reopen(path);
    const reason = 'tail of the log lost';
    expect(lost).toEqual([
      tailOf(epoch),
      { epoch: second, fromSeq: 2, toSeq: 2, count: 1, reason },
      { epoch: fifth, fromSeq: 1, toSeq: 4, count: 4, reason },
      { epoch: sixth, fromSeq: 1, toSeq: 1, count: 1, reason },
    ]);
    // Central is asked about all of them anew; what began and held nothing needs no word.
    const heads = again.epochs();
    expect(heads).toMatchObject([
      { epoch, firstSeq: 1, lastSeq: 15, storedSeq: 0 },
      { epoch: second, firstSeq: 3, lastSeq: 2, storedSeq: 0 },
      { epoch: third, firstSeq: 4, lastSeq: 3, storedSeq: 0 },
      { epoch: fifth, firstSeq: 5, lastSeq: 4, storedSeq: 0 },
      { epoch: sixth, firstSeq: 2, lastSeq: 1, storedSeq: 0 },
      { lastSeq: 4 },
    ]);
    const proved = [await again.chainAt(epoch, 15), await again.chainAt(second, 2), await again.chainAt(fifth, 4)];
    expect(proved).toEqual(ends);
    await again.close();
    const later = await reopen(path);
    expect([later.log.epochs(), later.lost, later.damaged]).toEqual([heads, [], []]);
    await later.log.close();
  });

  it('tells all epochs of a log that is gone, and again where the same old copy comes back', async () => {
    const { path } = await grownSinceCopy();
    const log = await openLog(path);
    for (const count of [2, 3]) {
      await log.startEpoch('test');
      await log.append(levels(count));
    }
    await log.close();
    remove(path);
    const gone = await reopen(path);
    expect(gone.lost.map(({ count }) => count)).toEqual([15, 2, 3]);
    await gone.log.startEpoch('test');
    await gone.log.append(levels(7));
    await gone.log.close();
    putBack(path);
    const back = await reopen(path);
    // The event that told of the first three was the epoch before the last.
    expect(back.lost.map(({ count }) => count)).toEqual([5, 2, 3, 3, 7]);
    expect(back.log.epochs().map(({ lastSeq }) => lastSeq)).toEqual([15, 2, 3, 3, 7, 5]);
    await back.log.close();
  });

  it('leaves an epoch at what is held of it where nobody knows how it went on', async () => {
    const { path, epoch } = await grownSinceCopy();
    const log = await openLog(path);
    await log.startEpoch('second');
    await log.append(levels(2));
    const third = await log.startEpoch('third');
    await log.append(levels(3));
    await log.close();
    putBack(path);
    // As a version wrote it that kept the newest two only.
    truncateSync(`${path}.head`, 8_192);
    const { log: again } = await reopen(path);
    const heads = again.epochs();
    expect(heads).toMatchObject([{ epoch, lastSeq: 10 }, { epoch: third, firstSeq: 4, lastSeq: 3 }, { lastSeq: 1 }]);
    expect(await again.chainAt(epoch, 10)).not.toBeNull();
    await again.close();
    const { log: later } = await reopen(path);
    expect(later.epochs()).toEqual(heads);
    await later.close();
  });

  it('tells other events under the same numbers as lost', async () => {
    const { path, epoch } = await grownSinceCopy();
    const head = readFileSync(`${path}.head`);
    putBack(path);
    rmSync(`${path}.head`);
    // Nobody noticed, and the numbers were used again.
    const other = await openLog(path);
    await other.append(levels(6, 1_000_000));
    await other.close();
    writeFileSync(`${path}.head`, head);
    const { log, lost } = await reopen(path);
    expect(lost).toEqual([{ epoch, fromSeq: 1, toSeq: 15, count: 15, reason: 'another history' }]);
    expect(log.epochs()).toMatchObject([{ epoch, lastSeq: 16 }, { lastSeq: 1 }]);
    await log.close();
  });

  it('tells nothing of an older epoch whose numbers hold other events: central is asked about them', async () => {
    const { path, epoch } = await grownSinceCopy();
    const head = readFileSync(`${path}.head`);
    putBack(path);
    rmSync(`${path}.head`);
    const other = await openLog(path);
    await other.append(levels(6, 1_000_000));
    await other.startEpoch('test');
    const epochs = other.epochs();
    await other.close();
    writeFileSync(`${path}.head`, head);
    const { log, lost } = await reopen(path);
    expect(epochs[0]?.epoch).toBe(epoch);
    expect([lost, log.epochs()]).toEqual([[], epochs]);
    await log.close();
  });

  it('tells the lost tail of an older epoch, and leaves the one behind it as it is', async () => {
    const { path, epoch } = await grownSinceCopy();
    const head = readFileSync(`${path}.head`);
    putBack(path);
    rmSync(`${path}.head`);
    const other = await openLog(path);
    const second = await other.startEpoch('test');
    await other.append(levels(3));
    const end = await other.chainAt(second, 3);
    await other.close();
    writeFileSync(`${path}.head`, head);
    const { log, lost } = await reopen(path);
    expect(lost).toEqual([{ epoch, fromSeq: 11, toSeq: 15, count: 5, reason: 'tail of the log lost' }]);
    const heads = log.epochs();
    expect(heads).toMatchObject([{ epoch, lastSeq: 10 }, { epoch: second, firstSeq: 1, lastSeq: 3 }, { lastSeq: 1 }]);
    expect(await log.chainAt(second, 3)).toEqual(end);
    await log.close();
    const again = await reopen(path);
    expect([again.log.epochs(), again.lost, again.damaged]).toEqual([heads, [], []]);
    await again.log.close();
  });

  it('uses no epoch again that it has seen begin, also where no event was in it', async () => {
    const { path, epoch } = await grownSinceCopy(10);
    putBack(path);
    rmSync(`${path}.head`);
    const log = await openLog(path);
    const second = await log.startEpoch('test');
    await log.close();
    putBack(path);
    const { log: again, lost } = await reopen(path);
    expect(lost).toEqual([]);
    expect(again.epochs()).toMatchObject([
      { epoch, lastSeq: 10 },
      { firstSeq: 1, lastSeq: 0 },
    ]);
    expect(again.epochs()[1]?.epoch).not.toBe(second);
    await again.close();
  });

  it('goes on with its session numbers, which begin at the time in seconds, however the clock stands', async () => {
    const path = tempPath();
    const at = (ms: number) => ({
      when: () => ({ time: timeAt(ms), clock: 'synced', boot: null, monoMs: null }) as const,
    });
    const log = await openLog(path, {}, at(T0));
    expect(await log.nextSession()).toBe(T0 / 1_000 + 1);
    keepCopy(path);
    await log.append(levels(5));
    await log.close();
    putBack(path);
    const again = await openLog(path, {}, at(T0 - 86_400_000));
    expect(again.epochs()).toHaveLength(2);
    expect(await again.nextSession()).toBe(T0 / 1_000 + 2);
    await again.close();
  });

  it('does not speak for another agent', async () => {
    const { path } = await grownSinceCopy();
    remove(path);
    const lost: Lost[] = [];
    const log = await openLog(path, { agent: 'garden' }, { onLost: (one) => lost.push(one) });
    expect(lost).toEqual([]);
    await log.close();
  });

  it('is not misled by a witness that is behind', async () => {
    const { path, epoch } = await grownSinceCopy();
    const old = readFileSync(`${path}.head`);
    const log = await openLog(path);
    await log.append(levels(5));
    await log.close();
    writeFileSync(`${path}.head`, old);
    const { log: again, lost } = await reopen(path);
    expect(lost).toEqual([]);
    expect(again.epochs()).toMatchObject([{ epoch, lastSeq: 20 }]);
    await again.close();
  });
});
