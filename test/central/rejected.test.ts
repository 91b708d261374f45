/** Poison in a batch stops nobody: the bad event alone is put aside, and all others are stored, of that agent too. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { constantFrom, integer, sample, tuple } from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../src/central/open-store.ts';
import { retry } from '../../src/central/retry.ts';
import { MAX_CONFLICTS_OF_AGENT } from '../../src/central/store/conflicts.ts';
import { MAX_QUARANTINE_OF_AGENT } from '../../src/central/store/quarantine.ts';
import type { Store } from '../../src/central/store/store.ts';
import { decodeIncoming } from '../../src/central/subscriber/message.ts';
import { chainHex } from '../../src/contract/chain.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { encodeSync } from '../../src/contract/message.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import { insertRows, rowsOf } from './engines/fresh.ts';
import { at, epochId, meowing, NOW, type Writer } from './store/events.ts';
import { quarantine } from './store/said.ts';

const BASE = 'collard/v1';
type Item = Record<string, unknown>;
type Spoil = (item: Item) => unknown;

let store: Store;
beforeEach(async () => {
  store = await openStore({ url: 'sqlite::memory:' });
});
afterEach(() => store.close());

const noTime: Spoil = (item) => ({ ...item, time: 'yesterday' });

/** Seqs from..to of a writer, some of them spoilt, through the border and into the store. */
async function send(writer: Writer, from: number, to: number, spoilt: ReadonlyMap<number, Spoil> = new Map()) {
  const items = JSON.parse(encodeBatch(writer.batch(from, to))) as Item[];
  const payload = Buffer.from(JSON.stringify(items.map((item, i) => spoilt.get(from + i)?.(item) ?? item)));
  const received = decodeIncoming(BASE, { topic: agentTopic(BASE, writer.agent, 'events'), payload });
  if (received.type !== 'batch') throw new Error('it has no frame');
  return store.ingest(received.batch, NOW);
}

/** Seqs from..to as a central has them that could not read `seq` yet. */
function newToCentral(writer: Writer, from: number, to: number, seq: number) {
  const { events, ...batch } = writer.batch(from, to);
  const [item] = JSON.parse(encodeBatch(writer.batch(seq, seq))) as Item[];
  const bad = [{ epoch: writer.epoch, seq, reason: 'is new to me', text: JSON.stringify(item) }];
  return { ...batch, events: events.filter((event) => event.seq !== seq), bad };
}

const parts = () => ({
  store,
  base: BASE,
  clock: () => new Date(NOW),
  ingested: () => undefined,
  changed: () => undefined,
});

