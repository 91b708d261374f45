import { connectAsync, type MqttClient } from 'mqtt';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/central/open-store.ts';
import { type ReceiveParts, runReceive } from '../../src/central/receive.ts';
import type { IngestResult, Store } from '../../src/central/store/store.ts';
import { createOutbox, MAX_IN_FLIGHT, MAX_WAITING } from '../../src/central/subscriber/outbox.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { decodeStored, encodeSync, type StoredMessage } from '../../src/contract/message.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import { type OpenLink, openMqttLink } from '../../src/lib/mqtt-link.ts';
import { startBroker, type TestBroker, until } from './broker.ts';
import { epochId, meowing, NOW } from './store/events.ts';

const base = 'collard/v1';
const answers: StoredMessage[] = [];
const log: { readonly level: number; readonly msg: string }[] = [];
let broker: TestBroker;
let store: Store;
let agent: MqttClient;
let stop: AbortController;
let running: Promise<void>;
let results: IngestResult[];
let connected: boolean;

function start(changed: Partial<ReceiveParts> = {}): void {
  stop = new AbortController();
  running = runReceive(
    {
      store,
      openLink: openMqttLink,
      subscriber: {
        base,
        group: 'central',
        sessionExpirySeconds: 3_600,
        link: { url: broker.url, keepaliveSeconds: 5, connectTimeoutMs: 2_000 },
      },
      outbox: createOutbox(),
      retry: { firstMs: 20, maxMs: 50 },
      logger: pino({}, { write: (line: string) => log.push(JSON.parse(line)) }),
      clock: () => new Date(NOW),
      random: () => 0.5,
      ingested: (result) => results.push(result),
      changed: () => undefined,
      onConnection: (now) => {
        connected = now;
      },
      ...changed,
    },
    stop.signal,
  );
}

async function end(): Promise<void> {
  stop.abort();
  await running;
}

const topic = (channel: 'events' | 'backlog' | 'sync' | 'stored' | 'state' | 'health', name = 'porch') =>
  agentTopic(base, name, channel);

beforeEach(async () => {
  answers.length = 0;
  log.length = 0;
  results = [];
  connected = false;
  broker = await startBroker();
  store = await openStore({ url: 'sqlite::memory:' });
  agent = await connectAsync(broker.url);
  agent.on('message', (_topic, payload) => {
    const stored = decodeStored(payload);
    if (stored !== null) answers.push(stored);
  });
  await agent.subscribeAsync(`${base}/+/+/stored`, { qos: 1 });
});
afterEach(async () => {
  await end();
  await agent.endAsync(true);
  await store.close();
  await broker.close();
});

