/** Whoever rules the broker's machine, and has seen everything that porch ever sent, writes nothing as porch without its key. */
import { integer, nat, sample, tuple } from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CentralConfig } from '../../src/central/config.ts';
import { openStore } from '../../src/central/open-store.ts';
import { retry } from '../../src/central/retry.ts';
import type { Store } from '../../src/central/store/store.ts';
import { createTrust } from '../../src/central/trust.ts';
import { chainOver } from '../../src/contract/chain.ts';
import { type EventBatch, encodeBatch } from '../../src/contract/envelope.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { decodeStored, encodeSync } from '../../src/contract/message.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import { epochId, meowing, NOW, type Writer } from '../central/store/events.ts';
import { saveState } from '../central/store/said.ts';
import { newKey, signed, signedSync } from '../contract/signing.ts';
import { type Receiving, startReceiving } from './receiving.ts';

const FORGED = 1_000;
const SEED = 20_261_126;
const HELD = 4;
const SENT = 40;
const BASE = 'collard/v1';
const [own, thief] = [newKey(), newKey()];
const topicOf = (channel: 'events' | 'backlog' | 'sync' | 'state') => agentTopic(BASE, 'porch', channel);

let store: Store;
let receiving: Receiving;
const doubts: string[] = [];
afterEach(async () => {
  await receiving.stop();
  await store.close();
});
beforeEach(async () => {
  doubts.length = 0;
  store = await openStore({ url: 'sqlite::memory:' });
});

function trustOf(policy: CentralConfig['trust']['keys']) {
  return createTrust({ store, policy, logger: pino({ level: 'silent' }), clock: () => new Date(NOW) });
}

function start(policy: CentralConfig['trust']['keys'] = 'optional'): void {
  receiving = startReceiving(store, { trust: trustOf(policy), doubted: (type) => doubts.push(type) });
}

const batchOf = (writer: Writer, from: number, to: number, key = own) =>
  signed(key, writer.batch(from, to), writer.chain(from - 1));
const message = (batch: EventBatch, channel: 'events' | 'backlog' = 'events') => ({
  topic: topicOf(channel),
  payload: encodeBatch(batch),
});
const extentOf = (writer: Writer, firstSeq: number, lastSeq: number) => ({
  epoch: writer.epoch,
  firstSeq,
  lastSeq,
  chain: writer.chain(lastSeq),
});
const agentRow = async () => (await store.agents()).find(({ agent }) => agent === 'porch');
const marks = () =>
  receiving.said
    .filter(({ topic }) => topic.endsWith('/stored'))
    .map(({ payload }) => decodeStored(Buffer.from(payload))?.seq);

describe('an agent whose key is enrolled', () => {
  beforeEach(async () => {
    await store.enrollKey('porch', own.publicKey, 'enrolled', NOW);
    start();
  });

  test('is stored, answered and shown as verified, also where batches wait together and come out of order', async () => {
    const porch = meowing('porch', epochId(1), 12);
    const batches = [batchOf(porch, 1, 2), batchOf(porch, 3, 4), batchOf(porch, 9, 12), batchOf(porch, 5, 8)];
    await receiving.say(batches.map((batch) => message(batch)));
    const sync = encodeSync(signedSync(own, 'porch', extentOf(porch, 1, 12)));
    await receiving.say([{ topic: topicOf('sync'), payload: sync }]);
    expect(await agentRow()).toMatchObject({
      signed: 'verified',
      quarantined: 0,
      gaps: 0,
      epochs: [{ mark: 12, missing: 0, chainOk: true }],
    });
    expect(marks().at(-1)).toBe(12);
    expect(doubts).toEqual([]);
  });

  test(`of ${FORGED} messages that its key did not sign none is stored, answered, or makes a gap`, async () => {
    const porch = meowing('porch', epochId(1), SENT);
    const next = meowing('porch', epochId(2), SENT);
    await receiving.say([message(batchOf(porch, 1, HELD))]);
    const before = { row: await agentRow(), events: await store.events({ limit: 100 }), marks: marks() };
    await receiving.say(sample(forgeries(porch, next), { numRuns: FORGED, seed: SEED }));
    expect(await store.events({ limit: 100 })).toEqual(before.events);
    expect({ ...(await agentRow()), quarantined: 0 }).toEqual(before.row);
    expect(marks()).toEqual(before.marks);
    expect(doubts).toHaveLength(FORGED);
    await receiving.say([message(batchOf(porch, HELD + 1, SENT))]);
    expect(await agentRow()).toMatchObject({ epochs: [{ mark: SENT, chainOk: true }], conflicts: 0, gaps: 0 });
  });

  test('makes gaps by its own word only', async () => {
    const porch = meowing('porch', epochId(1), 12);
    const { proof } = signedSync(own, 'porch', extentOf(porch, 1, 12));
    await receiving.say([message(batchOf(porch, 10, 12))]);
    const forged = { ...extentOf(porch, 10, 12), ...(proof && { proof }) };
    await receiving.say([{ topic: topicOf('sync'), payload: encodeSync(forged) }]);
    expect(await agentRow()).toMatchObject({ gaps: 0, epochs: [{ mark: 0 }] });
    const honest = signedSync(own, 'porch', extentOf(porch, 10, 12));
    await receiving.say([{ topic: topicOf('sync'), payload: encodeSync(honest) }]);
    expect(await agentRow()).toMatchObject({ gaps: 1, epochs: [{ mark: 12 }] });
  });

  test('is heard no more once its key is revoked, in the very next message, and its state stays as it was', async () => {
    const porch = meowing('porch', epochId(1), 6);
    await receiving.say([message(batchOf(porch, 1, 2))]);
    await store.revokeKeys('porch', null, NOW);
    const payload = JSON.stringify({ state: 'online', session: 9, version: 'stolen' });
    await receiving.say([
      message(batchOf(porch, 3, 4)),
      { topic: topicOf('state'), payload },
      message(porch.batch(3, 4)),
    ]);
    expect(await agentRow()).toMatchObject({ signed: 'revoked', version: '', quarantined: 2, epochs: [{ mark: 2 }] });
    expect(doubts.toSorted()).toEqual(['batch', 'batch', 'state']);
    await store.enrollKey('porch', thief.publicKey, 'enrolled', NOW);
    await receiving.say([message(batchOf(porch, 3, 6, thief))]);
    expect(await agentRow()).toMatchObject({ signed: 'verified', epochs: [{ mark: 6 }] });
  });

  test('is in quarantine with the reason, and a retry believes no more than the first time', async () => {
    const porch = meowing('porch', epochId(1), 4);
    const { payload, topic } = message(batchOf(porch, 1, 4, thief));
    await receiving.say([{ topic, payload }]);
    const [kept] = await store.quarantined({ after: 0, limit: 10 });
    const reason = `signed with key ${thief.keyId}, which is not enrolled for porch`;
    expect(kept).toMatchObject({ agent: 'porch', kind: 'refused', reason });
    const nothing = () => undefined;
    const parts = {
      store,
      base: BASE,
      trust: trustOf('optional'),
      clock: () => new Date(NOW),
      ingested: nothing,
      changed: nothing,
    };
    expect(await retry(parts, kept?.no ?? 0)).toEqual({ ok: false, reason });
    expect((await store.counts()).events).toBe(0);
    await store.enrollKey('porch', thief.publicKey, 'enrolled', NOW);
    expect(await retry(parts, kept?.no ?? 0)).toMatchObject({ ok: true, inserted: 4 });
  });
});

