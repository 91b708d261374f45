import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { levels, openFiles, openLog, readAll, T0, tempPath, timeAt } from './log-fixture.ts';

/** A closed log of two epochs of 20 and 10 events, changed by SQL. */
async function closedLog(sql: string): Promise<{ path: string; epochs: readonly string[] }> {
  const path = tempPath();
  const log = await openLog(path);
  await log.append(levels(10));
  await log.append(levels(10));
  await log.startEpoch('test');
  await log.append(levels(5));
  await log.append(levels(5, 5_000));
  const epochs = log.epochs().map(({ epoch }) => epoch);
  await log.close();
  const db = new Database(path);
  db.exec(sql);
  db.close();
  return { path, epochs };
}

async function reopen(path: string, agent = 'porch') {
  const told: string[] = [];
  const ports = {
    onDamaged: (_: string, reason: string) => told.push(reason),
    onLost: ({ fromSeq, toSeq }: { fromSeq: number; toSeq: number }) => told.push(`lost ${fromSeq} to ${toSeq}`),
  };
  return { log: await openLog(path, { agent }, ports), told };
}

const copies = (path: string) => {
  const db = new Database(path, { readonly: true });
  const found = db.prepare("SELECT value FROM fact WHERE key LIKE 'epoch/%' ORDER BY key").pluck().all();
  db.close();
  return found;
};

const noCopies = "DELETE FROM fact WHERE key LIKE 'epoch/%'";

describe('a file that names its epochs once only', () => {
  it('is opened as it is, and names them twice from then on', async () => {
    const { path, epochs } = await closedLog(noCopies);
    const { log, told } = await reopen(path);
    await log.close();
    expect(told).toEqual([]);
    expect(copies(path)).toEqual(
      epochs.map((epoch, i) => JSON.stringify({ no: i + 1, epoch, agent: 'porch', base: 20 * i })),
    );
  });

  it('belongs to whom it names, where no witness knows better', async () => {
    const { path } = await closedLog(`${noCopies}; UPDATE epoch SET agent = 'garden'`);
    rmSync(`${path}.head`);
    await expect(openLog(path)).rejects.toMatchObject({
      code: 'LOG_OTHER_AGENT',
      message: `log ${path} belongs to agent "garden", not "porch": set agent or log.path accordingly`,
    });
    const { log, told } = await reopen(path, 'garden');
    expect(told).toEqual([]);
    await log.close();
  });

  it('is damaged where the witness knows it by the name of its agent', async () => {
    const { path } = await closedLog(`${noCopies}; UPDATE epoch SET agent = 'qorch'`);
    const { log, told } = await reopen(path);
    expect(told).toEqual([expect.stringMatching(/the name of its agent is damaged; 30 events saved/)]);
    expect(await readAll(log)).toHaveLength(30);
    await log.close();
  });
});

describe('a file whose names do not agree', () => {
  it.each([
    [`UPDATE epoch SET agent = 'qorch' WHERE no = 2`, 'what names its epochs does not agree'],
    [
      `UPDATE fact SET value = replace(value, 'porch', 'qorch') WHERE key = 'epoch/1'`,
      'what names its epochs does not',
    ],
    ['DELETE FROM epoch WHERE no = 2', 'saved'],
    [`DELETE FROM epoch WHERE no = 1`, 'an epoch is missing'],
  ])('is damaged: %s', async (sql, reason) => {
    const { path, epochs } = await closedLog(sql);
    const { log, told } = await reopen(path);
    expect(told).toEqual([expect.stringContaining(reason)]);
    expect(
      log
        .epochs()
        .map(({ epoch }) => epoch)
        .slice(0, 2),
    ).toEqual(epochs);
    expect(await readAll(log)).toHaveLength(30);
    await log.close();
  });
});

it('a file that has lost its newest epoch with all that was in it tells that', async () => {
  const behind = ['event', 'chain'].map((table) => `DELETE FROM ${table} WHERE pos > 20`);
  const { path, epochs } = await closedLog(['DELETE FROM epoch WHERE no = 2', ...behind].join(';'));
  const { log, told } = await reopen(path);
  expect(told).toEqual([expect.stringContaining('an epoch is missing'), 'lost 1 to 10']);
  expect(log.epochs()).toMatchObject([
    { epoch: epochs[0], lastSeq: 20 },
    { epoch: epochs[1], firstSeq: 11, lastSeq: 10 },
    { lastSeq: 1 },
  ]);
  await log.close();
});

describe('a file that says that it is not ours', () => {
  it.each([
    ['PRAGMA application_id = 5; DROP TABLE chain', 'LOG_FOREIGN'],
    ['PRAGMA user_version = 2', 'LOG_NEWER'],
  ])('is left alone, unless the witness of this agent knows it: %s', async (sql, code) => {
    const { path } = await closedLog(sql);
    await expect(openLog(path, { agent: 'garden' })).rejects.toMatchObject({ code });
    const { log, told } = await reopen(path);
    expect(told[0]).toContain('events saved');
    await log.close();
    const stranger = await closedLog(sql);
    rmSync(`${stranger.path}.head`);
    await expect(openLog(stranger.path)).rejects.toMatchObject({ code });
    expect(readdirSync(dirname(stranger.path)).filter((name) => name.includes('damaged'))).toEqual([]);
  });
});

