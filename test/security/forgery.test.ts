/** What gets past the broker all the same: topic, source and owner of the epoch must be one agent, else nothing is stored. */
import { constantFrom, integer, sample, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { openStore } from '../../src/central/open-store.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { encodeSync } from '../../src/contract/message.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import { epochId, meowing, NOW } from '../central/store/events.ts';
import { startReceiving } from './receiving.ts';

const FORGED = 10_000;
const SEED = 20_261_123;
const HELD = 4;
const agents = ['porch', 'shed', 'attic', 'central'];
/** Epoch 1 is porch's, 2 is shed's; 3 is nobody's yet. */
const owners: Readonly<Record<number, string>> = { 1: 'porch', 2: 'shed' };

interface Forged {
  readonly topic: string;
  readonly payload: string;
}

const forged = tuple(
  constantFrom(...agents),
  constantFrom(...agents),
  integer({ min: 1, max: 3 }),
  integer({ min: 1, max: 6 }),
  constantFrom('events', 'backlog', 'sync'),
)
  .filter(([at, from, n, , channel]) => {
    const writer = channel === 'sync' ? at : from;
    const owner = owners[n] ?? writer;
    return at === 'central' || writer !== at || owner !== at;
  })
  .map(([at, from, n, seq, channel]): Forged => {
    const writer = meowing(from, epochId(n), seq + 1);
    const topic = agentTopic('collard/v1', at, channel as 'events');
    if (channel !== 'sync') return { topic, payload: encodeBatch(writer.batch(seq, seq + 1)) };
    return { topic, payload: encodeSync({ epoch: epochId(n), firstSeq: 1, lastSeq: seq, chain: writer.chain(seq) }) };
  });

test(`of ${FORGED} batches and syncs whose topic, source and epoch belong to different agents none is stored or answered`, async () => {
  const store = await openStore({ url: 'sqlite::memory:' });
  const honest = ['porch', 'shed'].map((name, i) => meowing(name, epochId(i + 1), HELD));
  for (const writer of honest) await store.ingest(writer.batch(1, HELD), NOW);
  const before = { agents: await store.agents(), events: await store.events({ limit: 100 }) };
  const receiving = startReceiving(store);
  const quarantined = (await store.counts()).quarantined;
  await receiving.say(sample(forged, { numRuns: FORGED, seed: SEED }));
  await receiving.stop();
  expect(await store.events({ limit: 100 })).toEqual(before.events);
  const told = (rows: typeof before.agents) =>
    rows.filter(({ epochs }) => epochs.length > 0).map((row) => ({ ...row, quarantined: 0 }));
  expect(told(await store.agents())).toEqual(before.agents);
  expect(receiving.said.filter(({ topic }) => topic.endsWith('/stored'))).toEqual([]);
  expect((await store.counts()).quarantined - quarantined).toBe(FORGED);
  await store.close();
}, 120_000);
