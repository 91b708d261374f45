/** What a batch leaves in the tables, beside its events: what its end does not show, a later batch would stumble over. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { MAX_CONFLICTS, MAX_CONFLICTS_OF_AGENT } from '../../../src/central/store/conflicts.ts';
import { createIngest } from '../../../src/central/store/ingest.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { MAX_RUNS } from '../../../src/central/store/walk.ts';
import { chainOver, chainStart } from '../../../src/contract/chain.ts';
import type { StoredEvent } from '../../../src/contract/event.ts';
import { lostData } from '../../../src/contract/lost.ts';
import type { SeqRange } from '../../../src/contract/message.ts';
import { shardOf } from '../../../src/contract/topic.ts';
import { freshUrl, insertRows, rowsOf, withDatabase } from '../engines/fresh.ts';
import { createWriter, epochId, meowing, NOW, type Writer } from './events.ts';
import { openLogged } from './logged.ts';
import { countingRows } from './rows-read.ts';

let store: Store;
let url: string;
beforeEach(async () => {
  url = await freshUrl();
  store = await openStore({ url });
});
afterEach(() => store.close());

const runsOf = async (table: 'island' | 'gap') =>
  (await rowsOf(url, `select from_seq, to_seq from ${table} order by from_seq`)).map(({ from_seq, to_seq }) => [
    Number(from_seq),
    Number(to_seq),
  ]);

const bad = (writer: Writer, seq: number, reason = 'is no event') => ({
  agent: writer.agent,
  events: [],
  bad: [{ epoch: writer.epoch, seq, reason, text: '{}' }],
  chain: null,
});

/** 4 to 8 are told as lost by what comes after 10. */
function losing(): Writer {
  const porch = meowing('porch', epochId(1), 10);
  porch.add('history.lost', null, { epoch: porch.epoch, fromSeq: 4, toSeq: 8, count: 5, reason: 'disk budget' }, 11);
  return porch;
}

describe('the same number', () => {
  const others: readonly [keyof StoredEvent, Partial<StoredEvent>][] = [
    ['type', { type: 'collard.meow.began' }],
    ['version', { version: 2 }],
    ['subject', { subject: 'collar/DEADBEEF' }],
    ['time', { time: '2026-11-23T12:00:00.001Z' }],
    ['clock', { clock: 'unsynced' }],
    ['boot', { boot: 'c' }],
    ['monoMs', { monoMs: 8 }],
    ['data', { data: '{"level":2}' }],
  ];
  it.each(others)('with another %s is another event', async (_name, other) => {
    const porch = createWriter('porch', epochId(1));
    const when = { time: NOW, boot: 'b', monoMs: 7 };
    const event: StoredEvent = {
      ...porch.addUnset('meow.started', 'collar/C0FFEE01', { level: 1 }, when),
      clock: 'synced',
    };
    const ingest = (one: StoredEvent) => store.ingest({ agent: 'porch', events: [one], chain: null }, NOW);
    expect(await ingest(event)).toMatchObject({ inserted: 1 });
    expect(await ingest({ ...event })).toMatchObject({ duplicates: 1, conflicts: 0 });
    expect(await ingest({ ...event, ...other })).toMatchObject({ duplicates: 0, conflicts: 1 });
  });
});

