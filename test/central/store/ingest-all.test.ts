/** What many agents said, written together: one transaction, and the same store as one by one. */
import fc from 'fast-check';
import { Kysely } from 'kysely';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { isOfOne } from '../../../src/central/store/of-one.ts';
import type { Store, Work } from '../../../src/central/store/store.ts';
import { WALK_ROWS } from '../../../src/central/store/walk.ts';
import { shardOf } from '../../../src/contract/topic.ts';
import { freshStore, freshUrl, rowsOf, runs } from '../engines/fresh.ts';
import { at, createWriter, epochId, meowing, NOW, type Writer } from './events.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

async function opened(): Promise<Store> {
  const store = await freshStore();
  onTestFinished(() => store.close());
  return store;
}

function countTransactions(): () => number {
  const begun = vi.spyOn(Kysely.prototype, 'transaction');
  return () => begun.mock.calls.length;
}

const batchOf = (writer: Writer, from: number, to: number): Work => ({ type: 'batch', batch: writer.batch(from, to) });

function syncOf(writer: Writer, firstSeq: number, lastSeq: number): Work {
  const message = { epoch: writer.epoch, firstSeq, lastSeq, chain: writer.chain(lastSeq) };
  return { type: 'sync', agent: writer.agent, message };
}

/** All that an agent says when it connects. */
function hello(writer: Writer): Work[] {
  const { agent } = writer;
  const message = { state: 'online', session: 1, version: '1' } as const;
  return [
    { type: 'state', agent, message, heard: NOW },
    syncOf(writer, 1, 4),
    { type: 'health', agent, health: { queue: 4 }, heard: NOW },
    batchOf(writer, 1, 4),
  ];
}

const fleet = (count: number) => Array.from({ length: count }, (_, n) => meowing(`agent${n}`, epochId(n + 1), 4));
const stuck = (writer: Writer): Work => {
  const { agent, events, chain } = writer.batch(1, 4);
  // A column that may not be empty: no agent can bring that about, and no other one may suffer from it.
  return { type: 'batch', batch: { agent, events: events.map((one) => ({ ...one, data: null as never })), chain } };
};