describe('receive', () => {
  it('stores what comes and answers with the mark', async () => {
    start();
    await until('central is there', () => connected);
    const porch = meowing('porch', epochId(1), 30);
    await agent.publishAsync(topic('events'), encodeBatch(porch.batch(1, 10)), { qos: 1 });
    await agent.publishAsync(topic('backlog'), encodeBatch(porch.batch(11, 30)), { qos: 1 });
    await until('all are stored', () => answers.at(-1)?.seq === 30);
    expect((await store.counts()).events).toBe(30);
  });

  it('stores what waits of an agent together, though messages of others come in between', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow: Store = {
      ...store,
      ingestAll: async (works, now) => {
        await gate;
        return store.ingestAll(works, now);
      },
    };
    start({ store: slow });
    await until('central is there', () => connected);
    const writers = [
      meowing('porch', epochId(1), 20),
      meowing('shed', epochId(2), 20),
      meowing('attic', epochId(3), 20),
    ];
    for (let seq = 1; seq <= 20; seq += 1)
      for (const writer of writers)
        await agent.publishAsync(topic('events', writer.agent), encodeBatch(writer.batch(seq, seq)), { qos: 1 });
    open();
    await until('all are stored', async () => (await store.counts()).events === 60);
    for (const name of ['porch', 'shed', 'attic'])
      expect((await store.agents()).find((row) => row.agent === name)?.epochs).toMatchObject([
        { mark: 20, chainOk: true },
      ]);
    // The first came alone; one commit of each agent, or two where the messages came in two rounds.
    expect(results.length).toBeLessThan(10);
  });

  it('says of each batch that is not new that it came, and leaves no such answer out for a later one', async () => {
    const porch = meowing('porch', epochId(1), 30);
    const clone = meowing('porch', epochId(1), 30, 'DEADBEEF');
    const outbox = createOutbox();
    const abouts: (string | undefined)[] = [];
    start({
      outbox: {
        ...outbox,
        put(to, payload, options) {
          if (to.endsWith('/stored')) abouts.push(options.about);
          outbox.put(to, payload, options);
        },
      },
    });
    await until('central is there', () => connected);
    await agent.publishAsync(topic('events'), encodeBatch(porch.batch(1, 30)), { qos: 1 });
    for (const from of [1, 4])
      await agent.publishAsync(topic('backlog'), encodeBatch(clone.batch(from, from + 2)), { qos: 1 });
    await until('all are answered', () => answers.length === 3);
    expect(answers.map(({ batch }) => batch)).toEqual([
      null,
      { from: 1, to: 3, chain: clone.chain(3) },
      { from: 4, to: 6, chain: clone.chain(6) },
    ]);
    expect(abouts).toEqual([`stored ${epochId(1)}`, undefined, undefined]);
  });

  it('answers a sync after the batches that came before it', async () => {
    start();
    await until('central is there', () => connected);
    const porch = meowing('porch', epochId(1), 30);
    for (let from = 1; from <= 30; from += 3) {
      agent.publish(topic('events'), encodeBatch(porch.batch(from, from + 2)), { qos: 1 });
    }
    const chain = porch.chain(30);
    agent.publish(topic('sync'), encodeSync({ epoch: epochId(1), firstSeq: 1, lastSeq: 30, chain }), { qos: 1 });
    await until('the answer', () => answers.at(-1)?.seq === 30 && answers.at(-1)?.need.length === 0);
    expect(results.every((result) => result.duplicates === 0 && result.chainOk)).toBe(true);
  });

  it('stores live events before the backlog that waits with them', async () => {
    let waiting = () => 0;
    const openLink: OpenLink = async (options, signal) => {
      const link = await openMqttLink(options, signal);
      waiting = () => link.incoming.size;
      return link;
    };
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const order: number[] = [];
    const ingestAll: Store['ingestAll'] = async (works, now) => {
      for (const work of works) if (work.type === 'batch') order.push(work.batch.events[0]?.seq ?? 0);
      await released;
      return store.ingestAll(works, now);
    };
    start({ store: { ...store, ingestAll }, openLink });
    await until('central is there', () => connected);
    const porch = meowing('porch', epochId(1), 5_010);
    const chain = porch.chain(5_010);
    const backlog = (from: number) =>
      agent.publishAsync(topic('backlog'), encodeBatch(porch.batch(from, from + 499)), { qos: 1 });
    await backlog(1);
    await until('the store is busy', () => order.length === 1);
    for (let from = 501; from <= 5_000; from += 500) await backlog(from);
    await agent.publishAsync(topic('sync'), encodeSync({ epoch: epochId(1), firstSeq: 1, lastSeq: 5_010, chain }), {
      qos: 1,
    });
    await agent.publishAsync(topic('events'), encodeBatch(porch.batch(5_001, 5_010)), { qos: 1 });
    await until('all wait', () => waiting() === 11);
    release();
    await until('the sync is answered', () => answers.length === 12);
    expect(order).toEqual([1, 5_001, 501, 1_001, 1_501, 2_001, 2_501, 3_001, 3_501, 4_001, 4_501]);
    expect(answers.at(-1)).toMatchObject({ seq: 5_010, need: [] });
  });

  it('keeps poison in quarantine and goes on', async () => {
    start();
    await until('central is there', () => connected);
    const porch = meowing('porch', epochId(1), 2);
    await agent.publishAsync(topic('events'), 'no JSON', { qos: 1 });
    await agent.publishAsync(topic('events', 'shed'), encodeBatch(porch.batch(1, 2)), { qos: 1 });
    await agent.publishAsync(`${base}/s63/porch/events`, encodeBatch(porch.batch(1, 2)), { qos: 1 });
    await agent.publishAsync(topic('events', 'central'), encodeBatch(meowing('central', epochId(2), 1).batch(1, 1)), {
      qos: 1,
    });
    await agent.publishAsync(topic('state'), '{"state":"asleep"}', { qos: 1 });
    await agent.publishAsync(topic('sync'), '{}', { qos: 1 });
    await agent.publishAsync(topic('health'), '[]', { qos: 0 });
    await agent.publishAsync(topic('events'), encodeBatch(porch.batch(1, 2)), { qos: 1 });
    await until('the good one is stored', () => answers.at(-1)?.seq === 2);
    expect(await store.counts()).toMatchObject({ events: 2, quarantined: 7 });
  });

  it('refuses to let one agent write in the epoch of another', async () => {
    start();
    await until('central is there', () => connected);
    await agent.publishAsync(topic('events'), encodeBatch(meowing('porch', epochId(1), 2).batch(1, 2)), { qos: 1 });
    await agent.publishAsync(topic('events', 'shed'), encodeBatch(meowing('shed', epochId(1), 3).batch(3, 3)), {
      qos: 1,
    });
    await until('the forged one is kept apart', async () => (await store.counts()).quarantined === 1);
    expect((await store.counts()).events).toBe(2);
  });

  it('takes over what the broker kept while it was away', async () => {
    start();
    await until('central is there', () => connected);
    await end();
    expect(connected).toBe(false);
    const porch = meowing('porch', epochId(1), 10);
    await agent.publishAsync(topic('events'), encodeBatch(porch.batch(1, 10)), { qos: 1 });
    start();
    await until('it is stored', () => answers.at(-1)?.seq === 10);
  });

  it('says online, offline at the end, and notes what agents say of themselves', async () => {
    const states: string[] = [];
    agent.on('message', (at, payload) => {
      if (at === `${base}/central/state`) states.push(payload.toString());
    });
    await agent.subscribeAsync(`${base}/central/state`, { qos: 1 });
    await agent.publishAsync(topic('state'), '{"state":"online","session":7,"version":"1.0"}', {
      qos: 1,
      retain: true,
    });
    start();
    await until('the state is known', async () => (await store.agents())[0]?.state === 'online');
    // Retained: nobody knows when it was said.
    expect((await store.agents())[0]).toMatchObject({ session: 7, lastHeard: null });
    await agent.publishAsync(topic('health'), '{"queue":3}', { qos: 0 });
    await until('the health is known', async () => (await store.agents())[0]?.health?.queue === 3);
    expect((await store.agents())[0]?.lastHeard).toBe(NOW);
    await end();
    await until('offline is said', () => states.at(-1) === '{"state":"offline"}');
    expect(states[0]).toBe('{"state":"online"}');
  });

  it('reconnects when the broker goes and comes, and tells each trouble once', async () => {
    let attempts = 0;
    const counting: OpenLink = (options, signal) => {
      attempts += 1;
      return openMqttLink(options, signal);
    };
    start({ openLink: counting });
    await until('central is there', () => connected);
    const { port } = broker;
    await agent.endAsync(true);
    await broker.close();
    await until('it is noticed', () => !connected);
    await until('it has tried', () => attempts > 5);
    const told = log.filter((line) => /no broker/.test(line.msg)).map((line) => line.msg);
    expect(told).toHaveLength(new Set(told).size);
    expect(told.length).toBeLessThanOrEqual(3);
    broker = await startBroker(port);
    await until('central is back', () => connected);
    agent = await connectAsync(broker.url);
  });

  it('what finds no room before the store or in the outbox is counted, and each told once', async () => {
    const dropped: (readonly [string, number])[] = [];
    const outbox = createOutbox();
    for (let i = 0; i < MAX_WAITING + 3; i += 1) outbox.put(topic('stored'), '{}', { retain: false });
    let overruns = 0;
    const short: OpenLink = async (options, signal) => {
      const link = await openMqttLink(options, signal);
      return Object.defineProperty({ ...link }, 'overruns', { get: () => overruns });
    };
    start({ outbox, openLink: short, dropped: (where, messages) => dropped.push([where, messages]) });
    await until('central is there', () => connected);
    expect(dropped).toEqual([['outbox', 3]]);
    const porch = meowing('porch', epochId(1), 3);
    for (const seq of [1, 2, 3]) {
      overruns = 2 * seq;
      await agent.publishAsync(topic('events'), encodeBatch(porch.batch(seq, seq)), { qos: 1 });
      await until('it is counted', () => dropped.length === 1 + seq);
    }
    expect(dropped.slice(1)).toEqual([1, 2, 3].map(() => ['incoming', 2]));
    expect(log.filter(({ msg }) => /no room|left out/.test(msg)).map(({ level, msg }) => [level, msg])).toEqual([
      [40, expect.stringContaining('more messages wait for the broker')],
      [40, expect.stringContaining('messages came faster than they are stored')],
    ]);
  });

  it('counts for each link what found no room on it', async () => {
    const dropped: (readonly [string, number])[] = [];
    const lossy: OpenLink = async (options, signal) => ({ ...(await openMqttLink(options, signal)), overruns: 4 });
    start({ openLink: lossy, dropped: (where, messages) => dropped.push([where, messages]) });
    await until('central is there', () => connected);
    const { port } = broker;
    await agent.endAsync(true);
    await broker.close();
    await until('it is noticed', () => !connected);
    broker = await startBroker(port);
    await until('central is back', () => connected);
    await end();
    agent = await connectAsync(broker.url);
    expect(dropped).toEqual([1, 2].map(() => ['incoming', 4]));
  });

  it('ends when the store fails, and acknowledges nothing that is not stored', async () => {
    let acknowledged = 0;
    const counting: OpenLink = async (options, signal) => {
      const link = await openMqttLink(options, signal);
      const takeUpTo: typeof link.incoming.takeUpTo = async (max, until) =>
        (await link.incoming.takeUpTo(max, until)).map((message) => ({
          ...message,
          done: () => {
            acknowledged += 1;
            message.done();
          },
        }));
      return { ...link, incoming: { ...link.incoming, takeUpTo } };
    };
    const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    start({ openLink: counting, store: { ...store, ingestAll: () => Promise.reject(full) } });
    await until('central is there', () => connected);
    agent.publish(topic('events'), encodeBatch(meowing('porch', epochId(1), 2).batch(1, 2)), { qos: 1 });
    await expect(running).rejects.toMatchObject({ code: 'STORE_FAILED', cause: full });
    expect(acknowledged).toBe(0);
    running = Promise.resolve();
  });
});