describe('an event below the mark', () => {
  it('that was called lost has its position at once, at the mark itself too, and is no run of its own', async () => {
    const [porch, later] = [meowing('porch', epochId(1), 10), createWriter('porch', epochId(2))];
    const lost = { epoch: porch.epoch, fromSeq: 4, toSeq: 8, count: 5, reason: 'disk budget' };
    later.add('history.lost', null, lost, 11);
    await store.ingest(porch.batch(1, 3), NOW);
    await store.sync('porch', { epoch: porch.epoch, firstSeq: 1, lastSeq: 8, chain: porch.chain(8) }, NOW);
    await store.ingest(later.batch(1, 1), NOW);
    expect((await store.agents())[0]?.epochs[0]).toMatchObject({ mark: 8, missing: 0 });
    // The last one is lost no more; what follows it comes with it.
    await store.ingest(
      { agent: 'porch', events: [8, 10].map((seq) => porch.events[seq - 1] as StoredEvent), chain: null },
      NOW,
    );
    const rows = await rowsOf(url, 'select seq, position from event where position is null');
    expect(rows.map(({ seq }) => Number(seq))).toEqual([10]);
    expect(await runsOf('island')).toEqual([[10, 10]]);
  });

  it('that is in no gap was deleted: it is known, whatever else is lost', async () => {
    const porch = losing();
    await store.ingest(porch.batch(1, 3), NOW);
    await store.ingest(porch.batch(9, 11), NOW);
    await rowsOf(url, 'delete from event where seq in (1, 2, 9, 11)');
    for (const seq of [1, 2, 9, 11]) {
      expect(await store.ingest(porch.batch(seq, seq), NOW)).toMatchObject({ inserted: 0, duplicates: 1 });
    }
    expect(await store.ingest(porch.batch(4, 4), NOW)).toMatchObject({ inserted: 1 });
    expect(await store.ingest(porch.batch(8, 8), NOW)).toMatchObject({ inserted: 1 });
    // What was told stays told.
    expect(await runsOf('gap')).toEqual([[4, 8]]);
  });

  it('is in a segment where it was deleted for its age, although it was called lost before', async () => {
    const porch = losing();
    await store.ingest(porch.batch(1, 3), NOW);
    await store.ingest(porch.batch(9, 11), NOW);
    const [{ no: epoch_no } = {}] = await rowsOf(url, `select no from epoch where epoch = '${porch.epoch}'`);
    const sealed = {
      epoch_no,
      from_seq: 1,
      to_seq: 5,
      events: 4,
      chain: null,
      sha256: '0'.repeat(64),
      file: 'x',
      done: 1,
    };
    await insertRows(url, 'segment', [sealed]);
    await rowsOf(url, 'delete from event where seq <= 5');
    expect(await store.ingest(porch.batch(4, 6), NOW)).toMatchObject({ inserted: 1, duplicates: 2 });
    const rows = await rowsOf(url, 'select seq from event where seq < 9');
    expect(rows.map(({ seq }) => Number(seq))).toEqual([6]);
  });
});

describe('positions', () => {
  it('stay exact and of one event each, however large a seq is', async () => {
    const porch = meowing('porch', epochId(1), 5);
    // Of the same shard, by its name.
    const shard = shardOf('porch');
    const name = Array.from({ length: 10_000 }, (_, i) => `a${i}`).find((one) => shardOf(one) === shard) ?? '';
    const other = meowing(name, epochId(2), 6);
    await store.ingest(porch.batch(1, 5), NOW);
    for (const [n, lastSeq] of [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1].entries()) {
      const far = createWriter('porch', epochId(3 + n));
      const events = [{ ...far.add('meow.started', 'collar/A', { level: 1 }, 1), seq: lastSeq }];
      const chain = chainOver(chainStart('porch', far.epoch), events);
      await store.ingest({ agent: 'porch', events, chain }, NOW);
      const sync = { epoch: far.epoch, firstSeq: lastSeq, lastSeq, chain };
      expect(await store.sync('porch', sync, NOW)).toMatchObject({ seq: lastSeq, need: [] });
      expect(await store.ingest(other.batch(3 * n + 1, 3 * n + 3), NOW)).toMatchObject({ inserted: 3 });
    }
    const rows = await rowsOf(url, 'select position from event order by position');
    expect(rows.map(({ position }) => Number(position))).toEqual(Array.from({ length: 13 }, (_, i) => i + 1));
  });
});

describe('a batch', () => {
  it('is heard in any case, and stored where something of it is new', async () => {
    const porch = meowing('porch', epochId(1), 4);
    const [later, last] = ['2026-11-23T12:01:00.000Z', '2026-11-23T12:02:00.000Z'];
    const heard = async () => (await store.agents()).map(({ lastHeard, lastStored }) => [lastHeard, lastStored]);
    await store.ingest(porch.batch(1, 2), NOW);
    await store.ingest(porch.batch(1, 2), later);
    expect(await heard()).toEqual([[later, NOW]]);
    await store.ingest(porch.batch(2, 4), last);
    expect(await heard()).toEqual([[last, last]]);
  });

  it('that proves what was claimed before leaves no claim', async () => {
    const porch = meowing('porch', epochId(1), 6);
    await store.sync('porch', { epoch: porch.epoch, firstSeq: 1, lastSeq: 3, chain: porch.chain(3) }, NOW);
    expect(await rowsOf(url, 'select seq from claim')).toHaveLength(1);
    await store.ingest(porch.batch(1, 6), NOW);
    expect(await rowsOf(url, 'select seq from claim')).toEqual([]);
  });
});

