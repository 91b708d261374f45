import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CentralConfig } from '../../src/central/config.ts';
import { openStore } from '../../src/central/open-store.ts';
import { MAX_AGENTS } from '../../src/central/store/agents.ts';
import type { Store } from '../../src/central/store/store.ts';
import { decodeIncoming, type Received } from '../../src/central/subscriber/message.ts';
import { createTrust } from '../../src/central/trust.ts';
import { type EventBatch, encodeBatch } from '../../src/contract/envelope.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import { chained, newKey, signed, signedSync } from '../contract/signing.ts';
import { epochId, meowing, NOW } from './store/events.ts';

const [own, other] = [newKey(), newKey()];
const porch = meowing('porch', epochId(1), 6);
const extent = { epoch: epochId(1), firstSeq: 1, lastSeq: 6, chain: porch.chain(6) };
const batch = porch.batch(3, 6);
const batchOf = (one: EventBatch): Received => ({ type: 'batch', batch: { ...one, bad: [], chained: one.events } });
const syncOf = (message: typeof extent): Received => ({ type: 'sync', agent: 'porch', message });
const state: Received = {
  type: 'state',
  agent: 'porch',
  message: { state: 'online', session: 1, version: '1' },
};
const health: Received = { type: 'health', agent: 'porch', health: {} };

let store: Store;
const lines: string[] = [];
beforeEach(async () => {
  lines.length = 0;
  store = await openStore({ url: 'sqlite::memory:' });
});
afterEach(() => store.close());

function trust(policy: CentralConfig['trust']['keys'] = 'optional') {
  const logger = pino({}, { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) });
  return createTrust({ store, policy, logger, clock: () => new Date(NOW) });
}

async function doubtOf(received: Received, policy?: CentralConfig['trust']['keys']): Promise<string | null> {
  const admitted = await trust(policy).admit(received);
  if (admitted.type === 'doubted') return admitted.reason;
  expect(admitted).toBe(received);
  return null;
}

/** Somebody enrols `enrolled` between the look at the keys and the first word. */
async function doubtWhileEnrolling(enrolled: typeof own): Promise<string | null> {
  let isLooked = false;
  const keys = async (agent?: string) => {
    const known = await store.keys(agent);
    if (!isLooked) await enroll(enrolled);
    isLooked = true;
    return known;
  };
  const logger = { warn: () => undefined };
  const racing = createTrust({ store: { ...store, keys }, policy: 'first-use', logger, clock: () => new Date(NOW) });
  const admitted = await racing.admit(syncOf(signedSync(own, 'porch', extent)));
  return admitted.type === 'doubted' ? admitted.reason : null;
}

const enroll = (key = own) => store.enrollKey('porch', key.publicKey, 'enrolled', NOW);

describe('an agent without a key', () => {
  test.each(['optional', 'first-use'] as const)('is taken unsigned where keys are %s', async (policy) => {
    for (const one of [batchOf(batch), syncOf(extent), state, health]) expect(await doubtOf(one, policy)).toBeNull();
    expect(await store.keys()).toEqual([]);
  });

  test('is taken where it signs with a key that nobody knows', async () => {
    expect(await doubtOf(batchOf(signed(own, batch, porch.chain(2))))).toBeNull();
    expect(await doubtOf(syncOf(signedSync(own, 'porch', extent)))).toBeNull();
    expect(await store.keys()).toEqual([]);
  });

  test('is shown and otherwise not heard where keys are required, however it signs', async () => {
    const why = 'porch has no enrolled key: collard central enroll --agent porch --key KEY';
    for (const one of [batch, signed(own, batch, porch.chain(2))])
      expect(await doubtOf(batchOf(one), 'required')).toBe(why);
    expect(await doubtOf(syncOf(signedSync(own, 'porch', extent)), 'required')).toBe(why);
    expect(await doubtOf(state, 'required')).toBeNull();
    expect(await doubtOf(health, 'required')).toBeNull();
    expect(await store.keys()).toEqual([]);
  });

  test('has the key of its first signed sync, which is told, and only that', async () => {
    expect(await doubtOf(syncOf(signedSync(own, 'porch', extent)), 'first-use')).toBeNull();
    expect(await store.keys()).toEqual([
      expect.objectContaining({ agent: 'porch', keyId: own.keyId, how: 'first-use', since: NOW }),
    ]);
    expect(lines).toEqual(['the first key of porch is taken on trust: compare it with collard agent key']);
    const why = `signed with key ${other.keyId}, which is not enrolled for porch`;
    expect(await doubtOf(syncOf(signedSync(other, 'porch', extent)), 'first-use')).toBe(why);
    expect(await doubtOf(syncOf(extent), 'first-use')).toBe('unsigned, and porch has an enrolled key');
  });

  test('is not met by a sync whose signature is of another one', async () => {
    const { proof } = signedSync(own, 'shed', extent);
    const forged = syncOf({ ...extent, ...(proof && { proof }) });
    expect(await doubtOf(forged, 'first-use')).toBe('the signature of porch does not prove this sync');
    expect(await store.keys()).toEqual([]);
  });

  test('is asked by the key that somebody has enrolled meanwhile', async () => {
    expect(await doubtWhileEnrolling(own)).toBeNull();
    await store.close();
    store = await openStore({ url: 'sqlite::memory:' });
    const why = `signed with key ${own.keyId}, which is not enrolled for porch`;
    expect(await doubtWhileEnrolling(other)).toBe(why);
    expect((await store.keys()).map(({ keyId }) => keyId)).toEqual([other.keyId]);
  });

  test('is not met beyond the limit of agents, and central goes on', async () => {
    store.enrollKey = async () => {
      throw Object.assign(new Error(`${MAX_AGENTS} agents are known`), { code: 'REFUSED' });
    };
    expect(await doubtOf(syncOf(signedSync(own, 'porch', extent)), 'first-use')).toBe(`${MAX_AGENTS} agents are known`);
    store.enrollKey = async () => {
      throw Object.assign(new Error('disk'), { code: 'SQLITE_IOERR' });
    };
    await expect(doubtOf(syncOf(signedSync(own, 'porch', extent)), 'first-use')).rejects.toThrow('disk');
  });
});

