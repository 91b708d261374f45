/** What gets past the broker all the same: topic, source and owner of the epoch must be one agent, else nothing is stored. */
import { constantFrom, integer, sample, tuple } from 'fast-check';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { openStore } from '../../src/central/open-store.ts';
import { type ReceiveParts, runReceive } from '../../src/central/receive.ts';
import { createOutbox } from '../../src/central/subscriber/outbox.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { encodeSync } from '../../src/contract/message.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import type { Incoming, MqttLink } from '../../src/lib/mqtt-link.ts';
import { createQueue } from '../../src/lib/queue.ts';
import { epochId, meowing, NOW } from '../central/store/events.ts';
import { until } from '../servers.ts';

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
  const incoming = createQueue<Incoming>(128);
  let acknowledged = 0;
  const answers: string[] = [];
  const link: MqttLink = {
    protocol: '5',
    sessionPresent: true,
    receiveMaximum: 100,
    maxPacketBytes: 1_000_000,
    overruns: 0,
    publish: async (topic) => {
      answers.push(topic);
      return { ok: true };
    },
    subscribe: async () => undefined,
    incoming,
    ended: new Promise(() => undefined),
    close: async () => incoming.close(),
  };
  const stop = new AbortController();
  const running = runReceive(partsOf(store, link), stop.signal);
  const messages = sample(forged, { numRuns: FORGED, seed: SEED });
  const quarantined = (await store.counts()).quarantined;
  for (const { topic, payload } of messages) {
    const done = () => {
      acknowledged += 1;
    };
    await incoming.room(stop.signal);
    expect(incoming.push({ topic, payload: Buffer.from(payload), retained: false, done })).toBe(true);
  }
  await until('all are looked at', () => acknowledged === FORGED, 60_000);
  stop.abort();
  await running;
  expect(await store.events({ limit: 100 })).toEqual(before.events);
  const told = (rows: typeof before.agents) =>
    rows.filter(({ epochs }) => epochs.length > 0).map((row) => ({ ...row, quarantined: 0 }));
  expect(told(await store.agents())).toEqual(before.agents);
  expect(answers.filter((topic) => topic.endsWith('/stored'))).toEqual([]);
  expect((await store.counts()).quarantined - quarantined).toBe(FORGED);
  await store.close();
}, 120_000);

function partsOf(store: ReceiveParts['store'], link: MqttLink): ReceiveParts {
  return {
    store,
    openLink: async () => link,
    subscriber: {
      base: 'collard/v1',
      group: 'central',
      sessionExpirySeconds: 0,
      link: { url: 'mqtt://127.0.0.1', keepaliveSeconds: 10, connectTimeoutMs: 1_000 },
    },
    outbox: createOutbox(),
    retry: { firstMs: 10, maxMs: 10 },
    logger: pino({ level: 'silent' }),
    clock: () => new Date(NOW),
    random: () => 0.5,
    ingested: () => undefined,
    changed: () => undefined,
    onConnection: () => undefined,
  };
}
