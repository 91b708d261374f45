import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { groupsOf } from '../../src/central/grouping.ts';
import { COMMIT_BYTES, COMMIT_MESSAGES, keepAll } from '../../src/central/keep.ts';
import { openStore } from '../../src/central/open-store.ts';
import type { Store, Work } from '../../src/central/store/store.ts';
import type { Received } from '../../src/central/subscriber/message.ts';
import { createOutbox } from '../../src/central/subscriber/outbox.ts';
import type { Admitted, Doubted, Trust } from '../../src/central/trust.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { decodeStored, encodeSync, type StoredMessage } from '../../src/contract/message.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import type { Incoming } from '../../src/lib/mqtt-link.ts';
import { epochId, meowing, NOW, type Writer } from './store/events.ts';

const base = 'collard/v1';
let store: Store;
/** Each commit, with what it was of. */
let commits: (readonly Work[])[];
/** What was answered and let go, in this order. */
let heard: string[];
/** What was not believed. */
let doubted: string[];
/** What was answered, and how. */
let answers: { topic: string; stored: StoredMessage | null; retain: boolean; about?: string }[];
/** What the log says. */
let told: string[];

beforeEach(async () => {
  store = await openStore({ url: 'sqlite::memory:' });
  commits = [];
  heard = [];
  doubted = [];
  answers = [];
  told = [];
});
afterEach(() => store.close());

type Said = readonly [agent: string, channel: 'events' | 'sync' | 'state' | 'health', payload: string | Uint8Array];

async function keep(
  said: readonly Said[],
  ingestAll: Store['ingestAll'] = store.ingestAll,
  trust?: Trust,
  as: (i: number) => Partial<Incoming> = () => ({}),
): Promise<void> {
  const messages = said.map(([agent, channel, payload], i): Incoming => {
    const done = () => void heard.push(`${agent} ${channel} let go`);
    return { topic: agentTopic(base, agent, channel), payload: Buffer.from(payload), retained: false, done, ...as(i) };
  });
  const outbox = createOutbox();
  const parts = {
    store: {
      ingestAll: (works: readonly Work[], now: string) => {
        commits.push(works);
        return ingestAll(works, now);
      },
    },
    outbox: {
      ...outbox,
      put: (topic: string, payload: string | (() => string), how: { retain: boolean; about?: string }) => {
        const stored = decodeStored(Buffer.from(String(payload)));
        answers.push({ topic, stored, ...how });
        heard.push(`${topic.split('/')[3]} stored ${stored?.seq}`);
      },
    },
    logger: pino({}, { write: (line: string) => void told.push((JSON.parse(line) as { msg: string }).msg) }),
    clock: () => new Date(NOW),
    ingested: () => undefined,
    doubted: (type: Doubted) => void doubted.push(type),
  };
  await keepAll(parts, base, await groupsOf(base, trust, messages), new Set());
}

const events = (writer: Writer, from: number, to: number): Said => [
  writer.agent,
  'events',
  encodeBatch(writer.batch(from, to)),
];
const sync = ({ agent, epoch, chain }: Writer): Said => [
  agent,
  'sync',
  encodeSync({ epoch, firstSeq: 1, lastSeq: 2, chain: chain(2) }),
];

const fleet = (count: number) => Array.from({ length: count }, (_, n) => meowing(`agent${n}`, epochId(n + 1), 2));

