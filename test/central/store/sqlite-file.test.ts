import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { expect, it, onTestFinished } from 'vitest';
import { openReplayStore, openStore } from '../../../src/central/open-store.ts';
import { inspectStore } from '../../../src/central/store/inspect.ts';
import { openSqliteFile, provePadding } from '../../../src/central/store/sqlite-file.ts';
import type { Tables } from '../../../src/central/store/tables.ts';
import { findStrace, STRACE } from '../../faults/io-errors.ts';
import { requireServer } from '../../servers.ts';

function tempPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-sqlite-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'central.db');
}

/** The file of a store, opened anew with `psow` as given. */
async function fileOf(psow: 0 | 1) {
  const path = tempPath();
  await (await openStore({ url: `sqlite:${path}` })).close();
  const file = new Database(`${pathToFileURL(path).href}?psow=${psow}`);
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: file }) });
  onTestFinished(() => db.destroy());
  file.pragma('synchronous = FULL');
  return { path, file, db };
}

const startsIn = (path: string) => {
  const file = new Database(path, { readonly: true });
  const starts = file.prepare("select value from meta where name = 'starts'").pluck().get();
  file.close();
  return starts;
};

it('pads each commit to the end of its sector, so that the next one cannot take it along', async () => {
  const path = tempPath();
  const file = openSqliteFile(path, true);
  onTestFinished(() => void file.close());
  file.exec('create table note (n integer primary key)');
  const before = statSync(`${path}-wal`).size;
  file.exec('insert into note values (1)');
  expect(statSync(`${path}-wal`).size - before).toBe(2 * (4_096 + 24));
});

it('is proved at each start, and not by who only looks or writes what can be made anew', async () => {
  const path = tempPath();
  const url = `sqlite:${path}`;
  for (let start = 0; start < 3; start += 1) await (await openStore({ url })).close();
  expect(startsIn(path)).toBe('000000003');
  await inspectStore(url, undefined);
  await (await openReplayStore({ url })).close();
  expect(startsIn(path)).toBe('000000003');
});

it.each([0, 1])('is proved wherever in the WAL its commits fall: %s frame ahead', async (odd) => {
  const { path, file, db } = await fileOf(0);
  file.pragma('wal_autocheckpoint = 0');
  const frames = () => (file.pragma('wal_checkpoint(NOOP)') as { log: number }[])[0]?.log ?? 0;
  file.exec('create table big (text text)');
  for (let pages = 1; frames() % 2 !== odd; pages += 1)
    file.prepare('insert into big values (?)').run('x'.repeat(pages * 4_096));
  for (let n = 0; n < 600; n += 1) await provePadding(db, path);
  expect(frames()).toBeGreaterThanOrEqual(1_200);
});

it('is refused where its commits share sectors', async () => {
  const { path, db } = await fileOf(1);
  await expect(provePadding(db, path)).rejects.toMatchObject({
    code: 'NOT_DURABLE',
    message: expect.stringContaining('psow=0'),
  });
});

it('is not refused on a full disk, where nothing can be lost yet', async () => {
  const { path, file, db } = await fileOf(0);
  file.exec('create table big (text text)');
  file.exec('create trigger more after update on meta begin insert into big values (hex(randomblob(9000))); end');
  file.pragma(`max_page_count = ${String(file.pragma('page_count', { simple: true }))}`);
  await provePadding(db, path);
  expect(startsIn(path)).toBe('000000001');
});

it('is refused by name where options in file names were switched off before, and a folder that is not there by its own', () => {
  const program = `
    const { openSqliteFile } = await import('./src/central/store/sqlite-file.ts');
    try { openSqliteFile(process.argv[1], true).close(); } catch (error) { console.log(error.code, error.message); }`;
  const run = (uri: string, path: string) =>
    execFileSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', program, path], {
      encoding: 'utf8',
      env: { ...process.env, SQLITE_USE_URI: uri },
    });
  expect(run('0', tempPath())).toMatch(/^NOT_DURABLE .*SQLITE_USE_URI=1/);
  expect(run('1', tempPath())).toBe('');
  expect(run('0', join(tempPath(), 'no', 'such.db'))).toMatch(/^SQLITE_CANTOPEN /);
  expect(run('0', ':memory:')).toBe('');
});

it.skipIf(!requireServer('strace', findStrace()))('is not called unsafe where the disk fails its first read', () => {
  const path = tempPath();
  const program = `
    const { openSqliteFile } = await import('./src/central/store/sqlite-file.ts');
    try { openSqliteFile(process.argv[1], true).close(); } catch (error) { console.log(error.code); }`;
  const node = [process.execPath, '--no-warnings', '--input-type=module', '-e', program, path];
  execFileSync(node[0] as string, node.slice(1));
  // Of the file alone: Node.js reads others.
  const inject = ['-f', '-o', '/dev/null', '-P', path, '-e', 'trace=pread64', '-e', 'inject=pread64:error=EIO:when=1'];
  expect(execFileSync(STRACE, [...inject, ...node], { encoding: 'utf8' })).toMatch(/^SQLITE_IOERR/);
  expect(execFileSync(node[0] as string, node.slice(1), { encoding: 'utf8' })).toBe('');
});

it('is refused where the file keeps no write-ahead log', () => {
  const path = tempPath();
  const real = Database.prototype.pragma;
  const held = new Database(path);
  onTestFinished(() => {
    Database.prototype.pragma = real;
    held.close();
  });
  Database.prototype.pragma = function (this: Database.Database, source, options) {
    return real.call(this, source === 'journal_mode = WAL' ? 'journal_mode = DELETE' : source, options);
  };
  expect(() => openSqliteFile(path, true)).toThrow(
    expect.objectContaining({ code: 'NOT_DURABLE', message: expect.stringContaining('journal_mode delete') }),
  );
});
