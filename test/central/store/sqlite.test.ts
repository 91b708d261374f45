import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompiledQuery, Kysely } from 'kysely';
import { expect, it, onTestFinished } from 'vitest';
import { openSqlite } from '../../../src/central/store/sqlite.ts';
import type { Tables } from '../../../src/central/store/tables.ts';

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