describe.each(['optional', 'first-use', 'required'] as const)('an agent with a key, where keys are %s', (policy) => {
  beforeEach(() => enroll());
  const doubt = (received: Received) => doubtOf(received, policy);

  test('is taken where it signs', async () => {
    expect(await doubt(batchOf(signed(own, batch, porch.chain(2))))).toBeNull();
    expect(await doubt(syncOf(signedSync(own, 'porch', extent)))).toBeNull();
    expect(await doubt(state)).toBeNull();
    expect(await doubt(health)).toBeNull();
  });

  test('is not taken unsigned', async () => {
    expect(await doubt(batchOf(batch))).toBe('unsigned, and porch has an enrolled key');
    expect(await doubt(syncOf(extent))).toBe('unsigned, and porch has an enrolled key');
  });

  test('is not taken with the key of another', async () => {
    await store.enrollKey('shed', other.publicKey, 'enrolled', NOW);
    const why = `signed with key ${other.keyId}, which is not enrolled for porch`;
    expect(await doubt(batchOf(signed(other, batch, porch.chain(2))))).toBe(why);
    expect(await doubt(syncOf(signedSync(other, 'porch', extent)))).toBe(why);
  });

  test('is not taken with a signature of something else', async () => {
    const { proof } = signed(own, porch.batch(3, 5), porch.chain(2));
    const why = 'the signature of porch does not prove these events';
    expect(await doubt(batchOf({ ...batch, ...(proof && { proof }) }))).toBe(why);
    const proven = signed(own, batch, porch.chain(2));
    const events = proven.events.map((event, i) => (i === 0 ? { ...event, data: '{"level":9}' } : event));
    expect(await doubt(batchOf({ ...proven, events }))).toBe(why);
  });

  test('is taken with an event that is none where the signature tells that it is its own', async () => {
    const events = batch.events.map((event, i) => (i === 1 ? { ...event, time: 'yesterday' } : event));
    const proven = signed(own, chained('porch', events, porch.chain(2)), porch.chain(2));
    const items = JSON.parse(encodeBatch(proven)) as Record<string, unknown>[];
    const read = (list: readonly unknown[]) =>
      decodeIncoming('collard/v1', {
        topic: agentTopic('collard/v1', 'porch', 'events'),
        payload: Buffer.from(JSON.stringify(list)),
      });
    expect(await doubt(read(items))).toBeNull();
    const why = 'the signature of porch does not prove these events';
    const spoil = (change: object) => read(items.map((item, i) => (i === 2 ? { ...item, ...change } : item)));
    for (const change of [
      { time: 'tomorrow' },
      { data: { level: 9 } },
      { specversion: '2' },
      { source: 'x' },
      { type: 7 },
    ]) {
      expect(await doubt(spoil(change))).toBe(why);
    }
  });

  test('makes no gap by a sync that was changed on its way', async () => {
    const { proof } = signedSync(own, 'porch', extent);
    const later = { ...extent, firstSeq: 5, ...(proof && { proof }) };
    expect(await doubt(syncOf(later))).toBe('the signature of porch does not prove this sync');
  });

  test('is heard no more from the moment on when its key is revoked', async () => {
    const [one, two] = [batchOf(signed(own, batch, porch.chain(2))), syncOf(signedSync(own, 'porch', extent))];
    expect(await doubt(one)).toBeNull();
    await store.revokeKeys('porch', null, NOW);
    const why = `signed with key ${own.keyId} of porch, which is revoked`;
    expect(await doubt(one)).toBe(why);
    expect(await doubt(two)).toBe(why);
    for (const bare of [batchOf(batch), syncOf(extent)]) {
      expect(await doubt(bare)).toBe('unsigned, and porch has no key that is not revoked');
    }
    for (const told of [state, health]) expect(await doubt(told)).toBe('porch has no key that is not revoked');
  });

  test('is heard with its new key, and no more with the old one, which is revoked', async () => {
    await enroll(other);
    expect(await doubt(batchOf(signed(own, batch, porch.chain(2))))).toBeNull();
    await store.revokeKeys('porch', own.keyId, NOW);
    expect(await doubt(batchOf(signed(own, batch, porch.chain(2))))).toContain('which is revoked');
    expect(await doubt(batchOf(signed(other, batch, porch.chain(2))))).toBeNull();
    expect(await doubt(state)).toBeNull();
  });
});

test('what is no word of an agent passes', async () => {
  for (const received of [{ type: 'empty' }, { type: 'unreadable', reason: 'x' }] as const) {
    expect(await doubtOf(received, 'required')).toBeNull();
  }
});
