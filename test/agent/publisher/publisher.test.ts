import { describe, expect, test } from 'vitest';
import { agentSchema } from '../../../src/agent/config.ts';
import { openPublisher, type PublisherOptions } from '../../../src/agent/publisher/publisher.ts';
import { encodeBatch } from '../../../src/contract/envelope.ts';
import { encodeStored, type HealthMessage } from '../../../src/contract/message.ts';
import { unpack } from '../../../src/contract/packed.ts';
import type { Incoming, LinkOptions, MqttLink, OpenLink, Published } from '../../../src/lib/mqtt-link.ts';
import { createQueue } from '../../../src/lib/queue.ts';
import { event } from '../log/log-fixture.ts';

const never = new AbortController().signal;
const epoch = '01a20867-068a-70da-b9ee-759f41bde6a8';

/** A link whose PUBACKs come when the test says. */
function scriptedLink(limits: Partial<MqttLink> = {}) {
  const sent: {
    topic: string;
    payload: string;
    bytes: Uint8Array;
    qos: number;
    retain: boolean;
    ack: (result: Published) => void;
  }[] = [];
  const incoming = createQueue<Incoming>(10);
  const told = { closed: 0, options: null as LinkOptions | null, done: 0, topics: [] as string[] };
  const link: MqttLink = {
    protocol: '5',
    sessionPresent: false,
    receiveMaximum: 65_535,
    maxPacketBytes: Number.POSITIVE_INFINITY,
    overruns: 0,
    incoming,
    ended: new Promise(() => undefined),
    publish: (topic, payload, { qos, retain }) =>
      new Promise((ack) => {
        sent.push({ topic, payload: String(payload), bytes: Buffer.from(payload), qos, retain, ack });
        if (topic.endsWith('/state')) ack({ ok: true });
      }),
    subscribe: async (topics) => void told.topics.push(...topics),
    close: async () => void told.closed++,
    ...limits,
  };
  const open: OpenLink = async (options) => {
    told.options = options;
    return link;
  };
  const push = (topic: string, payload: string, retained = false) =>
    incoming.push({ topic, payload: Buffer.from(payload), retained, done: () => void told.done++ });
  return { open, sent, told, push };
}

function options(mqtt: Record<string, unknown> = {}): PublisherOptions {
  const config = { agent: 'porch', sources: [{ file: 'x' }], log: { path: 'x' }, mqtt: { url: 'mqtt://b', ...mqtt } };
  return { mqtt: agentSchema.parse(config).mqtt, agent: 'porch', version: '1.2.3', session: 42, elsewhere: false };
}

test('it connects under the name of the agent, with a will of its session, and says online', async () => {
  const { open, told, sent } = scriptedLink();
  await openPublisher(options(), open, never);
  const payload = '{"state":"offline","session":42,"version":"1.2.3"}';
  const shard = 'collard/v1/s55/porch';
  expect(told.options).toMatchObject({
    clientId: 'collard-agent-porch',
    cleanStart: true,
    will: { topic: `${shard}/state`, payload },
  });
  expect(told.topics).toEqual([`${shard}/stored`, `${shard}/request/+`, 'collard/v1/central/state']);
  expect(sent).toMatchObject([
    { topic: `${shard}/state`, payload: payload.replace('offline', 'online'), retain: true },
  ]);
});

test('among several brokers, which may be a cluster, its session is kept for a while', async () => {
  const { open, told } = scriptedLink();
  await openPublisher({ ...options(), elsewhere: true }, open, never);
  expect(told.options).toMatchObject({ cleanStart: false, sessionExpirySeconds: 3_600 });
});

test('close says offline first', async () => {
  const { open, told, sent } = scriptedLink();
  await (await openPublisher(options(), open, never)).close();
  expect([sent.length, JSON.parse(sent[1]?.payload ?? '').state, told.closed]).toEqual([2, 'offline', 1]);
});

