/** A database that an older collard has written, as a file of SQL that never changes. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import { epochId, meowing, NOW } from './events.ts';
import { quarantine } from './said.ts';

it('goes on where an older collard has ended, with all that it had', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-upgrade-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'central.db');
  const db = new Database(path);
  db.exec(readFileSync(new URL('./schema-0003.sql', import.meta.url), 'utf8'));
  const insert = db.prepare('insert into quarantine values (?, ?, ?, ?, ?)');
  insert.run(11, 't/porch', Buffer.from('short').toString('base64'), 'is no JSON', NOW);
  insert.run(12, 't/porch', Buffer.alloc(4_096).toString('base64'), 'is no JSON', NOW);
  db.close();
  const store = await openStore({ url: `sqlite:${path}` });
  onTestFinished(() => store.close());
  const porch = meowing('porch', epochId(1), 6);
  const { stored, ...result } = await store.ingest(porch.batch(3, 6), NOW);
  expect(result).toMatchObject({ inserted: 2, duplicates: 2, chainOk: true });
  expect(chainHex(stored.chain)).toBe(chainHex(porch.chain(6)));
  while ((await store.project(100)).events > 0);
  expect(await store.cats(new Date(NOW))).toMatchObject([{ id: 1, name: 'Minka', collar: 'C0FFEE01', meowsToday: 3 }]);
  expect(await store.quarantined({ after: 0, limit: 10 })).toMatchObject([
    { no: 11, reason: 'is no JSON', times: 1 },
    { no: 12, reason: 'cut to 4096 bytes; is no JSON' },
  ]);
  expect(Buffer.from((await store.quarantinedMessage(11))?.payload ?? []).toString()).toBe('short');
  // Ten had gone without a word.
  expect(await store.quarantineTally()).toMatchObject({
    noted: 12,
    dropped: [{ agent: '', kind: 'unreadable', messages: 10 }],
  });
  await quarantine(
    store,
    { agent: '', topic: 't', payload: Buffer.from('next'), kind: 'unreadable', reason: 'is no JSON' },
    NOW,
  );
  expect((await store.quarantined({ after: 12, limit: 10 })).map(({ no }) => no)).toEqual([13]);
});