describe('what a batch costs', () => {
  it('does not grow with the gaps of its epoch', async () => {
    const porch = losing();
    await store.ingest(porch.batch(1, 3), NOW);
    await store.ingest(porch.batch(9, 11), NOW);
    const [{ no: epoch_no } = {}] = await rowsOf(url, `select no from epoch where epoch = '${porch.epoch}'`);
    const far = (i: number) => ({ epoch_no, from_seq: 1_000 + 2 * i, to_seq: 1_000 + 2 * i, reason: 'x', noted: NOW });
    await insertRows(
      url,
      'gap',
      Array.from({ length: 6 * MAX_RUNS }, (_, i) => far(i)),
    );
    await withDatabase(url, async (db) => {
      const counted = countingRows(db);
      const ingest = createIngest(counted.db, null, () => store.incarnation);
      const results: unknown[] = [];
      const sent = [porch.batch(1, 3), porch.batch(4, 6), bad(porch, 12), bad(porch, 7)];
      const read = await counted.of(async () => {
        for (const batch of sent) {
          const { inserted, duplicates, rejected } = await ingest.ingest(batch, NOW);
          results.push([inserted, duplicates, rejected]);
        }
      });
      expect(results).toEqual([
        [0, 3, 0],
        [3, 0, 0],
        [0, 0, 1],
        [0, 1, 0],
      ]);
      // Who answers looks at MAX_RUNS of them, twice here: the last two leave the mark behind.
      expect(read).toBeLessThan(3 * MAX_RUNS);
    });
  });
});

describe('an item that is no event', () => {
  it('at or below the mark takes no place: that number was stored once', async () => {
    const porch = meowing('porch', epochId(1), 6);
    await store.ingest(porch.batch(1, 6), NOW);
    await rowsOf(url, 'delete from event where seq in (2, 6)');
    for (const seq of [2, 6]) {
      expect(await store.ingest(bad(porch, seq), NOW)).toMatchObject({ rejected: 0, duplicates: 1, conflicts: 0 });
    }
    expect(await runsOf('gap')).toEqual([]);
    expect(await store.counts()).toMatchObject({ quarantined: 0 });
  });

  it('beside a loss that was told, before and after it, is put aside', async () => {
    const porch = losing();
    await store.ingest(porch.batch(11, 11), NOW);
    expect(await store.ingest(bad(porch, 3), NOW)).toMatchObject({ rejected: 1 });
    expect(await store.ingest(bad(porch, 6), NOW)).toMatchObject({ rejected: 0, duplicates: 1 });
    expect(await store.ingest(bad(porch, 9), NOW)).toMatchObject({ rejected: 1 });
    expect(await runsOf('gap')).toEqual([
      [3, 3],
      [4, 8],
      [9, 9],
    ]);
  });

  it('that comes good while the mark is still before it leaves no gap', async () => {
    const porch = meowing('porch', epochId(1), 30);
    const good = (seq: number) => ({ ...porch.batch(seq, seq), chain: null });
    await store.ingest(porch.batch(1, 5), NOW);
    const { events, chain } = porch.batch(11, 20);
    const rejected = [13, 14, 17].flatMap((seq) => bad(porch, seq).bad);
    const others = events.filter(({ seq }) => ![13, 14, 17].includes(seq));
    expect(await store.ingest({ agent: 'porch', events: others, bad: rejected, chain }, NOW)).toMatchObject({
      rejected: 3,
      stored: { seq: 5, need: [[6, 10]] },
    });
    expect(await store.ingest(good(14), NOW)).toMatchObject({ inserted: 1 });
    expect(await runsOf('gap')).toEqual([
      [13, 13],
      [17, 17],
    ]);
    expect(await store.ingest(porch.batch(11, 20), NOW)).toMatchObject({ inserted: 2, duplicates: 8 });
    expect(await store.ingest(porch.batch(6, 10), NOW)).toMatchObject({ chainOk: true, stored: { seq: 20, need: [] } });
    // Right after the mark, and what follows with it.
    await store.ingest(bad(porch, 21), NOW);
    expect(await runsOf('gap')).toEqual([[21, 21]]);
    expect(await store.ingest(porch.batch(21, 30), NOW)).toMatchObject({ inserted: 10, stored: { seq: 30, need: [] } });
    expect(await store.counts()).toMatchObject({ events: 30, gaps: 0 });
  });

  it('is looked for by no batch that brings what nobody has heard of', async () => {
    const porch = meowing('porch', epochId(1), 12);
    await store.ingest(porch.batch(1, 5), NOW);
    await store.ingest(bad(porch, 6), NOW);
    const { db, queriesOf, close } = await openLogged(url);
    const ingest = createIngest(db, null, () => store.incarnation);
    const looks = async (from: number, to: number) =>
      (await queriesOf(() => ingest.ingest(porch.batch(from, to), NOW))).filter(({ sql }) => /from .gap./.test(sql));
    expect(await looks(6, 8)).not.toEqual([]);
    expect(await looks(9, 12)).toEqual([]);
    await close();
    expect(await store.counts()).toMatchObject({ events: 12, gaps: 0 });
  });

  it('with a long reason leaves as much of it as the column holds', async () => {
    const long = bad(meowing('porch', epochId(1), 1), 1, 'x'.repeat(1_000));
    expect(await store.ingest(long, NOW)).toMatchObject({ inserted: 0, rejected: 1, duplicates: 0 });
    expect(await rowsOf(url, 'select reason from gap')).toEqual([{ reason: `rejected: ${'x'.repeat(245)}` }]);
  });
});

