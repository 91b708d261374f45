/** The client's end of a connection to the simulated broker: an `OpenLink` as the program knows it. */
import type { Incoming, LinkOptions, MqttLink, OpenLink, Published } from '../../src/lib/mqtt-link.ts';
import { createQueue } from '../../src/lib/queue.ts';
import { aborted } from '../../src/lib/wait.ts';
import type { Broker, Client, Message } from './broker.ts';
import { gate, type Life } from './machine.ts';
import type { Timeline } from './timeline.ts';
import { createWire, type Wire } from './wire.ts';

export interface Network {
  readonly time: Timeline;
  readonly broker: Broker;
  readonly protocol: '5' | '3.1.1';
  readonly receiveMaximum: number;
  readonly maxPacketBytes: number;
  latencyMs(): number;
  /** False: nobody answers, or nobody is there. */
  reachable(): 'yes' | 'refused' | 'silent';
  /** Connections that live, by client id. */
  readonly open: Map<string, Connection>;
  /** What arrived at a client, for the trace. */
  readonly delivered: (client: string, message: Message) => void;
  /** A client had more on its way than the broker allows, or the like. */
  readonly breach: (what: string) => void;
}

/** What faults do to a connection. */
export interface Connection {
  readonly wire: Wire;
  /** Both sides learn of it at once. */
  cut(): void;
  /** The client's process has died: the broker hears of it, unless the machine lost its power. */
  die(silently: boolean): void;
}

export function linksOf(network: Network, life: Life): OpenLink {
  return async (options, signal) => {
    await gate(life);
    const at = network.reachable();
    if (at !== 'yes') {
      // A silent one is waited for; a refusal comes at once.
      await wait(network, life, at === 'silent' ? options.connectTimeoutMs : network.latencyMs(), signal);
      signal.throwIfAborted();
      throw Object.assign(new Error(`the broker is ${at}`), { code: 'UNREACHABLE' });
    }
    await wait(network, life, 2 * network.latencyMs(), signal);
    signal.throwIfAborted();
    const link = connect(network, life, options);
    await gate(life);
    return link;
  };
}

/** On the side of the network: also a dead life is waited for, and then goes on no more. */
async function wait(network: Network, life: Life, ms: number, signal: AbortSignal): Promise<void> {
  const over = new Promise<void>((resolve) => {
    network.time.after(ms, resolve);
  });
  await Promise.race([over, aborted(signal)]);
  await gate(life);
}

function connect(network: Network, life: Life, options: LinkOptions): MqttLink {
  const { broker, time } = network;
  const wire = createWire(time, network.latencyMs);
  const incoming = createQueue<Incoming>(options.incomingLimit);
  const pending = new Set<(error: Error) => void>();
  let ended = false;
  let left = false;
  let overruns = 0;
  let unacknowledged = 0;
  let heardMs = time.nowMs;
  let brokerHeardMs = time.nowMs;
  let end: (reason: Error | null) => void = () => undefined;
  const over = new Promise<Error | null>((resolve) => {
    end = resolve;
  });

  const finish = (reason: Error | null) => {
    if (ended) return;
    ended = true;
    if (network.open.get(options.clientId) === connection) network.open.delete(options.clientId);
    if (life.dead) return;
    incoming.close();
    for (const reject of pending) reject(linkEnded(reason?.message ?? 'closed by us'));
    pending.clear();
    end(reason);
  };
  /** The broker's side has ended. */
  const leave = (gracefully: boolean) => {
    if (left) return;
    left = true;
    broker.disconnect(client, gracefully);
  };
  const client: Client = {
    id: options.clientId,
    will: options.will,
    receiveMaximum: options.incomingLimit,
    deliver(message, id) {
      wire.toClient.send(() => {
        heardMs = time.nowMs;
        if (ended || life.dead) return;
        network.delivered(options.clientId, message);
        const done = () => {
          if (ended || life.dead || id === null) return;
          wire.toBroker.send(() => broker.acknowledge(client, id));
        };
        const payload = Buffer.from(message.payload);
        if (!incoming.push({ topic: message.topic, payload, retained: message.retain, done })) {
          overruns += 1;
          done();
        }
      });
    },
    kick(reason) {
      left = true;
      wire.toClient.send(() => finish(linkEnded(reason)));
    },
  };
  const connection: Connection = {
    wire,
    cut() {
      wire.breakOff();
      finish(linkEnded('connection reset'));
      leave(false);
    },
    die(silently) {
      finish(null);
      if (!silently) wire.toBroker.send(() => leave(false));
    },
  };
  const keepAlive = () => {
    const patienceMs = options.keepaliveSeconds * 1_500;
    if (!ended && !life.dead) {
      wire.toBroker.send(() => {
        brokerHeardMs = time.nowMs;
        if (!left) wire.toClient.send(() => (heardMs = time.nowMs));
      });
      if (time.nowMs - heardMs > patienceMs) {
        finish(linkEnded('keepalive timeout'));
        // The socket is destroyed: if the other side can hear it, it does.
        wire.toBroker.send(() => leave(false));
      }
    }
    if (!left && time.nowMs - brokerHeardMs > patienceMs) {
      leave(false);
      wire.toClient.send(() => finish(linkEnded('the broker closed the connection')));
    }
    if (!ended || !left) time.after(options.keepaliveSeconds * 500, keepAlive);
  };
  const sessionPresent = broker.connect(client, options.cleanStart, options.sessionExpirySeconds > 0);
  network.open.set(options.clientId, connection);
  time.after(options.keepaliveSeconds * 500, keepAlive);

  const ask = <T>(arrive: (answer: (value: T) => void) => void): Promise<T> =>
    new Promise((resolve, reject) => {
      if (ended) return reject(linkEnded('it had ended before'));
      pending.add(reject);
      wire.toBroker.send(() => {
        brokerHeardMs = time.nowMs;
        if (left) return;
        arrive((value) =>
          wire.toClient.send(() => {
            heardMs = time.nowMs;
            if (!pending.delete(reject) || life.dead) return;
            resolve(value);
          }),
        );
      });
    });
  return {
    protocol: network.protocol,
    sessionPresent,
    receiveMaximum: network.receiveMaximum,
    maxPacketBytes: network.maxPacketBytes,
    get overruns() {
      return overruns;
    },
    incoming,
    ended: over,
    async publish(topic, payload, { qos, retain }) {
      await gate(life);
      const message: Message = { topic, payload: String(payload), qos, retain };
      if (topic.length + payload.length > network.maxPacketBytes) network.breach(`a packet of ${payload.length} bytes`);
      if (ended) throw linkEnded('it had ended before');
      if (qos === 0) {
        wire.toBroker.send(() => {
          brokerHeardMs = time.nowMs;
          if (!left) broker.publish(message);
        });
        return { ok: true };
      }
      unacknowledged += 1;
      if (unacknowledged > network.receiveMaximum)
        network.breach(`${options.clientId} has ${unacknowledged} messages on their way at once`);
      const published = await ask<Published>((answer) => answer(broker.publish(message)));
      unacknowledged -= 1;
      await gate(life);
      return published;
    },
    async subscribe(topics) {
      await gate(life);
      await ask<void>((answer) => {
        answer();
        broker.subscribe(client, topics);
      });
      await gate(life);
    },
    async close() {
      await gate(life);
      if (!ended) wire.toBroker.send(() => leave(true));
      finish(null);
    },
  };
}

function linkEnded(reason: string): Error {
  return Object.assign(new Error(`the link to the broker has ended: ${reason}`), { code: 'LINK_ENDED' });
}
