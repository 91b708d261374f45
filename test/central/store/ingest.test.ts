import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { MAX_AGENTS, MAX_EPOCHS_PER_AGENT } from '../../../src/central/store/agents.ts';
import { decodeCursor } from '../../../src/central/store/cursor.ts';
import { MAX_CLAIMS } from '../../../src/central/store/shard.ts';
import type { Store } from '../../../src/central/store/store.ts';
import type { EpochTable } from '../../../src/central/store/tables.ts';
import { MAX_RUNS, missingAmong } from '../../../src/central/store/walk.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import { MAX_NEED_RANGES, type SeqRange } from '../../../src/contract/message.ts';
import { shardOf } from '../../../src/contract/topic.ts';
import { freshUrl, insertRows, rowsOf } from '../engines/fresh.ts';
import { at, createWriter, epochId, meowing, NOW } from './events.ts';
import { saveState } from './said.ts';

let store: Store;
let url: string;

beforeEach(async () => {
  url = await freshUrl();
  store = await openStore({ url });
});
afterEach(() => store.close());

async function positions(agent: string): Promise<(number | null)[]> {
  const { events } = await store.arrivals(new Map(), 10_000);
  return events
    .filter((event) => event.agent === agent)
    .sort((a, b) => a.seq - b.seq)
    .map((event) => event.position);
}