describe('what many agents said', () => {
  it('is one transaction, with an outcome for each', async () => {
    const store = await opened();
    const writers = fleet(30);
    const transactions = countTransactions();
    const outcomes = await store.ingestAll(writers.flatMap(hello), NOW);
    expect(transactions()).toBe(1);
    expect(outcomes).toHaveLength(120);
    for (const [i, writer] of writers.entries()) {
      const stored = { epoch: writer.epoch, seq: 4, chain: writer.chain(4), need: [] };
      expect(outcomes.slice(i * 4, i * 4 + 4)).toMatchObject([
        { type: 'noted' },
        { type: 'answered', stored },
        { type: 'noted' },
        { type: 'ingested', result: { inserted: 4, duplicates: 0, chainOk: true, stored } },
      ]);
    }
    expect(await store.agents()).toHaveLength(30);
    expect((await store.counts()).events).toBe(120);
  });

  it('is one transaction too where agents ask for what they will send', async () => {
    const store = await opened();
    const transactions = countTransactions();
    const outcomes = await store.ingestAll(
      fleet(10).map((writer) => syncOf(writer, 1, 4)),
      NOW,
    );
    expect(transactions()).toBe(1);
    for (const one of outcomes) expect(one).toMatchObject({ type: 'answered', stored: { seq: 0, need: [[1, 4]] } });
  });

  it('is walked over within it where it joins what came before', async () => {
    const store = await opened();
    const writers = fleet(10);
    await store.ingestAll(
      writers.map((writer) => batchOf(writer, 3, 4)),
      NOW,
    );
    const transactions = countTransactions();
    const outcomes = await store.ingestAll(
      writers.map((writer) => batchOf(writer, 1, 2)),
      NOW,
    );
    expect(transactions()).toBe(1);
    for (const one of outcomes) expect(one).toMatchObject({ type: 'ingested', result: { stored: { seq: 4 } } });
    await gapless(store);
  });

  it('goes on in another transaction behind what there is much to walk over, with the same outcomes', async () => {
    const store = await opened();
    const [porch, shed] = [meowing('porch', epochId(1), WALK_ROWS + 600), meowing('shed', epochId(2), 2)];
    const islands: Work[] = [];
    for (let from = 2; from <= WALK_ROWS + 500; from += 500) {
      islands.push(batchOf(porch, from, Math.min(from + 499, WALK_ROWS + 500)));
    }
    await store.ingestAll(islands, NOW);
    const transactions = countTransactions();
    const last = batchOf(porch, WALK_ROWS + 501, WALK_ROWS + 600);
    const outcomes = await store.ingestAll([batchOf(porch, 1, 1), batchOf(shed, 1, 2), last], NOW);
    // The first with a part of its walk, the rest of that, the others.
    expect(transactions()).toBe(3);
    expect(outcomes).toMatchObject([
      { type: 'ingested', result: { inserted: 1, stored: { seq: WALK_ROWS + 600 } } },
      { type: 'ingested', result: { inserted: 2, stored: { seq: 2 } } },
      { type: 'ingested', result: { inserted: 100, chainOk: true, stored: { chain: porch.chain(WALK_ROWS + 600) } } },
    ]);
    await gapless(store);
  });

  it('goes on in as many transactions as a walk takes', async () => {
    const store = await opened();
    const count = 3 * WALK_ROWS + 2;
    const porch = meowing('porch', epochId(1), count);
    for (let from = 2; from <= count; from += 1_000) {
      await store.ingestAll([batchOf(porch, from, Math.min(from + 999, count))], NOW);
    }
    const transactions = countTransactions();
    const [outcome] = await store.ingestAll([batchOf(porch, 1, 1)], NOW);
    expect(outcome).toMatchObject({ type: 'ingested', result: { inserted: 1, chainOk: true, stored: { seq: count } } });
    // One step in the first, one in each of two more, and the last row in another.
    expect(transactions()).toBe(4);
    await gapless(store);
  });

  it('is stored without what is refused, of which nothing stays', async () => {
    const store = await opened();
    const [porch, shed, attic] = fleet(3) as [Writer, Writer, Writer];
    const thief = meowing('thief', porch.epoch, 4);
    const transactions = countTransactions();
    const works = [
      batchOf(porch, 1, 4),
      batchOf(thief, 1, 4),
      batchOf(shed, 1, 2),
      batchOf(attic, 1, 4),
      batchOf(shed, 3, 4),
    ];
    const outcomes = await store.ingestAll(works, NOW);
    expect(transactions()).toBe(1);
    expect(outcomes.map(({ type }) => type)).toEqual(['ingested', 'failed', 'ingested', 'ingested', 'ingested']);
    expect(outcomes[1]).toMatchObject({ error: { code: 'REFUSED' } });
    expect((await store.agents()).map(({ agent }) => agent)).toEqual(['agent0', 'agent1', 'agent2']);
    expect((await store.counts()).events).toBe(12);
    await gapless(store);
  });

  it('is stored without what the database cannot write, and what its agent said after it', async () => {
    const store = await opened();
    const [porch, shed, attic] = fleet(3) as [Writer, Writer, Writer];
    const works = [batchOf(porch, 1, 4), stuck(shed), batchOf(attic, 1, 4), syncOf(shed, 1, 4), syncOf(porch, 1, 4)];
    const outcomes = await store.ingestAll(works, NOW);
    expect(outcomes.map(({ type }) => type)).toEqual(['ingested', 'failed', 'ingested', 'failed', 'answered']);
    expect((await store.agents()).map(({ agent, epochs }) => [agent, epochs[0]?.mark])).toEqual([
      ['agent0', 4],
      ['agent2', 4],
    ]);
    await gapless(store);
    // Alone it says the same.
    const alone = stuck(shed);
    if (alone.type !== 'batch' || outcomes[1]?.type !== 'failed') throw new Error('another test');
    await expect(store.ingest(alone.batch, NOW)).rejects.toMatchObject({ message: outcomes[1].error.message });
  });

  it('waits in quarantine too behind what the database cannot write of its agent', async () => {
    const store = await opened();
    const [porch, shed] = fleet(2) as [Writer, Writer];
    const aside = (agent: string): Work => {
      const payload = Buffer.from('?');
      return {
        type: 'quarantine',
        message: { agent, topic: `t/${agent}`, payload, kind: 'unreadable', reason: 'none' },
      };
    };
    const outcomes = await store.ingestAll([stuck(porch), aside(porch.agent), aside(shed.agent)], NOW);
    expect(outcomes.map(({ type }) => type)).toEqual(['failed', 'failed', 'noted']);
    expect((await store.quarantined({ after: 0, limit: 10 })).map(({ topic }) => topic)).toEqual([`t/${shed.agent}`]);
  });

  it('is not tried one by one where the database itself is at fault', async () => {
    const url = await freshUrl();
    const store = await openStore({ url });
    onTestFinished(() => store.close());
    const writers = fleet(3);
    await rowsOf(url, 'alter table claim rename to elsewhere');
    const transactions = countTransactions();
    const works = writers.map((writer) => batchOf(writer, 1, 2));
    await expect(store.ingestAll(works, NOW)).rejects.toMatchObject({ code: expect.any(String) });
    expect(transactions()).toBe(1);
    expect((await store.counts()).events).toBe(0);
  });

  it('is stored in the shards that are still ours', async () => {
    const url = await freshUrl();
    const [own, other] = [await openStore({ url }), await openStore({ url, shared: true })];
    onTestFinished(async () => {
      await own.close();
      await other.close();
    });
    const writers = fleet(3);
    await own.ingestAll(
      writers.map((writer) => batchOf(writer, 1, 2)),
      NOW,
    );
    await other.takeShard(shardOf('agent1'), { token: 99, owner: 'other' });
    const outcomes = await own.ingestAll(
      writers.map((writer) => batchOf(writer, 3, 4)),
      NOW,
    );
    expect(outcomes).toMatchObject([
      { type: 'ingested', result: { stored: { seq: 4 } } },
      { type: 'failed', error: { code: 'FENCED' } },
      { type: 'ingested', result: { stored: { seq: 4 } } },
    ]);
    expect((await other.counts()).events).toBe(10);
  });
});

