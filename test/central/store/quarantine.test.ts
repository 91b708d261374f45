import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { MAX_CONFLICTS_OF_AGENT } from '../../../src/central/store/conflicts.ts';
import type { Kept } from '../../../src/central/store/kept.ts';
import {
  MAX_MESSAGE_BYTES,
  MAX_QUARANTINE,
  MAX_QUARANTINE_BYTES,
  MAX_QUARANTINE_BYTES_OF_AGENT,
  MAX_QUARANTINE_OF_AGENT,
} from '../../../src/central/store/quarantine.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { epochId, meowing, NOW } from './events.ts';

const LATER = '2026-11-23T12:00:01.000Z';
let folder: string;
let path: string;
let store: Store;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'collard-quarantine-'));
  path = join(folder, 'central.db');
  store = await openStore({ url: `sqlite:${path}` });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const known = (agent: string) => store.saveState(agent, { state: 'online', session: 1, version: '1' }, NOW);
const put = (agent: string, text: string | Buffer, now = NOW) =>
  store.quarantine(
    { agent, topic: `t/${agent}`, payload: Buffer.from(text), kind: 'unreadable', reason: 'is no JSON' },
    now,
  );
const all = (): Promise<readonly Kept[]> => store.quarantined({ after: 0, limit: 10_000 });

describe('the quarantine of the store', () => {
  it('keeps a message whole, and the number of each for ever', async () => {
    await known('porch');
    const payload = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 256));
    await put('porch', payload);
    const [kept] = await all();
    expect(kept).toEqual({
      no: 1,
      agent: 'porch',
      topic: 't/porch',
      kind: 'unreadable',
      reason: 'is no JSON',
      noted: NOW,
      lastNoted: NOW,
      times: 1,
      bytes: 300_000,
      place: null,
    });
    expect(Buffer.from((await store.quarantinedMessage(1))?.payload ?? []).equals(payload)).toBe(true);
    expect(await store.dropQuarantined(1)).toBe(1);
    expect(await store.dropQuarantined(1)).toBe(0);
    await put('porch', 'another');
    expect((await all()).map(({ no }) => no)).toEqual([2]);
  });

  it('counts a message that comes again, and keeps it once', async () => {
    await known('porch');
    for (const now of [NOW, NOW, LATER]) await put('porch', 'same', now);
    expect(await all()).toMatchObject([{ no: 1, times: 3, noted: NOW, lastNoted: LATER }]);
    expect(await store.quarantineTally()).toEqual({ messages: 1, bytes: 4, noted: 3, dropped: [] });
    expect((await store.counts()).quarantined).toBe(3);
  });

  it('cuts what is longer than any batch, and says how long it was', async () => {
    await put('', Buffer.alloc(MAX_MESSAGE_BYTES + 1));
    expect((await all())[0]?.bytes).toBe(MAX_MESSAGE_BYTES + 1);
    expect((await store.quarantinedMessage(1))?.payload.byteLength).toBe(MAX_MESSAGE_BYTES);
  });

  it('lets an agent that floods push out only its own, and counts what goes', async () => {
    for (const agent of ['porch', 'shed']) await known(agent);
    for (let i = 0; i < 3; i += 1) await put('shed', `shed ${i}`);
    for (let i = 0; i < MAX_QUARANTINE_OF_AGENT + 10; i += 1) await put('porch', `porch ${i}`);
    const kept = await all();
    expect(kept.filter(({ agent }) => agent === 'shed')).toHaveLength(3);
    expect(kept.filter(({ agent }) => agent === 'porch')).toHaveLength(MAX_QUARANTINE_OF_AGENT);
    expect(kept.find(({ agent }) => agent === 'porch')?.no).toBe(14);
    const dropped = [{ agent: 'porch', kind: 'unreadable', messages: 10 }];
    expect((await store.quarantineTally()).dropped).toEqual(dropped);
  });

  it('lets whoever has most go first when all together are too many', async () => {
    const floods = Array.from({ length: MAX_QUARANTINE / MAX_QUARANTINE_OF_AGENT }, (_, i) => `flood${i}`);
    for (const agent of [...floods, 'shed']) await known(agent);
    await put('shed', 'the only one');
    for (const agent of floods) for (let i = 0; i < MAX_QUARANTINE_OF_AGENT; i += 1) await put(agent, `${agent} ${i}`);
    const tally = await store.quarantineTally();
    expect([tally.messages, tally.dropped.map((one) => one.messages)]).toEqual([MAX_QUARANTINE, [1]]);
    expect((await all())[0]).toMatchObject({ agent: 'shed' });
  });

  it('keeps within its bytes, of one agent and of all', async () => {
    const agents = Array.from({ length: 5 }, (_, i) => `a${i}`);
    for (const agent of agents) {
      await known(agent);
      for (let i = 0; i < 18; i += 1) await put(agent, Buffer.alloc(MAX_MESSAGE_BYTES, `${agent} ${i} `));
      const own = (await all()).filter((kept) => kept.agent === agent).length;
      expect(own * MAX_MESSAGE_BYTES).toBeLessThanOrEqual(MAX_QUARANTINE_BYTES_OF_AGENT);
    }
    expect((await store.quarantineTally()).bytes).toBe(MAX_QUARANTINE_BYTES);
    const { messages, dropped } = await store.quarantineTally();
    expect(messages + dropped.reduce((sum, one) => sum + one.messages, 0)).toBe(90);
  }, 30_000);

  it('takes names that no agent has for one: they are free to make up', async () => {
    for (let i = 0; i < MAX_QUARANTINE_OF_AGENT + 5; i += 1) await put(`made-up-${i}`, `text ${i}`);
    expect((await all()).length).toBe(MAX_QUARANTINE_OF_AGENT);
    expect((await store.quarantineTally()).dropped).toEqual([{ agent: '', kind: 'unreadable', messages: 5 }]);
  });

  it('finds by agent and kind, page by page', async () => {
    await known('porch');
    for (let i = 0; i < 5; i += 1) await put(i % 2 === 0 ? 'porch' : 'nobody', `text ${i}`);
    const refused = { agent: 'porch', topic: 't/porch', payload: Buffer.from('x'), reason: 'not yours' };
    await store.quarantine({ ...refused, kind: 'refused' }, NOW);
    const numbers = async (query: object) =>
      (await store.quarantined({ after: 0, limit: 10, ...query })).map(({ no }) => no);
    expect(await numbers({ agent: 'porch' })).toEqual([1, 3, 5, 6]);
    expect(await numbers({ agent: '' })).toEqual([2, 4]);
    expect(await numbers({ kind: 'refused' })).toEqual([6]);
    expect(await numbers({ limit: 2, after: 2 })).toEqual([3, 4]);
    expect((await store.agents()).map(({ agent, quarantined }) => [agent, quarantined])).toEqual([['porch', 4]]);
  });

  it('brings the messages of an older store along, and says which were cut', async () => {
    await store.close();
    const db = new Database(path);
    // As migration 0001 made it.
    db.exec(`drop table quarantine; drop table quarantine_tally;
      delete from meta where name = 'quarantine.last'; delete from kysely_migration where name = '0005_quarantine';
      create table quarantine (no integer not null primary key, topic varchar(255) not null,
        payload text not null, reason varchar(255) not null, noted varchar(24) not null);`);
    const insert = db.prepare('insert into quarantine values (?, ?, ?, ?, ?)');
    insert.run(11, 't/porch', Buffer.from('short').toString('base64'), 'is no JSON', NOW);
    insert.run(12, 't/porch', Buffer.alloc(4_096).toString('base64'), 'is no JSON', NOW);
    db.close();
    store = await openStore({ url: `sqlite:${path}` });
    expect(await all()).toMatchObject([
      { no: 11, reason: 'is no JSON', times: 1 },
      { no: 12, reason: 'cut to 4096 bytes; is no JSON' },
    ]);
    expect(Buffer.from((await store.quarantinedMessage(11))?.payload ?? []).toString()).toBe('short');
    // Ten had gone without a word.
    expect(await store.quarantineTally()).toMatchObject({
      noted: 12,
      dropped: [{ agent: '', kind: 'unreadable', messages: 10 }],
    });
    await put('', 'next');
    expect((await all()).at(-1)?.no).toBe(13);
  });
});