describe('the outbox', () => {
  it('keeps the newest of what is about the same, and a bounded number of all', () => {
    const outbox = createOutbox();
    for (let i = 0; i < 5; i += 1) outbox.put('a', String(i), { retain: false, about: 'a' });
    expect(outbox.waiting).toBe(1);
    for (let i = 0; i < MAX_WAITING + 10; i += 1) outbox.put('b', String(i), { retain: false });
    expect(outbox.waiting).toBe(MAX_WAITING);
    expect(outbox.dropped).toBe(11);
    const sent: string[] = [];
    outbox.attach({
      receiveMaximum: 65_535,
      publish: async (_topic, payload) => {
        sent.push(String(payload));
        return { ok: true };
      },
    });
    expect(sent[0]).toBe('10');
  });

  it.each([
    [65_535, MAX_IN_FLIGHT],
    [20, 19],
    [1, 1],
  ])('of a broker that takes %i at once has no more than %i under way', (receiveMaximum, window) => {
    const outbox = createOutbox();
    for (let i = 0; i < 100; i += 1) outbox.put('b', String(i), { retain: false });
    let underWay = 0;
    outbox.attach({
      receiveMaximum,
      publish: () => {
        underWay += 1;
        return new Promise(() => undefined);
      },
    });
    expect(underWay).toBe(window);
  });
});