describe('an event that is none', () => {
  it('is put aside with its place, and the mark passes it to where the chain is known', async () => {
    const porch = meowing('porch', epochId(1), 20);
    const result = await send(porch, 1, 10, new Map([[4, noTime]]));
    expect(result).toMatchObject({ inserted: 9, rejected: 1, waiting: 0, chainOk: true });
    expect(result.stored).toMatchObject({ seq: 10, need: [] });
    expect(chainHex(result.stored.chain)).toBe(chainHex(porch.chain(10)));
    expect(await store.quarantined({ after: 0, limit: 10 })).toMatchObject([
      {
        agent: 'porch',
        kind: 'rejected',
        place: { epoch: epochId(1), seq: 4 },
        reason: expect.stringContaining('time'),
      },
    ]);
    expect(await store.counts()).toMatchObject({ events: 9, gaps: 1, quarantined: 1 });
    expect((await send(porch, 11, 20)).stored).toMatchObject({ seq: 20, need: [] });
  });

  it.each([
    ['first', 1],
    ['last', 10],
  ])('may be the %s of its batch', async (_name, seq) => {
    const porch = meowing('porch', epochId(1), 20);
    expect((await send(porch, 1, 10, new Map([[seq, noTime]]))).stored).toMatchObject({ seq: 10, need: [] });
    expect(await send(porch, 11, 20)).toMatchObject({ chainOk: true, stored: { seq: 20, need: [] } });
  });

  it('without a chain at the end is passed once the agent tells its chain again', async () => {
    const porch = meowing('porch', epochId(1), 12);
    expect((await send(porch, 1, 10, new Map([[10, () => 7]]))).stored).toMatchObject({ seq: 9, need: [] });
    const sync = { epoch: epochId(1), firstSeq: 1, lastSeq: 10, chain: porch.chain(10) };
    expect(await store.sync('porch', sync, NOW)).toMatchObject({ seq: 10 });
    expect(encodeSync(sync)).toContain(chainHex(porch.chain(10)));
  });

  it('that comes again is known, and so is one whose row was dropped', async () => {
    const porch = meowing('porch', epochId(1), 10);
    const spoilt = new Map([[4, noTime]]);
    await send(porch, 1, 10, spoilt);
    expect(await send(porch, 1, 10, spoilt)).toMatchObject({ inserted: 0, duplicates: 10, rejected: 0, conflicts: 0 });
    await store.dropQuarantined('all');
    expect(await send(porch, 4, 10, spoilt)).toMatchObject({ inserted: 0, duplicates: 7, rejected: 0 });
    expect(await store.quarantined({ after: 0, limit: 10 })).toEqual([]);
  });

  it('under the number of an event that is stored is a conflict', async () => {
    const porch = meowing('porch', epochId(1), 10);
    await send(porch, 1, 10);
    expect(await send(porch, 1, 10, new Map([[4, noTime]]))).toMatchObject({
      conflicts: 1,
      rejected: 0,
      duplicates: 9,
    });
    expect((await store.conflicting({ after: 0, limit: 10 }))[0]?.body).toContain('yesterday');
  });

  it('is stored in its place when it comes good after all, or is taken in again', async () => {
    const porch = meowing('porch', epochId(1), 10);
    await send(porch, 1, 10, new Map([[4, noTime]]));
    expect(await retry(parts(), 1)).toEqual({ ok: false, reason: expect.stringContaining('time') });
    expect(await send(porch, 4, 4)).toMatchObject({ inserted: 1 });
    expect(await store.counts()).toMatchObject({ events: 10, gaps: 0 });
    expect(chainHex((await store.chainAt(epochId(1), 10)) ?? new Uint8Array())).toBe(chainHex(porch.chain(10)));
  });

  it('that this central can read is taken in from quarantine, and its gap is closed', async () => {
    const known = newToCentral(meowing('porch', epochId(1), 10), 1, 10, 4);
    expect(await store.ingest(known, NOW)).toMatchObject({ rejected: 1, stored: { seq: 10 } });
    expect(await retry(parts(), 1)).toEqual({ ok: true, inserted: 1, duplicates: 0, conflicts: 0 });
    expect(await store.counts()).toMatchObject({ events: 10, gaps: 0 });
    expect(await store.quarantined({ after: 0, limit: 10 })).toEqual([]);
    const positions = (await store.events({ limit: 100 })).events.map(({ position }) => position);
    expect(positions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('stays where its place is sealed, whole and with what can be done', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'collard-rejected-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    await store.ingest(newToCentral(meowing('porch', epochId(1), 20), 1, 20, 4), NOW);
    await store.project(2_000);
    const old = { dir, before: at(10), signal: new AbortController().signal };
    expect(await store.expire(old)).toMatchObject({ events: 9 });
    const reason = expect.stringMatching(/sealed in a segment.*export it/);
    const before = await store.quarantinedMessage(1);
    expect(await retry(parts(), 1)).toEqual({ ok: false, reason });
    expect(await store.quarantinedMessage(1)).toEqual({ ...before, reason });
    // Where an event is in its place there is another copy.
    await store.ingest(newToCentral(meowing('shed', epochId(2), 20), 1, 20, 4), NOW);
    await store.ingest(meowing('shed', epochId(2), 20).batch(4, 4), NOW);
    await store.project(2_000);
    await store.expire(old);
    expect(await retry(parts(), 2)).toEqual({ ok: true, inserted: 0, duplicates: 1, conflicts: 0 });
    expect(await store.quarantined({ after: 0, limit: 10 })).toMatchObject([{ no: 1 }]);
  });

  it('stays where it conflicts and no more conflicts are kept; what else is of its message is stored', async () => {
    const url = `sqlite:${join(mkdtempSync(join(tmpdir(), 'collard-rejected-')), 'central.db')}`;
    onTestFinished(() => rmSync(dirname(url.slice('sqlite:'.length)), { recursive: true }));
    await store.close();
    store = await openStore({ url });
    const porch = meowing('porch', epochId(1), 10);
    await store.ingest(newToCentral(porch, 1, 6, 4), NOW);
    await store.ingest(meowing('porch', epochId(1), 10, 'DEADBEEF').batch(4, 4), NOW);
    const payload = Buffer.from(encodeBatch(porch.batch(4, 8)));
    const topic = agentTopic(BASE, 'porch', 'events');
    await quarantine(store, { agent: 'porch', topic, payload, kind: 'refused', reason: 'as it was then' }, NOW);
    const [{ no: epochNo } = {}] = await rowsOf(url, `select no from epoch where epoch = '${porch.epoch}'`);
    const rows = Array.from({ length: MAX_CONFLICTS_OF_AGENT }, (_, i) => {
      return { epoch_no: epochNo, seq: 1, hash: String(i).padStart(64, '0'), body: '{}', noted: NOW };
    });
    await insertRows(url, 'conflict', rows);
    const ingested: number[] = [];
    const counting = { ...parts(), ingested: ({ inserted }: { inserted: number }) => void ingested.push(inserted) };
    const reason = expect.stringMatching(/^1 of .* other events, and no more conflicts are kept: export it/);
    for (const no of [1, 2]) expect(await retry(counting, no)).toEqual({ ok: false, reason });
    expect(ingested).toEqual([0, 2]);
    expect(await store.quarantined({ after: 0, limit: 10 })).toMatchObject([{ reason }, { reason }]);
    await rowsOf(url, `delete from conflict where hash < '${'0'.repeat(60)}0002'`);
    expect(await retry(parts(), 1)).toEqual({ ok: true, inserted: 0, duplicates: 0, conflicts: 1 });
    expect(await retry(parts(), 2)).toEqual({ ok: true, inserted: 0, duplicates: 4, conflicts: 1 });
    expect((await store.conflicting({ after: 0, limit: 20_000 })).filter(({ seq }) => seq === 4)).toHaveLength(1);
  });

  it('for which there is no room stays with its agent: the mark does not pass it, and others go on', async () => {
    const count = MAX_QUARANTINE_OF_AGENT;
    const porch = meowing('porch', epochId(1), count);
    const spoilt = new Map(Array.from({ length: count }, (_, i) => [i + 1, noTime]));
    const full = await send(porch, 1, count, spoilt);
    const room = count / 2;
    expect(full).toMatchObject({ rejected: room, waiting: room });
    expect(full.stored.need).toEqual([[room + 1, count]]);
    expect(await send(porch, room + 1, room + 1, spoilt)).toMatchObject({ rejected: 0, waiting: 1 });
    expect((await send(meowing('shed', epochId(2), 5), 1, 5, new Map([[2, noTime]]))).stored.seq).toBe(5);
    // What is rejected is the only copy: a flood of messages does not push it out.
    for (let i = 0; i < MAX_QUARANTINE_OF_AGENT + 50; i += 1) {
      const message = { agent: 'porch', topic: 't', payload: Buffer.from(`${i}`), reason: 'flood' };
      await quarantine(store, { ...message, kind: 'unreadable' }, NOW);
    }
    expect(await store.quarantined({ after: 0, limit: 1_000, agent: 'porch', kind: 'rejected' })).toHaveLength(room);
    await store.dropQuarantined('all');
    expect(await send(porch, room + 1, count, spoilt)).toMatchObject({ rejected: room, waiting: 0 });
  });
});

describe('batches with one bad event in N', () => {
  const spoils: readonly Spoil[] = [
    noTime,
    () => 7,
    () => ({}),
    () => [],
    ({ seq: _, ...item }) => item,
    (item) => ({ ...item, data: 'x' }),
    (item) => ({ ...item, data: { text: 'x'.repeat(65_536) } }),
    (item) => ({ ...item, specversion: '2.0' }),
    (item) => ({ ...item, source: 'nobody' }),
  ];
  const script = tuple(
    integer({ min: 2, max: 40 }),
    integer({ min: 0, max: 1_000 }),
    constantFrom(...spoils),
    constantFrom('in order', 'backwards', 'twice'),
  );

  it('stop neither others nor what comes after them of the same agent, in whatever order they come', async () => {
    for (const [i, [size, at, spoil, order]] of sample(script, { numRuns: 60, seed: 20_261_126 }).entries()) {
      const total = 4 * size;
      const porch = meowing(`porch${i}`, epochId(2 * i + 1), total);
      const shed = meowing(`shed${i}`, epochId(2 * i + 2), 4);
      const bad = 1 + (at % total);
      const starts = [1, size + 1, 2 * size + 1, 3 * size + 1];
      const run = order === 'backwards' ? starts.toReversed() : order === 'twice' ? [...starts, ...starts] : starts;
      let seq = 0;
      for (const [n, from] of run.entries()) {
        ({ seq } = (await send(porch, from, from + size - 1, new Map([[bad, spoil]]))).stored);
        if (n < 4) expect((await send(shed, n + 1, n + 1)).stored.seq).toBe(n + 1);
      }
      // The agent asks, as it does when it waits for an answer.
      const extent = { epoch: porch.epoch, firstSeq: 1, lastSeq: total, chain: porch.chain(total) };
      const stored = await store.sync(porch.agent, extent, NOW);
      expect([stored.seq, stored.need, chainHex(stored.chain)]).toEqual([total, [], chainHex(porch.chain(total))]);
      expect(seq).toBeLessThanOrEqual(total);
      const rows = (await store.events({ limit: 1_000, agent: porch.agent })).events.map((event) => event.seq);
      expect(rows).toEqual(porch.events.map((event) => event.seq).filter((one) => one !== bad));
    }
    expect(await store.counts()).toMatchObject({ quarantined: 60, gaps: 60, conflicts: 0 });
    expect((await store.quarantineTally()).messages).toBe(60);
  }, 60_000);
});