describe('conflicts', () => {
  it('are kept once each, and listed with their bodies', async () => {
    await store.ingest(meowing('porch', epochId(1), 4).batch(1, 4), NOW);
    const clone = meowing('porch', epochId(1), 4, 'DEADBEEF');
    for (let i = 0; i < 2; i += 1) {
      expect(await store.ingest(clone.batch(2, 3), NOW)).toMatchObject({ conflicts: 2, unkept: 0 });
    }
    const found = await store.conflicting({ after: 0, limit: 10, agent: 'porch' });
    expect(found.map(({ seq, body }) => [seq, JSON.parse(body).subject])).toEqual([
      [2, 'collar/DEADBEEF'],
      [3, 'collar/DEADBEEF'],
    ]);
    expect(await store.conflicting({ after: 1, limit: 10 })).toHaveLength(1);
    expect(await store.conflicting({ after: 0, limit: 10, agent: 'shed' })).toEqual([]);
  });

  it('beyond the limit of one agent are counted, and leave room for those of others', async () => {
    const ingest = async (agent: string, n: number, collar: string) => {
      const writer = meowing(agent, epochId(n), 500, collar);
      return store.ingest(writer.batch(1, 500), NOW);
    };
    for (const [agent, n] of [
      ['porch', 1],
      ['shed', 2],
    ] as const)
      await ingest(agent, n, 'C0FFEE01');
    let unkept = 0;
    for (let i = 0; i < MAX_CONFLICTS_OF_AGENT / 500 + 1; i += 1) {
      unkept += (await ingest('porch', 1, `COPY${i}`)).unkept;
    }
    expect(unkept).toBe(500);
    expect((await store.counts()).conflicts).toBe(MAX_CONFLICTS_OF_AGENT);
    expect(await ingest('shed', 2, 'COPY')).toMatchObject({ conflicts: 500, unkept: 0 });
    expect((await store.quarantineTally()).dropped).toEqual([{ agent: 'porch', kind: 'conflict', messages: 500 }]);
  }, 30_000);
});
