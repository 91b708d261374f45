/** An open log and its disk, where the test must reach into the file as the log has it: not asked again in a thread. */
import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { logError } from '../../../src/agent/log/log-error.ts';
import { openEventLog, proveStart } from '../../../src/agent/log/open-event-log.ts';
import { levels, openLog, readAll, T0, tempPath, timeAt } from './log-fixture.ts';
import { newCore } from './thin-rig.ts';

describe('a log and its disk', () => {
  it('starts where the disk is full, and its witness says nothing that might not be flushed', () => {
    const core = newCore(tempPath(), 'e');
    const heads: number[] = [];
    core.witness = { note: ({ lastSeq }) => heads.push(lastSeq) };
    core.db.exec(`CREATE TRIGGER more AFTER INSERT ON fact WHEN NEW.key = 'starts'
      BEGIN INSERT INTO word (text) VALUES (hex(randomblob(9000))); END`);
    core.db.pragma(`max_page_count = ${String(core.db.pragma('page_count', { simple: true }))}`);
    proveStart(core);
    expect(heads).toEqual([]);
    core.db.exec('DROP TRIGGER more');
    proveStart(core);
    expect(heads).toEqual([0]);
    core.db.exec("CREATE TRIGGER no BEFORE INSERT ON fact BEGIN SELECT RAISE(ABORT, 'no more'); END");
    expect(() => proveStart(core)).toThrow(
      expect.objectContaining({
        code: 'SQLITE_CONSTRAINT_TRIGGER',
        message: expect.stringContaining(`log ${core.path}: no more`),
      }),
    );
    const prepare = vi.spyOn(core.db, 'prepare').mockImplementation(() => {
      throw logError('SQLITE_CORRUPT', 'broken');
    });
    expect(() => proveStart(core)).toThrow(expect.objectContaining({ code: 'SQLITE_CORRUPT' }));
    prepare.mockRestore();
    // The next start reads all of it.
    expect(existsSync(`${core.path}.suspect`)).toBe(true);
    core.db.close();
  });

  it('asks the disk itself how much is free', async () => {
    const path = tempPath();
    const when = () => ({ time: timeAt(T0), clock: 'synced', boot: null, monoMs: null }) as const;
    const options = { path, agent: 'porch', keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 };
    const log = await openEventLog(options, { when });
    expect((await log.trim(T0)).disk?.state).toBe('ok');
    await log.close();
  });

  it('ends with what it could not write at last, but not for a disk that is full', async () => {
    const pragma = vi.spyOn(Database.prototype, 'pragma');
    onTestFinished(() => pragma.mockRestore());
    const writer = () => pragma.mock.contexts.at(-1) as Database.Database;
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(3));
    log.saveMark(log.epochs()[0]?.epoch ?? '', 2, 'inc-1');
    const db = writer();
    db.exec(
      `CREATE TRIGGER more AFTER UPDATE ON epoch BEGIN INSERT INTO word (text) VALUES (hex(randomblob(9000))); END`,
    );
    db.pragma(`max_page_count = ${String(db.pragma('page_count', { simple: true }))}`);
    await log.close();
    const again = await openLog(path);
    expect([again.epochs()[0]?.storedSeq, again.epochs()[0]?.lastSeq]).toEqual([0, 3]);
    again.saveMark(again.epochs()[0]?.epoch ?? '', 2, 'inc-1');
    writer().exec("CREATE TRIGGER no BEFORE UPDATE ON epoch BEGIN SELECT RAISE(ABORT, 'no marks'); END");
    await expect(again.close()).rejects.toMatchObject({ message: expect.stringContaining('no marks') });
    // Closed all the same.
    const third = await openLog(path);
    expect((await readAll(third)).length).toBe(3);
    await third.close();
  });
});