describe('what many agents said', () => {
  it('is one commit, and answered after it', async () => {
    const state = JSON.stringify({ state: 'online', session: 1, version: '1' });
    const writers = fleet(15);
    const said = writers.flatMap((writer): Said[] => [
      [writer.agent, 'state', state],
      sync(writer),
      [writer.agent, 'health', '{"queue":2}'],
      events(writer, 1, 2),
    ]);
    let isCommitted = false;
    await keep(said, async (works, now) => {
      const outcomes = await store.ingestAll(works, now);
      expect(heard).toEqual([]);
      isCommitted = true;
      return outcomes;
    });
    expect([commits.length, isCommitted]).toEqual([1, true]);
    expect(heard.filter((line) => line.startsWith('agent7 '))).toEqual([
      'agent7 state let go',
      'agent7 stored 2',
      'agent7 sync let go',
      'agent7 health let go',
      'agent7 stored 2',
      'agent7 events let go',
    ]);
    expect((await store.counts()).events).toBe(30);
  });

  it('is as many commits as its messages and bytes need', async () => {
    await keep(fleet(COMMIT_MESSAGES + 1).map(sync));
    expect(commits.map((works) => works.length)).toEqual([COMMIT_MESSAGES, 1]);
    commits = [];
    const long = JSON.stringify({ words: 'w'.repeat(COMMIT_BYTES / 2 - 100) });
    await keep(['a', 'b', 'c'].map((agent): Said => [agent, 'health', long]));
    expect(commits.map((works) => works.length)).toEqual([2, 1]);
  });

  it('is kept and answered without what is refused, which goes into quarantine', async () => {
    const [porch, shed] = fleet(2) as [Writer, Writer];
    await keep([events(porch, 1, 2)]);
    heard = [];
    commits = [];
    const thief = meowing('thief', porch.epoch, 2);
    await keep([events(thief, 1, 2), ['attic', 'events', 'no JSON'], events(shed, 1, 2)]);
    // All of it, then what is refused.
    expect(commits.map((works) => works.map(({ type }) => type))).toEqual([
      ['batch', 'quarantine', 'batch'],
      ['quarantine'],
    ]);
    expect(heard).toEqual(['attic events let go', 'agent1 stored 2', 'agent1 events let go', 'thief events let go']);
    expect(await store.counts()).toMatchObject({ events: 4, quarantined: 2 });
  });

  it('is kept and answered without what the store cannot write, which ends the loop and is not let go', async () => {
    const [porch, shed, attic] = fleet(3) as [Writer, Writer, Writer];
    const broken = (work: Work): Work =>
      work.type === 'batch' && work.batch.agent === shed.agent
        ? {
            ...work,
            batch: { ...work.batch, events: work.batch.events.map((one) => ({ ...one, data: null as never })) },
          }
        : work;
    const kept = keep([events(porch, 1, 2), events(shed, 1, 2), events(attic, 1, 2)], (works, now) =>
      store.ingestAll(works.map(broken), now),
    );
    await expect(kept).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(heard).toEqual(['agent0 stored 2', 'agent0 events let go', 'agent2 stored 2', 'agent2 events let go']);
    expect((await store.counts()).events).toBe(4);
  });

  it('is kept again by the broker where what is refused cannot be put aside', async () => {
    const [porch, shed] = fleet(2) as [Writer, Writer];
    await keep([events(porch, 1, 2)]);
    heard = [];
    const thief = meowing('thief', porch.epoch, 2);
    const full = new Error('no room');
    const kept = keep([events(thief, 1, 2), events(shed, 1, 2)], async (works, now) =>
      works.some(({ type }) => type === 'quarantine')
        ? works.map(() => ({ type: 'failed', error: full }))
        : store.ingestAll(works, now),
    );
    await expect(kept).rejects.toMatchObject({ code: 'STORE_FAILED', cause: full });
    expect(heard).toEqual(['agent1 stored 2', 'agent1 events let go']);
  });

  it('is answered with the mark, of which the newest counts, and with the batch where that was known in part', async () => {
    const porch = meowing('porch', epochId(1), 4);
    await keep([events(porch, 1, 2)]);
    await keep([events(porch, 1, 4)]);
    const topic = agentTopic(base, 'porch', 'stored');
    expect(answers.map(({ stored, ...how }) => [how, stored?.batch ?? null])).toEqual([
      [{ topic, retain: false, about: `stored ${epochId(1)}` }, null],
      [
        { topic, retain: false },
        { from: 1, to: 4, chain: Buffer.from(porch.chain(4)) },
      ],
    ]);
  });

  it('that the broker had kept was said nobody knows when', async () => {
    const health = (queue: number): Said => ['porch', 'health', `{"queue":${queue}}`];
    await keep([health(1)], store.ingestAll, undefined, () => ({ retained: true }));
    await keep([health(1), health(2)], store.ingestAll, undefined, (i) => ({ retained: i === 0 }));
    expect(commits.flat().map((work) => work.type === 'health' && work.heard)).toEqual([null, NOW]);
  });

  it('on a topic of nobody is put aside without a name', async () => {
    await keep([['porch', 'events', '{}']], store.ingestAll, undefined, () => ({ topic: 'elsewhere' }));
    expect(commits).toMatchObject([[{ type: 'quarantine', message: { agent: '', topic: 'elsewhere' } }]]);
  });

  it('is let go and nothing else where it is empty', async () => {
    await keep([['porch', 'events', '']]);
    expect([commits, heard]).toEqual([[], ['porch events let go']]);
  });

  it('is put aside where it is doubted, unless an agent says it of itself each minute', async () => {
    const trust = {
      admit: async (received: Received): Promise<Admitted> =>
        received.type === 'empty' || received.type === 'unreadable'
          ? received
          : { type: 'doubted', what: received.type, reason: `no key for a ${received.type}` },
    };
    const porch = meowing('porch', epochId(1), 2);
    const state = JSON.stringify({ state: 'online', session: 1, version: '1' });
    const said: Said[] = [
      ['porch', 'state', state],
      sync(porch),
      ['porch', 'health', '{}'],
      ['porch', 'state', ''],
      events(porch, 1, 2),
    ];
    await keep(said, store.ingestAll, trust);
    expect(doubted).toEqual(['state', 'sync', 'health', 'batch']);
    expect(heard).toEqual(['state', 'sync', 'health', 'state', 'events'].map((what) => `porch ${what} let go`));
    expect(told).toEqual([
      'left out: no key for a state',
      'kept in quarantine: no key for a sync',
      'left out: no key for a health',
      'kept in quarantine: no key for a batch',
    ]);
    const aside = await store.quarantined({ after: 0, limit: 10 });
    expect(aside.map(({ kind, reason }) => [kind, reason])).toEqual([
      ['refused', 'no key for a sync'],
      ['refused', 'no key for a batch'],
    ]);
    expect((await store.counts()).events).toBe(0);
  });

  it('is neither answered nor let go where the store is away', async () => {
    const away = Object.assign(new Error('gone'), { code: 'STORE_AWAY' });
    await expect(keep([events(meowing('porch', epochId(1), 2), 1, 2)], () => Promise.reject(away))).rejects.toBe(away);
    expect(heard).toEqual([]);
  });
});