test('no more is on the way than the Receive Maximum allows', async () => {
  const { open, sent } = scriptedLink({ receiveMaximum: 2 });
  const publisher = await openPublisher(options(), open, never);
  const sync = { epoch, firstSeq: 1, lastSeq: 0, chain: new Uint8Array(32) };
  const all = Promise.all([1, 2, 3, 4].map(() => publisher.publishSync(sync)));
  await Promise.resolve();
  expect(sent.slice(1)).toHaveLength(2);
  for (let i = 1; i <= 4; i++) {
    sent[i]?.ack({ ok: true });
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent.length - 1).toBe(Math.min(4, i + 2));
  }
  expect(await all).toEqual([{ ok: true }, { ok: true }, { ok: true }, { ok: true }]);
});

test('batches fit the Maximum Packet Size of the broker', async () => {
  const { open } = scriptedLink({ maxPacketBytes: 1_000 });
  const { maxBatchBytes } = await openPublisher(options(), open, never);
  expect(maxBatchBytes).toBeGreaterThan(900);
  expect(maxBatchBytes + 'collard/v1/s55/porch/backlog'.length + 12).toBeLessThan(1_000);
});

test('a refused subscription closes the link and is told', async () => {
  const refused = Object.assign(new Error('refused'), { code: 'SUBSCRIBE_REFUSED' });
  const { open, told } = scriptedLink({ subscribe: () => Promise.reject(refused) });
  await expect(openPublisher(options(), open, never)).rejects.toBe(refused);
  expect(told.closed).toBe(1);
});

test('a broker that lives and whose answer to "online" is lost is left after a while', async () => {
  let closed: () => void = () => undefined;
  const lost = new Promise<never>((_, reject) => {
    closed = () => reject(new Error('closed'));
  });
  const { open } = scriptedLink({ publish: () => lost, close: async () => closed() });
  const opening = openPublisher(options({ connectTimeoutMs: 100 }), open, never);
  await expect(opening).rejects.toMatchObject({ code: 'UNREACHABLE', message: expect.stringContaining('100 ms') });
});

test('a PEM file that cannot be read is named with its key', async () => {
  const { open } = scriptedLink();
  const failed = openPublisher(options({ ca: '/nowhere/ca.pem' }), open, never);
  await expect(failed).rejects.toMatchObject({ code: 'PEM_UNREADABLE' });
  await expect(failed).rejects.toThrow('cannot read mqtt.ca (/nowhere/ca.pem): ENOENT');
});

describe('messages', () => {
  const stored = encodeStored({ incarnation: 'i', epoch, seq: 3, chain: new Uint8Array(32), need: [] });
  const base = 'collard/v1/s55/porch';
  test.each([
    ['a mark', `${base}/stored`, stored, false, { type: 'stored', message: { epoch, seq: 3 } }],
    ['a retained mark', `${base}/stored`, stored, true, { type: 'ignored', reason: 'retained message' }],
    ['bytes', `${base}/stored`, '{', false, { type: 'ignored', reason: 'unreadable message' }],
    ['a request', `${base}/request/chain`, '{"seq":1}', false, { type: 'request', verb: 'chain', body: { seq: 1 } }],
    ['no request', `${base}/request/chain`, '[]', false, { type: 'ignored' }],
    [
      'central',
      'collard/v1/central/state',
      '{"state":"online"}',
      true,
      { type: 'central', online: true, fresh: false },
    ],
    ['central gone', 'collard/v1/central/state', '', false, { type: 'central', online: false, fresh: true }],
  ])('%s is read, and acknowledged at once', async (_name, topic, payload, retained, expected) => {
    const { open, push, told } = scriptedLink();
    const publisher = await openPublisher(options(), open, never);
    push(topic, payload, retained);
    expect(await publisher.receive(never)).toMatchObject([expected]);
    expect(told.done).toBe(1);
  });
});

test('closing leaves no timer behind that would keep the process', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const { open } = scriptedLink();
  const publisher = await openPublisher(options(), open, never);
  const before = timers();
  await publisher.close();
  expect(timers()).toBe(before);
});

