/** A bit that changed where only one step of the log ever looks: it must not stop each start anew. */
import { closeSync, existsSync, openSync, readSync, writeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, it, vi } from 'vitest';
import { logError } from '../../../src/agent/log/log-error.ts';
import { event, levels, openLog, readAll, T0, tempPath } from './log-fixture.ts';

const DAY_MS = 86_400_000;
const PAGE = 4_096;

/** A closed log of so many events, all confirmed. */
async function closedLog(count = 10): Promise<string> {
  const path = tempPath();
  const log = await openLog(path);
  const { epoch } = await log.append(levels(count / 2));
  // A start looks at the last group only.
  await log.append(levels(count / 2));
  log.saveMark(epoch, count, 'inc');
  await log.close();
  return path;
}

function spoil(path: string, sql: string, ...values: unknown[]): void {
  const db = new Database(path);
  db.prepare(sql).run(...values);
  db.close();
}

async function reopened(path: string) {
  const damaged: string[] = [];
  const log = await openLog(path, {}, { onDamaged: (_, reason) => damaged.push(reason) });
  return { log, damaged };
}

describe('damage that nothing but trimming meets', () => {
  it.each([
    ['a time that is none', 'UPDATE event SET time = ? WHERE pos = 2', 9e15],
    ['a word that is not there', 'UPDATE event SET type = ? WHERE pos = 2', 999],
  ] as const)('%s: the next start puts the log aside, and trims', async (_, sql, value) => {
    const path = await closedLog();
    spoil(path, sql, value);
    const first = await openLog(path);
    await expect(first.trim(T0 + 30 * DAY_MS)).rejects.toMatchObject({ code: 'SQLITE_CORRUPT' });
    expect(existsSync(`${path}.suspect`)).toBe(true);
    await first.close();
    const { log, damaged } = await reopened(path);
    expect(damaged).toHaveLength(1);
    expect(existsSync(`${path}.suspect`)).toBe(false);
    await expect(log.trim(T0 + 30 * DAY_MS)).resolves.toMatchObject({ lost: 0 });
    await log.append(levels(1));
    await log.close();
  });

  it('a history.lost that cannot be read, where all must go', async () => {
    const path = tempPath();
    const first = await openLog(path);
    const lost = { epoch: 'e', fromSeq: 1, toSeq: 2, count: 2, reason: 'disk budget' };
    await first.append([event('history.lost', lost)]);
    await first.append(levels(3));
    await first.close();
    spoil(path, 'UPDATE event SET data = ? WHERE pos = 1', '{"epoch');
    const tight = await openLog(path, { budgetBytes: 1 });
    await expect(tight.trim(T0)).rejects.toMatchObject({ code: 'SQLITE_CORRUPT' });
    await tight.close();
    const { log, damaged } = await reopened(path);
    expect(damaged).toHaveLength(1);
    await log.close();
  });
});

describe('what the log keeps beside its events', () => {
  it.each([
    ['tells', '[1'],
    ['tells', '7'],
    ['failedSources', '[]]'],
    ['failedSources', '{}'],
  ])('%s %s: the log is put aside at the start, and its events are saved', async (key, value) => {
    const path = await closedLog();
    spoil(path, 'INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)', key, value);
    const { log, damaged } = await reopened(path);
    expect(damaged).toEqual([expect.stringContaining('10 events saved')]);
    expect(await readAll(log)).toHaveLength(10);
    await log.close();
  });

  it('a last word of a collar from beyond all time', async () => {
    const path = await closedLog();
    spoil(path, 'UPDATE remembered SET last_event = ?', 9e15);
    const { log, damaged } = await reopened(path);
    expect(damaged).toHaveLength(1);
    expect(log.epochs()[0]).toMatchObject({ lastSeq: 10 });
    await log.close();
  });

  it.each(['[1', '{}', '["x", null]'])('how far it was thinned, %s: it is looked through anew', async (value) => {
    const path = await closedLog(400);
    spoil(path, 'INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)', 'thinned', value);
    const { log, damaged } = await reopened(path);
    await log.append(Array.from({ length: 400 }, (_, i) => event('battery.low', { percent: 5 }, i)));
    await expect(log.trim(T0)).resolves.toMatchObject({ lost: 0 });
    await log.close();
    const tight = await openLog(path, { budgetBytes: 20_000 });
    expect((await tight.trim(T0)).lost).toBeGreaterThan(0);
    expect(damaged).toEqual([]);
    await tight.close();
  });

  it('the number of its session', async () => {
    const path = await closedLog();
    spoil(path, "UPDATE fact SET value = '17x' WHERE key = 'session'");
    const { log } = await reopened(path);
    expect(await log.nextSession()).toBe(Math.floor(T0 / 1_000) + 1);
    expect(await log.nextSession()).toBe(Math.floor(T0 / 1_000) + 2);
    await log.close();
  });
});

it('a new file of which a reading fails has lost nothing', async () => {
  const pragma = vi.spyOn(Database.prototype, 'pragma').mockImplementationOnce(() => {
    // What SQLite makes of an EIO there.
    throw logError('SQLITE_CORRUPT', 'database disk image is malformed');
  });
  const { log, damaged } = await reopened(tempPath());
  pragma.mockRestore();
  expect(damaged).toEqual(['database disk image is malformed; 0 events saved']);
  expect(await log.append(levels(1))).toMatchObject({ firstSeq: 1 });
  await log.close();
});

it('a tree that gives other rows than it is asked for is damage', async () => {
  const path = tempPath();
  const first = await openLog(path);
  await first.append(levels(3));
  await first.startEpoch('test');
  await first.append(levels(3));
  await first.close();
  // Behind the last row of the first epoch stands the second one once more.
  swapCells(path, 3, 1);
  const { log, damaged } = await reopened(path);
  expect(damaged).toEqual([expect.stringMatching(/gives position 2 where one in 4 to \d+ was asked for/)]);
  await log.append(levels(1));
  await log.close();
});

/** On the one leaf of the events, cell `to` becomes cell `from`. */
function swapCells(path: string, to: number, from: number): void {
  const db = new Database(path);
  db.pragma('wal_checkpoint(TRUNCATE)');
  const root = db.prepare<[], number>("SELECT rootpage FROM sqlite_master WHERE name = 'event'").pluck().get() ?? 0;
  db.close();
  const fd = openSync(path, 'r+');
  const page = Buffer.alloc(PAGE);
  readSync(fd, page, 0, PAGE, (root - 1) * PAGE);
  // File format of SQLite, 1.6: a leaf of a table, its cells from byte 8 on.
  expect(page[0]).toBe(0x0d);
  page.writeUInt16BE(page.readUInt16BE(8 + 2 * from), 8 + 2 * to);
  writeSync(fd, page, 0, PAGE, (root - 1) * PAGE);
  closeSync(fd);
}
