import { getEventListeners } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { MAX_INCOMING, openSubscriber } from '../../../src/central/subscriber/subscriber.ts';
import { type MqttLink, openMqttLink } from '../../../src/lib/mqtt-link.ts';
import { createQueue } from '../../../src/lib/queue.ts';
import { createPackets } from '../../faults/mqtt-packets.ts';

/** A broker that says CONNACK (MQTT 5) and nothing after it. */
async function startSilentBroker() {
  const sockets = new Set<Socket>();
  const heard = { bytes: 0 };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(Buffer.from([0x20, 3, 0, 0, 0])));
    socket.on('data', (bytes) => {
      heard.bytes += bytes.length;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { url: `mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, heard };
}

function open(url: string, signal: AbortSignal, connectTimeoutMs = 5_000) {
  const link = { url, keepaliveSeconds: 60, connectTimeoutMs };
  const options = { base: 'collard/v1', group: 'central', sessionExpirySeconds: 0, link };
  return openSubscriber(options, openMqttLink, signal);
}

test('the signal ends the greeting also at a broker that never answers to SUBSCRIBE', async () => {
  const { url, heard } = await startSilentBroker();
  const stop = new AbortController();
  const subscriber = await open(url, stop.signal);
  await expect.poll(() => heard.bytes).toBeGreaterThan(100);
  stop.abort();
  expect(await subscriber.ended).toMatchObject({ code: 'LINK_ENDED' });
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});

test('a broker that never answers to SUBSCRIBE is left, though its pings may be answered', async () => {
  const { url } = await startSilentBroker();
  const { signal } = new AbortController();
  const subscriber = await open(url, signal, 200);
  expect(await subscriber.ended).toMatchObject({ code: 'LINK_ENDED' });
});

/** Sends `waiting` messages of an old session before it answers to SUBSCRIBE, and that only after PUBACK for all of them. */
async function startBusyBroker(waiting: number) {
  const heard = { pubacks: 0 };
  const publish = (id: number) => Buffer.from([0x32, 6, 0, 1, 0x74, id >> 8, id & 0xff, 0]);
  const server = createServer((socket) => {
    const packets = createPackets();
    let subscribe: Buffer | null = null;
    const answer = () => {
      if (subscribe === null || heard.pubacks < waiting) return;
      socket.write(Buffer.from([0x90, 8, subscribe[2] ?? 0, subscribe[3] ?? 0, 0, 1, 1, 1, 1, 1]));
    };
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      for (const packet of packets.push(bytes)) {
        const type = (packet[0] ?? 0) >> 4;
        if (type === 1) socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
        if (type === 1) for (let id = 1; id <= waiting; id += 1) socket.write(publish(id));
        if (type === 4) heard.pubacks += 1;
        if (type === 8) subscribe = packet;
        if (type === 4 || type === 8) answer();
        if (type !== 3) continue;
        // PUBLISH "online": its topic ends where the packet id begins.
        const at = 4 + packet.readUInt16BE(2);
        socket.write(Buffer.from([0x40, 2, packet[at] ?? 0, packet[at + 1] ?? 0]));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  return { url: `mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, heard };
}

test('more than can wait is taken while the broker has not answered to SUBSCRIBE yet', async () => {
  const waiting = 3 * MAX_INCOMING;
  const { url, heard } = await startBusyBroker(waiting);
  const { signal } = new AbortController();
  const subscriber = await open(url, signal);
  for (let taken = 0; taken < waiting; ) {
    const messages = await subscriber.take(64, signal);
    for (const message of messages) message.done();
    taken += messages.length;
  }
  await subscriber.greeted;
  expect(heard.pubacks).toBe(waiting);
  await subscriber.close();
  expect(await subscriber.ended).toBeNull();
});

test('greeting, goodbye and what is said between them are no more at once than the broker takes', async () => {
  let [underWay, most] = [0, 0];
  const heard: string[] = [];
  const acks: (() => void)[] = [];
  const link: MqttLink = {
    protocol: '5',
    sessionPresent: false,
    receiveMaximum: 2,
    maxPacketBytes: Number.POSITIVE_INFINITY,
    overruns: 0,
    incoming: createQueue(1),
    ended: new Promise(() => undefined),
    publish(_topic, payload) {
      underWay += 1;
      most = Math.max(most, underWay);
      heard.push(String(payload));
      return new Promise((resolve) => {
        acks.push(() => {
          underWay -= 1;
          resolve({ ok: true });
        });
      });
    },
    subscribe: async () => undefined,
    close: async () => undefined,
  };
  const options = { base: 'collard/v1', group: 'central', sessionExpirySeconds: 0 };
  const { signal } = new AbortController();
  const of = { ...options, link: { url: 'mqtt://127.0.0.1', keepaliveSeconds: 60, connectTimeoutMs: 5_000 } };
  const subscriber = await openSubscriber(of, async () => link, signal);
  await subscriber.greeted;
  const said = [
    subscriber.publish('t', 'a', { qos: 1, retain: false }),
    subscriber.publish('t', 'b', { qos: 1, retain: false }),
  ];
  const closed = subscriber.close();
  while (acks.length > 0) {
    acks.shift()?.();
    await new Promise(setImmediate);
  }
  await Promise.all([closed, ...said]);
  expect(heard).toEqual(['{"state":"online"}', 'a', 'b', '{"state":"offline"}']);
  expect(most).toBe(2);
});