test('a link that is gone before "offline" got through is closed all the same', async () => {
  const { open, told } = scriptedLink();
  let isUp = true;
  const publish: MqttLink['publish'] = async () => {
    if (!isUp) throw new Error('link ended');
    return { ok: true };
  };
  const publisher = await openPublisher(options(), async (...args) => ({ ...(await open(...args)), publish }), never);
  isUp = false;
  await publisher.close();
  expect(told.closed).toBe(1);
});

test('each message has its topic, and only state and health are kept by the broker', async () => {
  const { open, sent } = scriptedLink();
  const publisher = await openPublisher(options(), open, never);
  const chain = new Uint8Array(32);
  const all = [
    publisher.publishBatch('events', { agent: 'porch', events: [], chain }),
    publisher.publishBatch('backlog', { agent: 'porch', events: [], chain }),
    publisher.publishSync({ epoch, firstSeq: 1, lastSeq: 0, chain }),
    publisher.publishHealth({ queue: 3 } as HealthMessage),
    publisher.respond('chain', { transaction: 't' }),
  ];
  await new Promise((resolve) => setImmediate(resolve));
  expect(sent.slice(1).map(({ topic, retain }) => [topic.replace('collard/v1/s55/porch/', ''), retain])).toEqual([
    ['events', false],
    ['backlog', false],
    ['sync', false],
    ['health', true],
    ['response/chain', false],
  ]);
  expect([sent[4]?.payload, sent[5]?.payload]).toEqual(['{"queue":3}', '{"transaction":"t"}']);
  for (const { ack } of sent) ack({ ok: true });
  expect(await Promise.all(all)).toHaveLength(5);
});

test('a batch goes as gzip where that is wanted and central has said that it takes it, and as it is once it no longer does', async () => {
  const { open, sent, push } = scriptedLink();
  const publisher = await openPublisher({ ...options(), compress: true }, open, never);
  const events = Array.from({ length: 20 }, (_, i) => ({ ...event('meow.started', { level: i }), epoch, seq: i + 1 }));
  const batch = { agent: 'porch', events, chain: new Uint8Array(32) };
  const plain = encodeBatch(batch);
  const hears = async (message: object) => {
    const stored = { incarnation: 'one', epoch, seq: 0, chain: '00'.repeat(32), need: [], ...message };
    push('collard/v1/s55/porch/stored', JSON.stringify(stored));
    await publisher.receive(never);
  };
  const next = async () => {
    void publisher.publishBatch('backlog', batch);
    await new Promise((resolve) => setImmediate(resolve));
    const { bytes = Buffer.alloc(0), ack } = sent.at(-1) ?? {};
    ack?.({ ok: true });
    return Buffer.from(bytes);
  };
  expect((await next()).toString()).toBe(plain);
  await hears({ accepts: ['gzip'] });
  const packed = await next();
  expect(packed.length).toBeLessThan(plain.length / 3);
  expect(Buffer.from(unpack(packed) ?? []).toString()).toBe(plain);
  for (const other of [{}, { accepts: 'gzip' }, { accepts: ['br'] }]) {
    await hears({ accepts: ['gzip'] });
    await hears(other);
    expect((await next()).toString()).toBe(plain);
  }
});

test('what is of this second goes at QoS 0, and waits for no place on the link', async () => {
  const { open, sent } = scriptedLink({ receiveMaximum: 1 });
  const publisher = await openPublisher(options(), open, never);
  void publisher.respond('chain', { transaction: 'a' });
  await expect.poll(() => sent.length).toBe(2);
  // The only place is taken: this one would wait for the PUBACK of the other.
  void publisher.respond('live', { transaction: 'b' });
  await expect
    .poll(() => sent.map(({ topic, qos }) => [topic.split('/').at(-1), qos]))
    .toEqual([
      ['state', 1],
      ['chain', 1],
      ['live', 0],
    ]);
});