describe('ingest', () => {
  it('stores a batch, moves the mark and proves the chain', async () => {
    const porch = meowing('porch', epochId(1), 10);
    const result = await store.ingest(porch.batch(1, 10), NOW);
    expect(result).toMatchObject({ inserted: 10, duplicates: 0, conflicts: 0, chainOk: true });
    expect(result.stored).toMatchObject({ incarnation: store.incarnation, epoch: epochId(1), seq: 10, need: [] });
    expect(chainHex(result.stored.chain)).toBe(chainHex(porch.chain(10)));
    expect(chainHex((await store.chainAt(epochId(1), 7)) ?? new Uint8Array())).toBe(chainHex(porch.chain(7)));
    const { events } = await store.arrivals(new Map(), 100);
    expect(events).toMatchObject(porch.events);
  });

  it('counts what comes again, and answers with the same mark', async () => {
    const porch = meowing('porch', epochId(1), 10);
    await store.ingest(porch.batch(1, 10), NOW);
    const again = await store.ingest(porch.batch(4, 10), NOW);
    expect(again).toMatchObject({ inserted: 0, duplicates: 7, conflicts: 0, chainOk: true });
    expect(again.stored.seq).toBe(10);
    expect((await store.counts()).events).toBe(10);
  });

  it('keeps the same key with other content as a conflict, above and below the mark', async () => {
    const porch = meowing('porch', epochId(1), 10);
    const clone = meowing('porch', epochId(1), 10, 'DEADBEEF');
    await store.ingest(porch.batch(1, 4), NOW);
    await store.ingest(porch.batch(7, 8), NOW);
    const below = await store.ingest(clone.batch(2, 3), NOW);
    const above = await store.ingest(clone.batch(7, 8), NOW);
    expect([below.conflicts, above.conflicts]).toEqual([2, 2]);
    expect(await store.counts()).toMatchObject({ events: 6, conflicts: 4 });
    expect((await store.agents())[0]).toMatchObject({ agent: 'porch', conflicts: 4 });
  });

  it('names a batch of which some is not new: its numbers show nothing of it', async () => {
    const porch = meowing('porch', epochId(1), 10);
    const clone = meowing('porch', epochId(1), 10, 'DEADBEEF');
    const first = await store.ingest(porch.batch(1, 6), NOW);
    const again = await store.ingest(porch.batch(4, 8), NOW);
    const other = await store.ingest(clone.batch(2, 3), NOW);
    const silent = await store.ingest({ ...clone.batch(2, 3), chain: null }, NOW);
    expect([first, again, other, silent].map(({ stored }) => stored.batch)).toEqual([
      null,
      { from: 4, to: 8, chain: porch.chain(8) },
      { from: 2, to: 3, chain: clone.chain(3) },
      null,
    ]);
    const sync = { epoch: epochId(1), firstSeq: 1, lastSeq: 8, chain: porch.chain(8) };
    expect((await store.sync('porch', sync, NOW)).batch).toBeNull();
  });

  it('lets live events in first and asks for what is between', async () => {
    const porch = meowing('porch', epochId(1), 30);
    await store.ingest(porch.batch(1, 5), NOW);
    const live = await store.ingest(porch.batch(21, 30), NOW);
    expect(live.stored).toMatchObject({ seq: 5, need: [[6, 20]] });
    const middle = await store.ingest(porch.batch(10, 12), NOW);
    expect(middle.stored.need).toEqual([
      [6, 9],
      [13, 20],
    ]);
    expect((await store.ingest(porch.batch(13, 20), NOW)).stored).toMatchObject({ seq: 5, need: [[6, 9]] });
    const whole = await store.ingest(porch.batch(6, 9), NOW);
    expect(whole).toMatchObject({ chainOk: true, stored: { seq: 30, need: [] } });
    expect(await positions('porch')).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(chainHex(whole.stored.chain)).toBe(chainHex(porch.chain(30)));
  });

  it('numbers arrivals and positions without a gap over all agents of a shard', async () => {
    const writers = [meowing('a', epochId(1), 40), meowing('a', epochId(2), 40)];
    for (const from of [31, 1, 11, 21]) {
      for (const writer of writers) await store.ingest(writer.batch(from, from + 9), NOW);
    }
    const { events } = await store.arrivals(new Map(), 1_000);
    const numbers = Array.from({ length: 80 }, (_, i) => i + 1);
    expect(events.map((event) => event.arrival).sort((a, b) => a - b)).toEqual(numbers);
    expect(events.map((event) => event.position ?? 0).sort((a, b) => a - b)).toEqual(numbers);
    for (const writer of writers) {
      const own = events.filter((event) => event.epoch === writer.epoch).sort((a, b) => a.seq - b.seq);
      expect(own.map((event) => event.position)).toEqual(
        own.map((event) => event.position).sort((a, b) => Number(a) - Number(b)),
      );
    }
  });

  it('says that a chain differs, and goes on storing', async () => {
    const porch = meowing('porch', epochId(1), 20);
    const lie = { ...porch.batch(1, 10), chain: porch.chain(9) };
    expect(await store.ingest(lie, NOW)).toMatchObject({ inserted: 10, chainOk: false, stored: { seq: 10 } });
    expect(await store.ingest(porch.batch(11, 20), NOW)).toMatchObject({ chainOk: false, stored: { seq: 20 } });
    expect((await store.agents())[0]?.epochs[0]).toMatchObject({ mark: 20, chainOk: false });
  });

  it('proves claimed chains when the walk reaches them', async () => {
    const porch = meowing('porch', epochId(1), 20);
    await store.ingest({ ...porch.batch(11, 20), chain: porch.chain(3) }, NOW);
    expect(await store.ingest(porch.batch(1, 10), NOW)).toMatchObject({ chainOk: false, stored: { seq: 20 } });
  });

  it('proves what a sync and a batch claim at the same end, each', async () => {
    const porch = meowing('porch', epochId(1), 20);
    const sync = { epoch: epochId(1), firstSeq: 1, lastSeq: 10 };
    await store.sync('porch', { ...sync, chain: porch.chain(10) }, NOW);
    expect(await store.ingest(porch.batch(1, 10), NOW)).toMatchObject({ chainOk: true, stored: { seq: 10 } });
    await store.sync('porch', { ...sync, lastSeq: 20, chain: porch.chain(3) }, NOW);
    expect(await store.ingest(porch.batch(11, 20), NOW)).toMatchObject({ chainOk: false, stored: { seq: 20 } });
  });

  it('goes on from a chain that is known, and asks nothing of what lies before', async () => {
    const porch = meowing('porch', epochId(1), 20);
    await store.ingest(porch.batch(1, 20), NOW);
    const since = { seq: 12, chain: porch.chain(12) };
    expect(await store.chainAt(epochId(1), 19, since)).toEqual(Buffer.from(porch.chain(19)));
    const hashed: number[] = [];
    await store.chainAt(epochId(1), 19, since, (seq) => void hashed.push(seq));
    expect(hashed).toEqual([19]);
    expect(await store.chainAt(epochId(1), 12, since)).toEqual(since.chain);
    expect(await store.chainAt(epochId(1), 19, { ...since, chain: porch.chain(11) })).not.toEqual(
      Buffer.from(porch.chain(19)),
    );
  });

  it('walks over what the agent says is lost, and takes the chain from beyond', async () => {
    const porch = meowing('porch', epochId(1), 10);
    porch.add('history.lost', null, { epoch: epochId(1), fromSeq: 4, toSeq: 8, count: 5, reason: 'disk budget' }, 11);
    porch.add('battery.low', 'collar/C0FFEE01', { percent: 9 }, 12);
    await store.ingest(porch.batch(1, 3), NOW);
    expect((await store.ingest(porch.batch(9, 10), NOW)).stored).toMatchObject({ seq: 3, need: [[4, 8]] });
    const result = await store.ingest(porch.batch(11, 12), NOW);
    expect(result).toMatchObject({ chainOk: true, stored: { seq: 12, need: [] } });
    expect(chainHex(result.stored.chain)).toBe(chainHex(porch.chain(12)));
    expect(await store.counts()).toMatchObject({ events: 7, gaps: 1 });
    expect(await positions('porch')).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('passes no event that is held between lost ones, in whatever order things come', async () => {
    const orders = [
      [2, 4, 0, 1, 3],
      [3, 4, 2, 1, 0],
      [4, 3, 0, 1, 2],
      [1, 4, 3, 2, 0],
    ];
    for (const [n, order] of orders.entries()) {
      const epoch = epochId(n + 1);
      const porch = meowing('porch', epoch, 12);
      // 1-2 held, 3-5 lost, 6 held, 7 lost, 8-10 held, 11-12 lost.
      const data = { epoch, fromSeq: 3, toSeq: 12, count: 6, reason: 'thinned', runs: [3, 1, 1, 3, 2] };
      porch.add('history.lost', null, data, 20);
      const batches = [
        porch.batch(1, 2),
        porch.batch(6, 6),
        porch.batch(8, 9),
        porch.batch(10, 10),
        porch.batch(13, 13),
      ];
      let last = 0;
      for (const [i, which] of order.entries()) {
        const batch = batches[which];
        if (batch === undefined) continue;
        const { stored } = await store.ingest(batch, NOW);
        const missing = order.slice(i + 1).flatMap((later) => batches[later]?.events[0]?.seq ?? []);
        expect(stored.seq).toBeLessThan(Math.min(...missing, 14));
        last = stored.seq;
      }
      expect(last).toBe(13);
      const { events } = await store.events({ limit: 1_000, agent: 'porch' });
      const own = events.filter((event) => event.epoch === epoch);
      expect(own.map((event) => event.seq)).toEqual([1, 2, 6, 8, 9, 10, 13]);
    }
    expect(await store.counts()).toMatchObject({ gaps: 12 });
  });

  it('takes what contradicts itself for no explanation', async () => {
    const porch = meowing('porch', epochId(1), 10);
    const data = { epoch: epochId(1), fromSeq: 4, toSeq: 8, count: 5, reason: 'thinned', runs: [1, 1, 1] };
    porch.add('history.lost', null, data, 11);
    await store.ingest(porch.batch(1, 3), NOW);
    expect((await store.ingest(porch.batch(9, 11), NOW)).stored).toMatchObject({ seq: 3, need: [[4, 8]] });
  });

  it('notes a loss once that is told twice, in other pieces', async () => {
    const porch = meowing('porch', epochId(1), 10);
    const tell = (fromSeq: number, toSeq: number, reason: string) =>
      porch.add('history.lost', null, { epoch: epochId(1), fromSeq, toSeq, count: toSeq - fromSeq + 1, reason }, 11);
    tell(3, 4, 'thinned');
    tell(6, 7, 'thinned');
    tell(5, 5, 'thinned');
    tell(1, 9, 'disk budget');
    await store.ingest(porch.batch(11, 14), NOW);
    expect((await store.ingest(porch.batch(10, 10), NOW)).stored).toMatchObject({ seq: 14, need: [] });
    const gaps = await rowsOf(url, 'select from_seq, to_seq from gap order by from_seq');
    expect(gaps.map(({ from_seq, to_seq }) => [from_seq, to_seq])).toEqual([
      [1, 2],
      [3, 5],
      [6, 7],
      [8, 9],
    ]);
  });

  it('keeps an event that was called lost and comes after all', async () => {
    const porch = meowing('porch', epochId(1), 10);
    porch.add('history.lost', null, { epoch: epochId(1), fromSeq: 4, toSeq: 8, count: 5, reason: 'disk budget' }, 11);
    await store.ingest(porch.batch(1, 3), NOW);
    await store.ingest(porch.batch(9, 11), NOW);
    expect(await store.ingest(porch.batch(3, 5), NOW)).toMatchObject({ inserted: 2, duplicates: 1 });
    expect(await store.ingest(porch.batch(3, 5), NOW)).toMatchObject({ inserted: 0, duplicates: 3 });
    expect((await positions('porch')).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8].sort());
  });

  it('asks for no more ranges than a message holds, oldest first', async () => {
    const count = 2 * MAX_NEED_RANGES + 20;
    const porch = meowing('porch', epochId(1), count);
    let result = await store.ingest(porch.batch(2, 2), NOW);
    for (let seq = 4; seq <= count; seq += 2) result = await store.ingest(porch.batch(seq, seq), NOW);
    expect(result.stored.need).toHaveLength(MAX_NEED_RANGES);
    expect(result.stored.need[0]).toEqual([1, 1]);
  });

  it('notes nothing of a loss that was told before', async () => {
    const porch = meowing('porch', epochId(1), 8);
    for (const [fromSeq, toSeq] of [
      [2, 7],
      [4, 5],
      [2, 7],
    ] as const) {
      const data = { epoch: epochId(1), fromSeq, toSeq, count: toSeq - fromSeq + 1, reason: 'disk budget' };
      porch.add('history.lost', null, data, 11);
    }
    for (const seq of [1, 8, 9, 10, 11]) await store.ingest(porch.batch(seq, seq), NOW);
    expect(await rowsOf(url, 'select from_seq, to_seq from gap')).toEqual([{ from_seq: 2, to_seq: 7 }]);
    expect((await store.agents())[0]?.epochs[0]).toMatchObject({ mark: 11, missing: 0 });
  });

  it('moves the mark of an older epoch over what a newer one says is lost of it', async () => {
    const [old, own] = [meowing('porch', epochId(1), 10), createWriter('porch', epochId(2))];
    own.add('history.lost', null, { epoch: epochId(1), fromSeq: 4, toSeq: 8, count: 5, reason: 'disk budget' }, 11);
    await store.ingest(old.batch(1, 3), NOW);
    await store.ingest(old.batch(9, 10), NOW);
    expect((await store.ingest(own.batch(1, 1), NOW)).stored).toMatchObject({ epoch: epochId(2), seq: 1 });
    expect((await store.agents())[0]?.epochs).toMatchObject([
      { epoch: epochId(1), mark: 10, missing: 0, chainOk: true },
      { epoch: epochId(2), mark: 1 },
    ]);
    expect((await positions('porch')).sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('goes on behind a chain that cannot be read any more, and says that it differs', async () => {
    const porch = meowing('porch', epochId(1), 12);
    await store.ingest(porch.batch(1, 4), NOW);
    await rowsOf(url, `update epoch set mark_chain = 'no hex'`);
    const sync = { epoch: epochId(1), firstSeq: 1, lastSeq: 4, chain: porch.chain(4) };
    expect(await store.sync('porch', sync, NOW)).toMatchObject({ seq: 4, chain: new Uint8Array(32) });
    await rowsOf(url, 'update epoch set chain_ok = 1');
    const direct = await store.ingest(porch.batch(5, 6), NOW);
    expect(direct).toMatchObject({ inserted: 2, chainOk: false, stored: { seq: 6 } });
    await store.ingest(porch.batch(8, 12), NOW);
    await rowsOf(url, `update epoch set chain_ok = 1, mark_chain = 'no hex'`);
    const walked = await store.ingest({ ...porch.batch(7, 7), chain: null }, NOW);
    expect(walked).toMatchObject({ inserted: 1, chainOk: false, stored: { seq: 12 } });
  });

  it('takes what was deleted for its age, and comes again, for what it had', async () => {
    const porch = meowing('porch', epochId(1), 6);
    await store.ingest(porch.batch(1, 6), NOW);
    await rowsOf(url, 'delete from event where seq <= 3');
    expect(await store.ingest(porch.batch(1, 6), NOW)).toMatchObject({ inserted: 0, duplicates: 6, conflicts: 0 });
    expect((await rowsOf(url, 'select seq from event')).length).toBe(3);
  });

  it('stops where somebody writes to the same epoch who asks nobody', async () => {
    const porch = meowing('porch', epochId(1), 6);
    await store.ingest(porch.batch(1, 3), NOW);
    const [third] = await rowsOf(url, 'select * from event where seq = 3');
    await insertRows(url, 'event', [{ ...third, seq: 5, arrival: 1_000, position: null }]);
    await expect(store.ingest(porch.batch(4, 6), NOW)).rejects.toMatchObject({
      code: 'FENCED',
      message: `another writer stores ${epochId(1)} as well`,
    });
    expect((await store.agents())[0]?.epochs[0]).toMatchObject({ mark: 3, highestSeq: 3 });
  });

  it('refuses a batch that holds nothing, and knows nothing of an epoch by it', async () => {
    await expect(store.ingest({ agent: 'porch', events: [], chain: null }, NOW)).rejects.toMatchObject({
      code: 'REFUSED',
      message: 'a batch of porch holds nothing',
    });
    expect(await store.agents()).toEqual([]);
  });

  it('tells conflicts of one agent', async () => {
    for (const [n, agent] of ['porch', 'shed'].entries()) {
      await store.ingest(meowing(agent, epochId(n + 1), 2).batch(1, 2), NOW);
      await store.ingest(meowing(agent, epochId(n + 1), 2, 'DEADBEEF').batch(1, 1), NOW);
    }
    const of = async (query: { agent?: string }) =>
      (await store.conflicting({ after: 0, limit: 10, ...query })).map(({ agent, seq }) => [agent, seq]);
    expect(await of({ agent: 'shed' })).toEqual([['shed', 1]]);
    expect(await of({})).toEqual([
      ['porch', 1],
      ['shed', 1],
    ]);
  });

  it('refuses an epoch that belongs to another agent', async () => {
    await store.ingest(meowing('porch', epochId(1), 2).batch(1, 2), NOW);
    await expect(store.ingest(meowing('shed', epochId(1), 2).batch(1, 2), NOW)).rejects.toMatchObject({
      code: 'REFUSED',
    });
    expect((await store.counts()).events).toBe(2);
  });

  it('stops writing when another process has taken the shard', async () => {
    const porch = meowing('porch', epochId(1), 6);
    await store.ingest(porch.batch(1, 2), NOW);
    const other = await openStore({ url });
    await other.ingest(porch.batch(3, 4), NOW);
    await expect(store.ingest(porch.batch(5, 6), NOW)).rejects.toMatchObject({ code: 'FENCED' });
    await other.close();
  });
});

describe('sync', () => {
  it('tells what is missing of an epoch that was never heard of', async () => {
    const porch = meowing('porch', epochId(1), 12);
    const message = { epoch: epochId(1), firstSeq: 1, lastSeq: 12, chain: porch.chain(12) };
    expect(await store.sync('porch', message, NOW)).toMatchObject({ seq: 0, need: [[1, 12]] });
    expect((await store.agents())[0]?.epochs).toEqual([
      { epoch: epochId(1), mark: 0, highestSeq: 12, missing: 12, chainOk: true },
    ]);
  });

  it('notes what the agent no longer holds and goes on after it', async () => {
    const porch = meowing('porch', epochId(1), 12);
    await store.ingest(porch.batch(1, 3), NOW);
    const message = { epoch: epochId(1), firstSeq: 8, lastSeq: 12, chain: porch.chain(12) };
    expect(await store.sync('porch', message, NOW)).toMatchObject({ seq: 3, need: [[8, 12]] });
    const result = await store.ingest(porch.batch(8, 12), NOW);
    expect(result).toMatchObject({ chainOk: true, stored: { seq: 12, need: [] } });
    expect(chainHex(result.stored.chain)).toBe(chainHex(porch.chain(12)));
    expect(await store.counts()).toMatchObject({ gaps: 1 });
  });

  it('answers an agent whose log is behind the mark with the mark', async () => {
    const porch = meowing('porch', epochId(1), 12);
    await store.ingest(porch.batch(1, 12), NOW);
    const message = { epoch: epochId(1), firstSeq: 1, lastSeq: 9, chain: porch.chain(9) };
    expect(await store.sync('porch', message, NOW)).toMatchObject({ seq: 12, need: [] });
  });
});

describe('claims above the mark', () => {
  it('without events are kept up to a number, with events always', async () => {
    const porch = meowing('porch', epochId(1), 40);
    await store.ingest(porch.batch(1, 2), NOW);
    const [{ no: epoch_no } = {}] = await rowsOf(url, `select no from epoch where epoch = '${epochId(1)}'`);
    const far = 1_000_000;
    const chain = chainHex(porch.chain(1));
    const kept = async () =>
      (await rowsOf(url, `select seq from claim where epoch_no = ${epoch_no} order by seq limit 3`)).map(
        ({ seq }) => seq,
      );
    const many = Array.from({ length: MAX_CLAIMS - 1 }, (_, i) => ({ epoch_no, seq: far + i, chain }));
    await insertRows(url, 'claim', many);
    const sync = (lastSeq: number) =>
      store.sync('porch', { epoch: epochId(1), firstSeq: 1, lastSeq, chain: porch.chain(lastSeq) }, NOW);
    await sync(20);
    await sync(30);
    expect(await kept()).toEqual([20, far, far + 1]);
    await store.ingest(porch.batch(35, 36), NOW);
    expect(await kept()).toEqual([20, 36, far]);
  });

  it('are proven where the mark stands, and say nothing of what lies below', async () => {
    const porch = meowing('porch', epochId(1), 6);
    await store.ingest(porch.batch(1, 6), NOW);
    const sync = (lastSeq: number, chain: Uint8Array) =>
      store.sync('porch', { epoch: epochId(1), firstSeq: 1, lastSeq, chain }, NOW);
    const chainOk = async () => (await store.agents())[0]?.epochs[0]?.chainOk;
    await sync(6, porch.chain(6));
    await sync(5, porch.chain(4));
    expect(await chainOk()).toBe(true);
    await sync(6, porch.chain(4));
    expect(await chainOk()).toBe(false);
    expect(await rowsOf(url, 'select * from claim')).toEqual([]);
  });
});

describe('what is missing', () => {
  const epoch = (mark: number, highest_seq: number) => ({ mark, highest_seq }) as EpochTable;
  const every = (count: number, step: number): SeqRange[] =>
    Array.from({ length: count }, (_, i) => [step * i, step * i]);

  it('is what is neither stored nor lost', () => {
    expect(
      missingAmong(epoch(3, 20), [
        [[6, 8]],
        [
          [9, 9],
          [12, 14],
        ],
      ]),
    ).toEqual([
      [4, 5],
      [10, 11],
      [15, 20],
    ]);
    expect(missingAmong(epoch(3, 20), [[[4, 8]], [[2, 20]]])).toEqual([]);
  });

  it('is not told beyond the runs that were looked at: there may be more', () => {
    const few = every(MAX_RUNS - 1, 10);
    const full = every(MAX_RUNS, 10);
    expect(missingAmong(epoch(0, 100_000), [few, []]).at(-1)).toEqual([(MAX_RUNS - 2) * 10 + 1, 100_000]);
    expect(missingAmong(epoch(0, 100_000), [full, [[55, 55]]]).at(-1)).toEqual([
      (MAX_RUNS - 2) * 10 + 1,
      (MAX_RUNS - 1) * 10 - 1,
    ]);
    expect(missingAmong(epoch(0, 100_000), [full, every(MAX_RUNS, 2)]).at(-1)).toEqual([1_997, 1_997]);
  });
});

describe('the store', () => {
  it('says with a code that its URL is none', async () => {
    await expect(openStore({ url: 'mysql://localhost' })).rejects.toMatchObject({ code: 'STORE_URL' });
  });

  it('keeps its incarnation over a restart', async () => {
    const before = store.incarnation;
    await store.close();
    store = await openStore({ url });
    expect(store.incarnation).toBe(before);
  });

  it('takes a late will of an older session for what it is', async () => {
    await saveState(store, 'porch', { state: 'online', session: 42, version: '1' }, NOW);
    await saveState(store, 'porch', { state: 'offline', session: 41, version: '1' }, NOW);
    expect((await store.agents())[0]).toMatchObject({ state: 'online', session: 42 });
    await saveState(store, 'porch', { state: 'offline', session: 42, version: '1' }, NOW);
    expect((await store.agents())[0]).toMatchObject({ state: 'offline' });
  });

  it('refuses an epoch too many of one agent, and keeps those that it has', async () => {
    const sync = (n: number) =>
      store.sync('porch', { epoch: epochId(n), firstSeq: 1, lastSeq: 0, chain: new Uint8Array(32) }, NOW);
    await sync(1);
    const [first] = await rowsOf(url, `select * from epoch where epoch = '${epochId(1)}'`);
    const more = Array.from({ length: MAX_EPOCHS_PER_AGENT - 2 }, (_, i) => ({
      ...first,
      no: 100 + i,
      epoch: epochId(2 + i),
    }));
    await insertRows(url, 'epoch', more);
    await sync(MAX_EPOCHS_PER_AGENT);
    await expect(sync(MAX_EPOCHS_PER_AGENT + 1)).rejects.toMatchObject({ code: 'REFUSED' });
    expect(await sync(MAX_EPOCHS_PER_AGENT)).toMatchObject({ seq: 0 });
  });

  it('refuses an agent too many, and goes on with those that it knows', async () => {
    const online = (n: number) => saveState(store, `a${n}`, { state: 'online', session: 1, version: '1' }, NOW);
    await online(1);
    const [first] = await rowsOf(url, `select * from agent where name = 'a1'`);
    // Central itself is one.
    const more = Array.from({ length: MAX_AGENTS - 3 }, (_, i) => ({ ...first, no: 3 + i, name: `a${2 + i}` }));
    await insertRows(url, 'agent', more);
    await online(MAX_AGENTS - 1);
    await expect(online(MAX_AGENTS)).rejects.toMatchObject({ code: 'REFUSED' });
    await online(1);
  });

  it('pages events by position and by time, and finds them by agent, type, collar and cat', async () => {
    const porch = createWriter('porch', epochId(1));
    const shed = createWriter('shed', epochId(2));
    for (let i = 0; i < 25; i += 1) {
      porch.add('meow.started', 'collar/A', { level: 1 }, 2 * i);
      shed.add('battery.low', 'collar/B', { percent: 9 }, 2 * i + 1);
    }
    await store.ingest(porch.batch(1, 25), NOW);
    await store.ingest(shed.batch(1, 25), NOW);
    const times: string[] = [];
    for (let after = 'p'; ; ) {
      const page = await store.events({ limit: 7, after: decodeCursor(after) });
      if (page.events.length === 0) {
        expect(page.next).toBe(after);
        break;
      }
      times.push(...page.events.map((event) => event.time));
      after = page.next;
    }
    expect(times).toEqual(Array.from({ length: 50 }, (_, i) => at(i)));
    const end = (await store.events({ limit: 100 })).next;
    const rare = await store.events({ limit: 100, types: ['collard.cat.named'] });
    // A follower of what is rare does not look through all the others each time.
    expect([rare.events, rare.next]).toEqual([[], end]);
    const first = await store.events({ limit: 7, types: ['collard.battery.low'] });
    expect(first.next).not.toBe(end);
    const newest: string[] = [];
    for (let before: string | undefined; ; ) {
      const page = await store.newest({ limit: 7, ...(before === undefined ? {} : { before }) });
      if (page.events.length === 0) break;
      newest.push(...page.events.map((event) => event.time));
      before = page.next;
    }
    expect(newest).toEqual(times.reverse());
    const count = async (query: object) => (await store.newest({ limit: 100, ...query })).events.length;
    expect(await count({ agent: 'shed' })).toBe(25);
    expect(await count({ agent: 'nobody' })).toBe(0);
    expect(await count({ types: ['collard.meow.started'] })).toBe(25);
    expect(await count({ types: ['collard.meow.started', 'collard.battery.low'] })).toBe(50);
    expect(await count({ collar: 'A', from: at(10), to: at(20) })).toBe(5);
    await store.command(NOW, async () => ({
      events: [
        {
          type: 'collard.collar.assigned',
          version: 1,
          subject: 'cat/1',
          time: at(9),
          clock: 'synced',
          boot: null,
          monoMs: null,
          data: '{"catId":1,"collar":"A"}',
        },
      ],
      result: null,
    }));
    // Its first collar: all 25 events of it, also those before the assignment.
    expect(await count({ catId: 1 })).toBe(26);
    expect((await store.unassignedCollars()).map((row) => row.collar)).toEqual(['B']);
    expect(shardOf('porch')).not.toBe(shardOf('shed'));
  });
});
