import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { CompiledQuery, Kysely } from 'kysely';
import { expect, it, onTestFinished } from 'vitest';
import { openSqlite } from '../../../src/central/store/sqlite.ts';
import { createStatements } from '../../../src/central/store/sqlite-statements.ts';
import type { Tables } from '../../../src/central/store/tables.ts';

/** A real database in memory, in which the next run of `text` fails with `code`, once. */
function failingOnce(text: string, code: string) {
  const database = new Database(':memory:');
  onTestFinished(() => void database.close());
  database.exec('create table note (n integer primary key)');
  let armed = true;
  const asked: string[] = [];
  const prepare = (source: string) => {
    const statement = database.prepare<unknown[]>(source);
    const run = statement.run.bind(statement);
    statement.run = (...parameters: unknown[]) => {
      asked.push(source);
      if (source !== text || !armed) return run(...parameters);
      armed = false;
      throw new Database.SqliteError('disk I/O error', code);
    };
    return statement;
  };
  const failing = new Proxy(database, {
    get: (target, key) => (key === 'prepare' ? prepare : Reflect.get(target, key, target)),
  });
  return { ...createStatements(failing), asked };
}

it.each(['SQLITE_IOERR_FSYNC', 'SQLITE_IOERR_WRITE', 'SQLITE_CORRUPT', 'SQLITE_CORRUPT_INDEX', 'SQLITE_NOTADB'])(
  'nothing is asked of a file any more after %s, though it would go well',
  (code) => {
    const { database, lost, asked } = failingOnce('commit', code);
    database.prepare('begin').run([]);
    const insert = database.prepare('insert into note values (?)');
    insert.run([1]);
    expect(lost.aborted).toBe(false);
    expect(() => database.prepare('commit').run([])).toThrow(
      expect.objectContaining({
        code: 'STORE_FAILED',
        message: 'the store failed: disk I/O error',
        cause: expect.objectContaining({ code }),
      }),
    );
    expect(lost.aborted).toBe(true);
    const before = asked.length;
    // What is prepared, what is new, and what only reads: all of it with the one error.
    expect(() => insert.run([2])).toThrow(lost.reason);
    expect(() => database.prepare('begin').run([])).toThrow(lost.reason);
    expect(() => database.prepare('select * from note').all([])).toThrow(lost.reason);
    expect(() => database.prepare('select 1').iterate([])).toThrow(lost.reason);
    expect(asked).toHaveLength(before);
  },
);

it.each(['SQLITE_FULL', 'SQLITE_BUSY', 'SQLITE_CONSTRAINT_NOTNULL', 'SQLITE_READONLY'])(
  'goes on after %s, and says so as it is',
  (code) => {
    const { database, lost } = failingOnce('insert into note values (?)', code);
    const insert = database.prepare('insert into note values (?)');
    expect(() => insert.run([1])).toThrow(expect.objectContaining({ code }));
    expect(lost.aborted).toBe(false);
    insert.run([1]);
    expect([...database.prepare('select n from note').iterate([])]).toEqual([{ n: 1 }]);
  },
);

it('a page of the file that holds something else is the end of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-sqlite-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'central.db');
  const open = () => {
    const { kysely, lost } = openSqlite(path);
    const db = new Kysely<Tables>({ dialect: kysely });
    return { db, lost, run: (text: string) => db.executeQuery(CompiledQuery.raw(text)) };
  };
  const before = open();
  await before.run('create table note (text text)');
  await before.run('insert into note values (1)');
  await before.db.destroy();
  const pages = readFileSync(path);
  writeFileSync(path, pages.fill(0xff, 4_096));
  const { db, lost, run } = open();
  onTestFinished(() => db.destroy());
  await expect(run('select * from note')).rejects.toMatchObject({
    code: 'STORE_FAILED',
    cause: { code: 'SQLITE_CORRUPT' },
  });
  await expect(run('select 1')).rejects.toBe(lost.reason);
});
