import { chmodSync, copyFileSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { CompiledQuery, Kysely } from 'kysely';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { openSqlite } from '../../../src/central/store/sqlite.ts';
import type { Store } from '../../../src/central/store/store.ts';
import type { Tables } from '../../../src/central/store/tables.ts';
import { tellHeld } from '../../../src/central/tell.ts';
import { newEvent } from '../../../src/contract/event.ts';
import { NOW } from './events.ts';

it('says that the disk is full, though SQLite has rolled back by itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-sqlite-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const db = new Kysely<Tables>({ dialect: openSqlite(join(folder, 'central.db')).kysely });
  onTestFinished(() => db.destroy());
  const run = (text: string) => db.executeQuery(CompiledQuery.raw(text));
  await run('create table note (text text)');
  await run('pragma max_page_count = 4');
  const filling = db.transaction().execute(async (trx) => {
    for (let i = 0; i < 10; i += 1)
      await trx.executeQuery(CompiledQuery.raw('insert into note values (zeroblob(4000))'));
  });
  await expect(filling).rejects.toMatchObject({ code: 'SQLITE_FULL' });
  // The connection is as good as before.
  await run('pragma max_page_count = 1000');
  await db.transaction().execute((trx) => trx.executeQuery(CompiledQuery.raw('insert into note values (1)')));
  expect((await run('select count(*) as n from note')).rows).toEqual([{ n: 1 }]);
});

it('gives the room of its write-ahead log back once nobody reads without an end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-sqlite-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'central.db');
  const db = new Kysely<Tables>({ dialect: openSqlite(path).kysely });
  onTestFinished(() => db.destroy());
  const run = (text: string) => db.executeQuery(CompiledQuery.raw(text));
  await run('create table note (text text)');
  await run('insert into note values (1), (2)');
  const other = new Database(path, { readonly: true });
  const held = other.prepare('select * from note').iterate();
  held.next();
  const megabyte = 1024 * 1024;
  for (let i = 0; i < 20; i += 1) await run(`insert into note values (zeroblob(${megabyte}))`);
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(20 * megabyte);
  held.return?.();
  other.close();
  // The first one finds the checkpoint possible, the second begins the log anew.
  for (let i = 0; i < 2; i += 1) await run('insert into note values (3)');
  expect(statSync(`${path}-wal`).size).toBeLessThanOrEqual(8 * megabyte);
});

describe('a store in a file', () => {
  const newPath = () => {
    const folder = mkdtempSync(join(tmpdir(), 'collard-sqlite-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    return join(folder, 'central.db');
  };

  it('says with a code that it cannot be opened', async () => {
    const nowhere = join(newPath(), 'no', 'such', 'folder.db');
    await expect(openStore({ url: `sqlite:${nowhere}` })).rejects.toMatchObject({ code: 'SQLITE_CANTOPEN' });
  });

  it('is for its owner only, with all that SQLite puts beside it', async () => {
    const before = process.umask(0o022);
    onTestFinished(() => void process.umask(before));
    const path = newPath();
    const store = await openStore({ url: `sqlite:${path}` });
    onTestFinished(() => store.close());
    const modes = ['', '-wal', '-shm'].map((end) => statSync(path + end).mode & 0o777);
    expect(modes).toEqual([0o600, 0o600, 0o600]);
  });

  it('keeps the mode that somebody gave it', async () => {
    const path = newPath();
    await (await openStore({ url: `sqlite:${path}` })).close();
    chmodSync(path, 0o640);
    await (await openStore({ url: `sqlite:${path}` })).close();
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('is another incarnation when its file was restored from a copy, and gives no key of its own again', async () => {
    const path = newPath();
    const moment = { time: NOW, clock: 'synced', boot: null, monoMs: null } as const;
    const say = async (store: Store, newName: string) => {
      const named = newEvent('cat.named', 'cat/1', { catId: 1, oldName: null, newName }, moment);
      await store.command(NOW, async () => ({ events: [named], result: null }));
      return (await store.newest({ agent: 'central', limit: 1 })).events[0];
    };
    const before = await openStore({ url: `sqlite:${path}` });
    await before.close();
    copyFileSync(path, `${path}.copy`);
    const lost = await openStore({ url: `sqlite:${path}` });
    const heard = await say(lost, 'Mia');
    await lost.close();
    renameSync(`${path}.copy`, path);
    const after = await openStore({ url: `sqlite:${path}` });
    onTestFinished(() => after.close());
    expect(after.incarnation).not.toBe(before.incarnation);
    const said = await say(after, 'Tom');
    expect([heard?.seq, said?.seq]).toEqual([1, 1]);
    expect(said?.epoch).not.toBe(heard?.epoch);
    expect(await after.event(heard?.epoch ?? '', 1)).toBeNull();
  });
});

it('waits on where others have the lock all the time that the driver may wait', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-sqlite-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'central.db');
  const warned: string[] = [];
  const tell = tellHeld({ warn: (_: object, text: string) => void warned.push(text) }, `sqlite:${path}`);
  const store = await openStore({ url: `sqlite:${path}`, onHeld: tell });
  onTestFinished(() => store.close());
  const other = new Database(path);
  onTestFinished(() => {
    other.close();
  });
  const taken = () => {
    other.exec('begin immediate');
    const taking = store.takeShard(3, { token: null, owner: 'one' });
    // The driver has waited in vain, and this process lives on.
    setImmediate(() => other.exec('rollback'));
    return taking;
  };
  expect(await store.takeShard(2, { token: null, owner: 'one' })).toBe(1);
  expect([await taken(), warned]).toEqual([
    1,
    [`another program holds the store ${path}: end it, or central will end: fuser ${path} tells which`],
  ]);
  expect([await taken(), warned.length]).toEqual([2, 1]);
});