describe('an agent whose key is not enrolled', () => {
  const porch = meowing('porch', epochId(1), 4);

  test.each([
    ['optional', 'unsigned', 4],
    ['first-use', 'first-use', 4],
    ['required', 'unsigned', 0],
  ] as const)('where keys are %s is %s, and %i of its 4 events are stored', async (policy, expected, stored) => {
    start(policy);
    await saveState(store, 'porch', { state: 'online', session: 1, version: '1' }, NOW);
    const sync = encodeSync(signedSync(own, 'porch', extentOf(porch, 1, 4)));
    await receiving.say([{ topic: topicOf('sync'), payload: sync }, message(batchOf(porch, 1, 4))]);
    expect((await store.counts()).events).toBe(stored);
    expect(await agentRow()).toMatchObject({ signed: expected, quarantined: stored === 0 ? 2 : 0 });
  });
});

/** What can be made of everything that was ever signed, of any key but the own one, and of no key at all. */
function forgeries(porch: Writer, next: Writer) {
  const spoil = (events: readonly StoredEvent[], n: number) =>
    events.map((event, i) => (i === n % events.length ? { ...event, data: `{"level":${n}}` } : event));
  const rechained = (batch: EventBatch, before: number): EventBatch => ({
    ...batch,
    chain: chainOver(porch.chain(before), batch.events),
  });
  return tuple(integer({ min: 1, max: SENT }), nat(19), nat(), nat(11)).map(([from, length, n, kind]) => {
    const to = Math.min(SENT, from + length);
    const batch = batchOf(porch, from, to);
    const other = { ...batch, events: spoil(batch.events, n) };
    const sync = signedSync(own, 'porch', extentOf(porch, 1, SENT));
    const made: (EventBatch | { readonly sync: string })[] = [
      // Bare, or by a key of the forger's own.
      { agent: 'porch', events: batch.events, chain: batch.chain },
      { agent: 'porch', events: other.events, chain: chainOver(porch.chain(from - 1), other.events) },
      batchOf(porch, from, to, thief),
      signed(thief, rechained(other, from - 1), porch.chain(from - 1)),
      // Other events under a true signature, with the chains as they were or mended.
      other,
      rechained(other, from - 1),
      {
        ...other,
        proof: { ...(batch.proof ?? never()), before: chainOver(porch.chain(from - 1), spoil(batch.events, n + 1)) },
      },
      // A true signature of elsewhere: another end, another epoch.
      { ...batch, proof: batchOf(porch, 1, to === SENT ? to - 1 : to + 1).proof ?? never() },
      { ...batchOf(next, from, to), proof: batch.proof ?? never() },
      // A loss that never was, by sync and by event.
      { sync: encodeSync({ ...sync, firstSeq: 1 + (n % SENT) + 1 }) },
      { sync: encodeSync({ ...signedSync(thief, 'porch', extentOf(porch, SENT, SENT)) }) },
      { ...batch, events: lost(batch.events, porch.epoch) },
    ];
    const one = made[kind] ?? never();
    return 'sync' in one
      ? { topic: topicOf('sync'), payload: one.sync }
      : message(one, n % 2 === 0 ? 'events' : 'backlog');
  });
}

function lost(events: readonly StoredEvent[], epoch: string): StoredEvent[] {
  const data = JSON.stringify({ epoch, fromSeq: HELD + 1, toSeq: SENT, count: SENT - HELD, reason: 'forged' });
  return events.map((event) => ({ ...event, type: 'collard.history.lost', subject: null, data }));
}

function never(): never {
  throw new Error('a case is missing');
}
