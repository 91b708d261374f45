import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';

const run = promisify(execFile);
const program = fileURLToPath(new URL('./open-store.ts', import.meta.url));

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-migrations-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens a store whose process dies before the `at`-th statement: nothing more reaches the file. False: it was open before. */
async function openAndDie(path: string, at: number): Promise<boolean> {
  let count = 0;
  const opened = new Set<Database.Database>();
  const prepare = Database.prototype.prepare;
  const spy = vi.spyOn(Database.prototype, 'prepare').mockImplementation(function (this: Database.Database, sql) {
    opened.add(this);
    count += 1;
    if (count >= at) throw new Error('the process is gone');
    return prepare.call(this, sql);
  });
  try {
    const store = await openStore({ url: `sqlite:${path}` });
    await store.close();
    return false;
  } catch {
    return true;
  } finally {
    spy.mockRestore();
    for (const db of opened) db.close();
  }
}

describe('a schema', () => {
  it('is whole or not there, wherever its first start dies', async () => {
    const folder = newFolder();
    let at = 1;
    while (await openAndDie(join(folder, `${at}.db`), at)) {
      const store = await openStore({ url: `sqlite:${join(folder, `${at}.db`)}` });
      expect(await store.counts()).toMatchObject({ events: 0, quarantined: 0 });
      await store.close();
      at += 1;
    }
    // As many as it takes to make every table, or nothing was tried.
    expect(at).toBeGreaterThan(30);
  }, 120_000);

  it('is looked at by one short list where it is made', async () => {
    const path = join(newFolder(), 'central.db');
    const spy = vi.spyOn(Database.prototype, 'prepare');
    onTestFinished(() => spy.mockRestore());
    const statements = async () => {
      spy.mockClear();
      const store = await openStore({ url: `sqlite:${path}` });
      await store.close();
      return spy.mock.calls.map(([sql]) => sql);
    };
    const ofSchema = (sql: string) => /sqlite_master|kysely_migration|create /i.test(sql);
    expect((await statements()).filter(ofSchema).length).toBeGreaterThan(30);
    expect((await statements()).filter(ofSchema)).toEqual(['select name from kysely_migration order by name']);
  });

  it('is not taken for ours where the list names what we do not know', async () => {
    const path = join(newFolder(), 'central.db');
    await (await openStore({ url: `sqlite:${path}` })).close();
    const db = new Database(path);
    onTestFinished(() => void db.close());
    const names = db.prepare<[], string>('SELECT name FROM kysely_migration ORDER BY name').pluck().all();
    db.prepare(`UPDATE kysely_migration SET name = 'zz' || name WHERE name = ?`).run(names.at(-1));
    // As many as there should be, but one of them is of another program.
    await expect(openStore({ url: `sqlite:${path}` })).rejects.toMatchObject({ code: 'SCHEMA' });
  });

  it('that is newer than this program is refused, and nothing in it is touched', async () => {
    const path = join(newFolder(), 'central.db');
    await (await openStore({ url: `sqlite:${path}` })).close();
    const file = new Database(path);
    file.prepare('insert into kysely_migration (name, timestamp) values (?, ?)').run('9999_future', '2030-01-01');
    file.exec('create table later (no integer)');
    const tables = () => file.prepare('select name, sql from sqlite_schema order by name').all();
    const before = tables();
    await expect(openStore({ url: `sqlite:${path}` })).rejects.toMatchObject({ code: 'SCHEMA' });
    expect(tables()).toEqual(before);
    file.close();
  });

  it('is made once where several start together', async () => {
    const path = join(newFolder(), 'central.db');
    const starts = Array.from({ length: 4 }, () => run(process.execPath, ['--no-warnings', program, path]));
    expect(await Promise.all(starts)).toHaveLength(4);
    const store = await openStore({ url: `sqlite:${path}` });
    expect(await store.counts()).toMatchObject({ events: 0 });
    await store.close();
  }, 120_000);
});