describe('conflicts', () => {
  const tally = async () => {
    const [row] = await rowsOf(url, `select noted, dropped from quarantine_tally where agent = 'porch'`);
    return [Number(row?.noted ?? 0), Number(row?.dropped ?? 0)];
  };

  it('that come again are counted once, however the batch is cut', async () => {
    const [porch, clone] = [meowing('porch', epochId(1), 8), meowing('porch', epochId(1), 8, 'DEADBEEF')];
    await store.ingest(porch.batch(1, 8), NOW);
    await store.ingest(clone.batch(2, 3), NOW);
    expect(await tally()).toEqual([2, 0]);
    await store.ingest(clone.batch(2, 3), NOW);
    expect(await tally()).toEqual([2, 0]);
    await store.ingest(clone.batch(1, 5), NOW);
    expect(await tally()).toEqual([5, 0]);
    expect(await store.counts()).toMatchObject({ conflicts: 5 });
  });

  it.each([
    ['all agents', MAX_CONFLICTS, 'shed'],
    ['one agent', MAX_CONFLICTS_OF_AGENT, 'porch'],
  ])(
    'have room only below the limit of %s',
    async (_name, limit, owner) => {
      const [porch, clone] = [meowing('porch', epochId(1), 4), meowing('porch', epochId(1), 4, 'DEADBEEF')];
      await store.ingest(porch.batch(1, 4), NOW);
      await store.ingest(meowing('shed', epochId(2), 1).batch(1, 1), NOW);
      const [{ no: epoch_no } = {}] = await rowsOf(
        url,
        `select epoch.no from epoch join agent on agent.no = agent_no where name = '${owner}'`,
      );
      const hash = (i: number) => String(i).padStart(64, '0');
      const rows = Array.from({ length: limit - 1 }, (_, i) => ({
        epoch_no,
        seq: 100,
        hash: hash(i),
        body: '{}',
        noted: NOW,
      }));
      await insertRows(url, 'conflict', rows);
      expect(await store.ingest(clone.batch(2, 4), NOW)).toMatchObject({ conflicts: 3, unkept: 2 });
      expect(await tally()).toEqual([3, 2]);
      expect(await store.counts()).toMatchObject({ conflicts: limit });
      expect(await store.ingest(clone.batch(1, 1), NOW)).toMatchObject({ conflicts: 1, unkept: 1 });
      expect(await tally()).toEqual([4, 3]);
    },
    60_000,
  );
});

describe('a log that was long without room', () => {
  it('is walked over, though its losses are of several reasons in turns and no chain lies between', async () => {
    const count = 600;
    const porch = createWriter('porch', epochId(1));
    const live = (second: number) => porch.add('collar.sighted', 'collar/C', { place: 'shed' }, second);
    for (let i = 0; i < 5 * count + 20; i += 1) live(i);
    // Of each five the first four are given up in one pass, the last one in a later one.
    const stretch = (from: number, to: number) =>
      Array.from({ length: count }, (_, i): SeqRange => [11 + 5 * i + from, 11 + 5 * i + to]);
    const told = [
      ...lostData(porch.epoch, stretch(0, 3), 'sensors were given up'),
      ...lostData(porch.epoch, stretch(4, 4), 'silence was given up'),
    ];
    for (const data of told) porch.add('history.lost', null, data, 1);
    const tells = porch.events.length - told.length + 1;
    await store.ingest(porch.batch(1, 10), NOW);
    for (let seq = tells; seq <= porch.events.length; seq += 1) await store.ingest(porch.batch(seq, seq), NOW);
    await store.ingest(porch.batch(11 + 5 * count, 20 + 5 * count), NOW);
    live(0);
    const { stored } = await store.ingest(porch.batch(porch.events.length, porch.events.length), NOW);
    expect(stored).toMatchObject({ seq: porch.events.length, need: [] });
    expect(await rowsOf(url, 'select seq from event where position is null')).toEqual([]);
  });
});