describe('a disk that fails while a log is opened', () => {
  it('is named, with the file and what to do', async () => {
    const path = tempPath();
    mkdirSync(path);
    await expect(openLog(path)).rejects.toMatchObject({
      code: expect.stringMatching(/^SQLITE_/),
      message: expect.stringContaining(`log ${path}: `),
    });
  });

  it('while it is saved leaves the damaged file where it is, and nothing half made', async () => {
    const { path } = await closedLog('DELETE FROM event WHERE pos = 15');
    writeFileSync(`${path}.suspect`, '');
    const tries: boolean[] = [];
    const failing = async ({ target, onlyUnconfirmed }: { target: string; onlyUnconfirmed: boolean }) => {
      tries.push(onlyUnconfirmed);
      for (const suffix of ['', '-wal', '-shm']) writeFileSync(target + suffix, 'half of it');
      throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_FSYNC' });
    };
    await expect(openLog(path, {}, { salvage: failing })).rejects.toMatchObject({
      code: 'SQLITE_IOERR_FSYNC',
      message: expect.stringMatching(/disk I\/O error: look at the disk/),
    });
    expect(tries).toEqual([false]);
    expect(existsSync(`${path}.suspect`)).toBe(true);
    expect(readdirSync(dirname(path)).filter((name) => /salvage|damaged/.test(name))).toEqual([]);
    const { log, told } = await reopen(path);
    expect(told).toEqual([expect.stringContaining('20 events saved'), 'lost 11 to 20']);
    expect(existsSync(`${path}.suspect`)).toBe(false);
    await log.close();
  });

  it('while it begins a new epoch closes it again: nothing of that has happened', async () => {
    const { path, epochs } = await closedLog('SELECT 1');
    const [first = '', second = ''] = epochs;
    // The witness has seen the second one go further: another one must begin.
    const db = new Database(path);
    db.exec('DELETE FROM event WHERE pos > 25; DELETE FROM chain WHERE pos > 25');
    db.close();
    const before = openFiles();
    await expect(openLog(path, {}, { newEpochId: () => first })).rejects.toMatchObject({
      code: 'SQLITE_CONSTRAINT_UNIQUE',
      message: expect.stringContaining(`log ${path}: `),
    });
    expect(openFiles()).toBe(before);
    const { log, told } = await reopen(path);
    expect(told).toEqual(['lost 6 to 10']);
    expect(log.epochs().map(({ epoch }) => epoch)).toEqual([first, second, expect.any(String)]);
    await log.close();
  });

  it('is asked no more than once for a suspicion that was not true', async () => {
    const { path } = await closedLog('SELECT 1');
    writeFileSync(`${path}.suspect`, '');
    const { log, told } = await reopen(path);
    expect([told, existsSync(`${path}.suspect`)]).toEqual([[], false]);
    expect((await readAll(log)).at(-1)).toMatchObject({ seq: 10, time: timeAt(T0 + 9_000) });
    await log.close();
  });
});

describe('a log that the disk cannot read', () => {
  /** Lets the next so many openings of a log fail, as where the sector of its first page cannot be read. */
  function unreadable() {
    const real = Database.prototype.pragma;
    const spy = vi.spyOn(Database.prototype, 'pragma');
    onTestFinished(() => spy.mockRestore());
    const next = { times: 0 };
    spy.mockImplementation(function (this: Database.Database, source, options) {
      if (source !== 'journal_mode = WAL' || next.times === 0) return real.call(this, source, options);
      next.times -= 1;
      throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_CORRUPTFS' });
    });
    return next;
  }

  it('is asked again by the next start, and goes aside where that cannot read it either', async () => {
    const path = tempPath();
    const before = await openLog(path);
    await before.append(levels(5));
    await before.close();
    const told: string[] = [];
    const onDamaged = (_: string, reason: string) => void told.push(reason);
    const next = unreadable();
    next.times = 1;
    const failed = { code: 'SQLITE_IOERR_CORRUPTFS', message: expect.stringContaining('look at the disk') };
    await expect(openLog(path, {}, { onDamaged })).rejects.toMatchObject(failed);
    const again = await openLog(path, {}, { onDamaged });
    expect(told).toEqual([]);
    await again.close();
    next.times = 2;
    await expect(openLog(path, {}, { onDamaged })).rejects.toMatchObject(failed);
    const third = await openLog(path, {}, { onDamaged });
    expect(told).toEqual([expect.stringContaining('disk I/O error; 5 events saved')]);
    expect(await readAll(third)).toHaveLength(5);
    await third.close();
  });
});
