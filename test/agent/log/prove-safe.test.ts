import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openLogFile, prepareFile } from '../../../src/agent/log/log-file.ts';
import { assertDurable, provePadding } from '../../../src/agent/log/prove-safe.ts';
import { findStrace, STRACE } from '../../faults/io-errors.ts';
import { requireServer } from '../../servers.ts';
import { levels, openLog, readAll, tempPath } from './log-fixture.ts';

/** The file of a log, opened anew with `psow` as given. */
async function fileOf(psow: 0 | 1) {
  const path = tempPath();
  await (await openLog(path)).close();
  const db = new Database(`${pathToFileURL(path).href}?psow=${psow}`);
  onTestFinished(() => void db.close());
  db.pragma('synchronous = FULL');
  return { db, path };
}

describe('a log that is opened', () => {
  it.each([0, 1])('is proved to pad its commits, wherever in the WAL they fall: %s frame ahead', async (odd) => {
    const { db, path } = await fileOf(0);
    db.pragma('wal_autocheckpoint = 0');
    const frames = () => (db.pragma('wal_checkpoint(NOOP)') as { log: number }[])[0]?.log ?? 0;
    // A proof takes an even number: from an odd one on it meets the commits that end with their sector.
    for (let pages = 1; frames() % 2 !== odd; pages += 1)
      db.prepare('INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)').run('big', 'x'.repeat(pages * 4_096));
    for (let n = 0; n < 600; n += 1) provePadding(db, path);
    // Two frames a proof, now and then three or one more.
    expect(frames()).toBeGreaterThanOrEqual(1_200);
  });

  it('is refused where its commits share sectors', async () => {
    const { db, path } = await fileOf(1);
    expect(() => provePadding(db, path)).toThrow(
      expect.objectContaining({ code: 'LOG_UNSAFE', message: expect.stringContaining('psow=0') }),
    );
  });

  it('tells a full disk, on which nothing can be lost yet, from one that fails', async () => {
    const { db, path } = await fileOf(0);
    db.exec(
      'CREATE TRIGGER more AFTER INSERT ON fact BEGIN INSERT INTO word (text) VALUES (hex(randomblob(9000))); END',
    );
    db.pragma(`max_page_count = ${String(db.pragma('page_count', { simple: true }))}`);
    expect(provePadding(db, path)).toBe(false);
    db.exec(`DROP TRIGGER more; CREATE TRIGGER no BEFORE INSERT ON fact BEGIN SELECT RAISE(ABORT, 'no more'); END`);
    expect(() => provePadding(db, path)).toThrow(
      expect.objectContaining({ code: 'SQLITE_CONSTRAINT_TRIGGER', message: 'no more' }),
    );
    db.exec('DROP TRIGGER no');
    expect(provePadding(db, path)).toBe(true);
  });

  it.each([
    ['journal_mode = DELETE', 'journal_mode delete, synchronous 2'],
    ['synchronous = NORMAL', 'journal_mode wal, synchronous 1'],
    ['synchronous = OFF', 'journal_mode wal, synchronous 0'],
  ])('is refused with %s', async (pragma, told) => {
    const { db, path } = await fileOf(0);
    assertDurable(db, path);
    db.pragma(pragma);
    expect(() => assertDurable(db, path)).toThrow(
      expect.objectContaining({
        code: 'LOG_UNSAFE',
        message: `log ${path}: ${told} would lose events in a power cut: set log.path to a local disk (no network share)`,
      }),
    );
  });

  it('is opened by every start with synchronous=FULL, and the proof is no event', async () => {
    const path = tempPath();
    for (let start = 0; start < 3; start += 1) await (await openLog(path)).close();
    const db = openLogFile(path);
    expect(db.pragma('synchronous', { simple: true })).toBe(2);
    expect(db.prepare("SELECT value FROM fact WHERE key = 'starts'").pluck().get()).toBe('000000003');
    db.close();
    const log = await openLog(path);
    expect(await readAll(log)).toEqual([]);
    await log.append(levels(1));
    await log.close();
  });

  it('is refused by name where options in file names were switched off before', () => {
    const program = `
      const { openLogFile, prepareFile } = await import('./src/agent/log/log-file.ts');
      const path = process.argv[1];
      prepareFile(path);
      try { openLogFile(path); } catch (error) { console.log(error.code, error.message); }`;
    const run = (uri: string) =>
      execFileSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', program, tempPath()], {
        encoding: 'utf8',
        env: { ...process.env, SQLITE_USE_URI: uri },
      });
    expect(run('0')).toMatch(/^LOG_UNSAFE .*SQLITE_USE_URI=1/);
    expect(run('1')).toBe('');
  });

  it('is not called unsafe where nothing of it can be read', () => {
    const path = tempPath();
    // Nothing is mapped at its beginning: reads fail as those of a bad sector do.
    symlinkSync('/proc/self/mem', path);
    expect(() => openLogFile(path)).toThrow(expect.objectContaining({ code: 'SQLITE_IOERR_CORRUPTFS' }));
  });

  it.skipIf(!requireServer('strace', findStrace()))('is not called unsafe where the disk fails its first read', () => {
    const path = tempPath();
    const program = `
      const { openLogFile } = await import('./src/agent/log/log-file.ts');
      try { openLogFile(process.argv[1]).close(); } catch (error) { console.log(error.code); }`;
    const node = [process.execPath, '--no-warnings', '--input-type=module', '-e', program, path];
    // Of the file alone: Node.js reads others.
    const traced = ['-f', '-o', '/dev/null', '-P', path];
    const run = (inject: readonly string[]) =>
      execFileSync(STRACE, [...traced, ...inject, ...node], { encoding: 'utf8' });
    prepareFile(path);
    expect(run([])).toBe('');
    expect(run(['-e', 'trace=pread64', '-e', 'inject=pread64:error=EIO:when=1'])).toMatch(/^SQLITE_IOERR/);
    expect(run([])).toBe('');
  });
});