describe('runs above the mark', () => {
  it('are one row where they touch, and none are left once they are walked', async () => {
    const porch = meowing('porch', epochId(1), 30);
    for (const [from, to] of [
      [10, 12],
      [16, 18],
      [13, 13],
      [9, 9],
      [20, 20],
    ] as const)
      await store.ingest(porch.batch(from, to), NOW);
    expect(await runsOf('island')).toEqual([
      [9, 13],
      [16, 18],
      [20, 20],
    ]);
    await store.ingest(porch.batch(1, 8), NOW);
    expect(await runsOf('island')).toEqual([
      [16, 18],
      [20, 20],
    ]);
    await store.ingest(porch.batch(14, 30), NOW);
    expect(await runsOf('island')).toEqual([]);
    expect(await rowsOf(url, 'select seq from claim')).toEqual([]);
  });

  it('that a loss is told into are proven from the first chain that is known behind it', async () => {
    const porch = meowing('porch', epochId(1), 12);
    porch.add('history.lost', null, { epoch: porch.epoch, fromSeq: 4, toSeq: 5, count: 2, reason: 'disk' }, 12);
    await store.ingest(porch.batch(1, 3), NOW);
    await store.ingest(porch.batch(6, 7), NOW);
    // From 8 on the chain is a lie: it shows, since 7 is where the proof begins.
    await store.ingest({ ...porch.batch(8, 10), chain: porch.chain(2) }, NOW);
    await store.ingest(porch.batch(11, 13), NOW);
    expect((await store.agents())[0]?.epochs[0]).toMatchObject({ mark: 13, chainOk: false, missing: 0 });
    expect(await runsOf('island')).toEqual([]);
    expect(await rowsOf(url, 'select seq from claim')).toEqual([]);
    expect(await rowsOf(url, 'select seq from event where position is null')).toEqual([]);
  });

  it('are reached over losses of several reasons, behind which alone a chain is known', async () => {
    const porch = meowing('porch', epochId(1), 8);
    for (const [fromSeq, toSeq, reason] of [
      [3, 4, 'disk budget'],
      [5, 7, 'thinned'],
    ] as const) {
      porch.add('history.lost', null, { epoch: porch.epoch, fromSeq, toSeq, count: toSeq - fromSeq + 1, reason }, 9);
    }
    await store.ingest(porch.batch(1, 2), NOW);
    await store.ingest({ ...porch.batch(8, 9), chain: null }, NOW);
    expect(await store.ingest(porch.batch(10, 10), NOW)).toMatchObject({
      chainOk: true,
      stored: { seq: 10, need: [] },
    });
    expect(await runsOf('gap')).toEqual([
      [3, 4],
      [5, 7],
    ]);
    expect(await runsOf('island')).toEqual([]);
  });

  it('are passed however many they are, once a chain behind them is known', async () => {
    const porch = meowing('porch', epochId(1), 2);
    await store.ingest(porch.batch(1, 2), NOW);
    const [{ no: epoch_no } = {}] = await rowsOf(url, `select no from epoch where epoch = '${porch.epoch}'`);
    const gap = (i: number) => ({ epoch_no, from_seq: 3 + i, to_seq: 3 + i, reason: `reason ${i}`, noted: NOW });
    await insertRows(
      url,
      'gap',
      Array.from({ length: 2 * MAX_RUNS + 1 }, (_, i) => gap(i)),
    );
    const end = 3 + 2 * MAX_RUNS;
    const sync = (lastSeq: number) =>
      store.sync('porch', { epoch: porch.epoch, firstSeq: 1, lastSeq, chain: porch.chain(2) }, NOW);
    // One that lies behind a hole leads nowhere.
    expect(await sync(end + 2)).toMatchObject({ seq: 2 });
    expect(await sync(end)).toMatchObject({ seq: end });
  });
});
