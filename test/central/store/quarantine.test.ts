import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Kept } from '../../../src/central/store/kept.ts';
import { MAX_MESSAGE_BYTES, MAX_QUARANTINE_OF_AGENT } from '../../../src/central/store/quarantine.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { freshStore } from '../engines/fresh.ts';
import { epochId, meowing, NOW, type Writer } from './events.ts';
import { quarantine, saveState } from './said.ts';

const LATER = '2026-11-23T12:00:01.000Z';
let store: Store;

beforeEach(async () => {
  store = await freshStore();
});
afterEach(() => store.close());

const known = (agent: string) => saveState(store, agent, { state: 'online', session: 1, version: '1' }, NOW);
const put = (agent: string, text: string | Buffer, now = NOW) =>
  quarantine(
    store,
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

  it('knows which rejected events are held by nothing else', async () => {
    const porch = meowing('porch', epochId(1), 6);
    const spoilt = (seq: number) => ({ epoch: porch.epoch, seq, reason: 'is no event', text: `${seq}` });
    const without = (batch: ReturnType<Writer['batch']>, ...seqs: number[]) => ({
      ...batch,
      events: batch.events.filter(({ seq }) => !seqs.includes(seq)),
      bad: seqs.map(spoilt),
    });
    await put('porch', 'is no event, and has no place');
    await store.ingest(without(porch.batch(1, 6), 2, 4, 6), NOW);
    // The number of another agent's epoch is no matter.
    await store.ingest(without(meowing('shed', epochId(2), 6).batch(1, 6), 3), NOW);
    const onlyCopies = async () => {
      const found: number[] = [];
      for (const { no } of await all()) if (await store.isOnlyCopy(no)) found.push(no);
      return found;
    };
    expect(await onlyCopies()).toEqual([2, 3, 4, 5]);
    await store.ingest(porch.batch(4, 4), NOW);
    expect(await onlyCopies()).toEqual([2, 4, 5]);
    await store.dropQuarantined(2);
    expect(await onlyCopies()).toEqual([4, 5]);
    expect(await store.isOnlyCopy(2)).toBe(false);
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

  it('takes names that no agent has for one: they are free to make up', async () => {
    for (let i = 0; i < MAX_QUARANTINE_OF_AGENT + 5; i += 1) await put(`made-up-${i}`, `text ${i}`);
    expect((await all()).length).toBe(MAX_QUARANTINE_OF_AGENT);
    expect((await store.quarantineTally()).dropped).toEqual([{ agent: '', kind: 'unreadable', messages: 5 }]);
  });

  it('finds by agent and kind, page by page', async () => {
    await known('porch');
    for (let i = 0; i < 5; i += 1) await put(i % 2 === 0 ? 'porch' : 'nobody', `text ${i}`);
    const refused = { agent: 'porch', topic: 't/porch', payload: Buffer.from('x'), reason: 'not yours' };
    await quarantine(store, { ...refused, kind: 'refused' }, NOW);
    const numbers = async (query: object) =>
      (await store.quarantined({ after: 0, limit: 10, ...query })).map(({ no }) => no);
    expect(await numbers({ agent: 'porch' })).toEqual([1, 3, 5, 6]);
    expect(await numbers({ agent: '' })).toEqual([2, 4]);
    expect(await numbers({ kind: 'refused' })).toEqual([6]);
    expect(await numbers({ limit: 2, after: 2 })).toEqual([3, 4]);
    expect((await store.agents()).map(({ agent, quarantined }) => [agent, quarantined])).toEqual([['porch', 4]]);
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
});