it.each([
  [{ code: 'REFUSED' }, true],
  [{ code: 'FENCED' }, true],
  [{}, true],
  [{ code: 'SQLITE_CONSTRAINT_NOTNULL' }, true],
  [{ code: '23505' }, true],
  [{ code: '22001' }, true],
  [{ code: 'ER_DATA_TOO_LONG', sqlState: '22001' }, true],
  [{ code: 'STORE_AWAY' }, false],
  [{ code: 'SQLITE_FULL' }, false],
  [{ code: 'SQLITE_IOERR_FSYNC' }, false],
  [{ code: 'SQLITE_CORRUPT' }, false],
  [{ code: '53100' }, false],
  [{ code: 'ER_DISK_FULL', sqlState: 'HY000' }, false],
])('an error with %j says something of one piece of work: %s', (fields, is) => {
  expect(isOfOne(Object.assign(new Error('words'), fields))).toBe(is);
});

it('what is no error says nothing of one piece of work', () => {
  expect(isOfOne('REFUSED')).toBe(false);
});

/** Positions of each shard are 1..n. */
async function gapless(store: Store): Promise<void> {
  const { events } = await store.arrivals(new Map(), 10_000);
  for (const shard of new Set(events.map((event) => event.shard))) {
    const positions = events.flatMap((event) => (event.shard === shard ? (event.position ?? []) : []));
    expect(positions.sort((a, b) => a - b)).toEqual(positions.map((_, i) => i + 1));
  }
}

/** Everything that can be asked of it. */
async function contents(store: Store, names: readonly string[]) {
  await gapless(store);
  const { events } = await store.arrivals(new Map(), 10_000);
  return {
    events,
    agents: await store.agents(),
    counts: await store.counts(),
    gaps: await Promise.all(names.map((name) => store.agentGaps(name))),
    conflicts: await store.conflicting({ after: 0, limit: 1_000 }),
    quarantined: await store.quarantined({ after: 0, limit: 1_000 }),
    collars: [...(await store.unassignedCollars())].sort((a, b) => (a.collar < b.collar ? -1 : 1)),
  };
}

/** One that shares its shard with another, and one that writes in the epoch of another. */
const twin =
  Array.from({ length: 1_000 }, (_, n) => `twin${n}`).find((name) => shardOf(name) === shardOf('porch')) ?? '';
const NAMES = ['porch', 'shed', twin, 'thief'];
const SEQS = 12;

function historyOf(agent: string, epoch: string, collar: string): Writer {
  const writer = createWriter(agent, epoch);
  for (let seq = 1; seq <= SEQS; seq += 1) {
    if (seq === 9) {
      const lost = { epoch, fromSeq: 3, toSeq: 5, count: 3, reason: 'disk' };
      writer.add('history.lost', null, lost, seq);
    } else if (seq === 2 || seq === 6) {
      writer.addUnset(
        'meow.started',
        `collar/${collar}`,
        { level: 1.5 },
        { time: at(seq - 1_000), boot: 'b', monoMs: seq },
      );
    } else if (seq === 8) writer.add('clock.synced', null, { boot: 'b', offsetMs: Date.parse(NOW) }, seq);
    else writer.add('meow.started', `collar/${collar}`, { level: 1.5 }, seq);
  }
  return writer;
}

const writers = NAMES.map((name, n) => historyOf(name, epochId(name === 'thief' ? 1 : n + 1), `C0FFEE0${n}`));
const clones = NAMES.map((name, n) => historyOf(name, epochId(n + 1), `DEADBEE${n}`));

const work: fc.Arbitrary<Work> = fc
  .record({
    type: fc.constantFrom('batch', 'batch', 'batch', 'clone', 'sync', 'state', 'health', 'poison'),
    who: fc.nat(NAMES.length - 1),
    a: fc.integer({ min: 1, max: SEQS }),
    b: fc.integer({ min: 1, max: SEQS }),
  })
  .map(({ type, who, a, b }): Work => {
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    const [writer, clone, agent] = [writers[who] as Writer, clones[who] as Writer, NAMES[who] as string];
    switch (type) {
      case 'batch':
        return batchOf(writer, from, to);
      case 'clone':
        return batchOf(clone, from, from);
      case 'sync':
        return syncOf(writer, from, to);
      case 'state': {
        const state = b % 2 === 0 ? 'online' : 'offline';
        return { type, agent, message: { state, session: a, version: '1' }, heard: NOW };
      }
      case 'health': {
        const collars = [{ collar: `${agent} ${a}`, lastHeard: NOW }];
        return { type, agent, health: { queue: b, collars }, heard: a % 2 === 0 ? NOW : null };
      }
      default: {
        const message = {
          agent,
          topic: `t/${a}`,
          payload: Buffer.from('?'),
          kind: 'unreadable',
          reason: 'none',
        } as const;
        return { type: 'quarantine', message };
      }
    }
  });

it('any grouping gives the same store', async () => {
  const property = fc.asyncProperty(
    fc.array(work, { minLength: 1, maxLength: 30 }),
    fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 30, maxLength: 30 }),
    async (works, sizes) => {
      const [alone, together] = [await freshStore(), await freshStore()];
      try {
        for (const one of works) await alone.ingestAll([one], NOW);
        for (let at = 0, n = 0; at < works.length; n += 1) {
          const size = sizes[n] ?? 1;
          await together.ingestAll(works.slice(at, at + size), NOW);
          at += size;
        }
        expect(await contents(together, NAMES)).toEqual(await contents(alone, NAMES));
      } finally {
        await alone.close();
        await together.close();
      }
    },
  );
  await fc.assert(property, { numRuns: runs(150) });
}, 120_000);
