/** One link to the broker in the words of the agent: batches, sync, state, health out; marks and requests in. */
import { readFile } from 'node:fs/promises';
import { type EventBatch, encodeBatch, MAX_BATCH_BYTES } from '../../contract/envelope.ts';
import {
  decodeStored,
  encodeSync,
  type HealthMessage,
  parseObject,
  type StateMessage,
  type StoredMessage,
  type SyncMessage,
} from '../../contract/message.ts';
import { pack } from '../../contract/packed.ts';
import { type AgentChannel, agentTopic, centralStateTopic, requestTopic, responseTopic } from '../../contract/topic.ts';
import type { Incoming, LinkOptions, MqttLink, OpenLink, Published } from '../../lib/mqtt-link.ts';
import { createGate, delay } from '../../lib/wait.ts';
import type { AgentConfig } from '../config.ts';
import type { Lane } from './plan-state.ts';

/** Messages from the broker that wait for the loop. */
export const INCOMING_LIMIT = 256;
/** Verbs whose answers may get lost. */
const UNACKNOWLEDGED: ReadonlySet<string> = new Set(['live', 'compare']);
/** Clean stop: "offline" has so long to be acknowledged. */
const FAREWELL_MS = 500;
/** A node of a cluster comes back, or its clients have moved to another one, long before. */
const KEPT_SECONDS = 3_600;
/** The fixed header, the length of the topic, the packet id and the properties of a PUBLISH. */
const PACKET_OVERHEAD = 32;

export type AgentMessage =
  | { readonly type: 'stored'; readonly message: StoredMessage }
  | { readonly type: 'request'; readonly verb: string; readonly body: Readonly<Record<string, unknown>> }
  /** `fresh`: central came or went just now; otherwise how it was when we connected. */
  | { readonly type: 'central'; readonly online: boolean; readonly fresh: boolean }
  /** A stranger's bytes, or a mark that is old because somebody retained it. */
  | { readonly type: 'ignored'; readonly topic: string; readonly reason: string };

export interface Publisher {
  readonly protocol: '5' | '3.1.1';
  /** The broker's Receive Maximum. */
  readonly receiveMaximum: number;
  /** The largest payload of a batch. */
  readonly maxBatchBytes: number;
  /** Resolves at PUBACK. Rejects with LINK_ENDED: "unknown", it will be sent again on the next link. `texts`: as of `encodeBatch`. `weigh` is told the bytes of the payload before it goes out. */
  publishBatch(
    lane: Lane,
    batch: EventBatch,
    texts?: readonly string[],
    weigh?: (bytes: number) => void,
  ): Promise<Published>;
  publishSync(message: SyncMessage): Promise<Published>;
  publishState(state: StateMessage['state']): Promise<Published>;
  /** QoS 0, retained: resolves when written. */
  publishHealth(health: HealthMessage): Promise<Published>;
  /** QoS 1, but QoS 0 for `live` and `compare`: who looks on asks again, and it takes no place of an event. */
  respond(verb: string, body: Readonly<Record<string, unknown>>): Promise<Published>;
  /** Waits for at least one message. Empty when the link has ended or the signal aborts. */
  receive(signal: AbortSignal): Promise<readonly AgentMessage[]>;
  /** Why the link ended; null after our own close(). */
  readonly ended: Promise<Error | null>;
  /** Says "offline" and disconnects. Resolves within 2 s. */
  close(): Promise<void>;
}

export interface PublisherOptions {
  readonly mqtt: AgentConfig['mqtt'];
  readonly agent: string;
  readonly version: string;
  readonly session: number;
  /** Batches go as gzip as soon as central has said that it takes them. */
  readonly compress?: boolean;
  /** There are other brokers, and they may be one cluster. */
  readonly elsewhere: boolean;
}

/**
 * Resolves when the broker has let us in, subscribed us, and taken "online". Rejects with a LinkError, SUBSCRIBE_REFUSED,
 * or PEM_UNREADABLE naming the key of the configuration. The greeting too has `connectTimeoutMs`. The PEM files are read at each call, so renewed ones are taken up.
 */
export async function openPublisher(
  options: PublisherOptions,
  openLink: OpenLink,
  signal: AbortSignal,
): Promise<Publisher> {
  const { mqtt, agent, session, version, compress = false } = options;
  const base = mqtt.baseTopic;
  const topicOf = (channel: AgentChannel) => agentTopic(base, agent, channel);
  const state = (value: StateMessage['state']) => JSON.stringify({ state: value, session, version });
  const link = await openLink(
    await linkOptions(options, { topic: topicOf('state'), payload: state('offline') }),
    signal,
  );
  // A broker may end the link of who goes beyond its Receive Maximum.
  const gate = createGate(link.receiveMaximum);
  let takesGzip = false;
  const send = (topic: string, payload: string | Uint8Array, retain = false) =>
    gate(() => link.publish(topic, payload, { qos: 1, retain }));
  const publisher: Publisher = {
    protocol: link.protocol,
    receiveMaximum: link.receiveMaximum,
    maxBatchBytes: Math.min(MAX_BATCH_BYTES, link.maxPacketBytes - topicOf('backlog').length - PACKET_OVERHEAD),
    publishBatch(lane, batch, texts, weigh) {
      const text = encodeBatch(batch, texts);
      const payload = compress && takesGzip ? pack(text) : text;
      weigh?.(Buffer.byteLength(payload));
      return send(topicOf(lane), payload);
    },
    publishSync: (message) => send(topicOf('sync'), encodeSync(message)),
    publishState: (value) => send(topicOf('state'), state(value), true),
    publishHealth: (health) => link.publish(topicOf('health'), JSON.stringify(health), { qos: 0, retain: true }),
    respond(verb, body) {
      const [topic, text] = [responseTopic(base, agent, verb), JSON.stringify(body)];
      return UNACKNOWLEDGED.has(verb) ? link.publish(topic, text, { qos: 0, retain: false }) : send(topic, text);
    },
    async receive(stop) {
      const messages = await link.incoming.takeUpTo(INCOMING_LIMIT, stop);
      const told = messages.map((message) => read(message, base, agent));
      for (const one of told) if (one.type === 'stored') takesGzip = one.message.takesGzip === true;
      return told;
    },
    ended: link.ended,
    async close() {
      const late = new AbortController();
      const told = publisher.publishState('offline').catch(() => null);
      await Promise.race([told, link.ended, delay(FAREWELL_MS, late.signal)]);
      // A timer that is left behind keeps the process.
      late.abort();
      await link.close();
    },
  };
  const topics = [topicOf('stored'), requestTopic(base, agent, '+'), centralStateTopic(base)];
  await greet(link, publisher, { topics, patienceMs: mqtt.connectTimeoutMs }, signal);
  return publisher;
}

/**
 * The rest of the opening. A broker that lets us in and does not answer then is left after a while: it may live, and its
 * answer be lost, so that the keepalive alone would wait for ever.
 */
async function greet(
  link: MqttLink,
  publisher: Publisher,
  { topics, patienceMs }: { readonly topics: readonly string[]; readonly patienceMs: number },
  signal: AbortSignal,
): Promise<void> {
  const cut = () => void link.close();
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
    cut();
  }, patienceMs);
  signal.addEventListener('abort', cut, { once: true });
  try {
    await link.subscribe(topics);
    await publisher.publishState('online');
  } catch (error) {
    await link.close();
    if (!isLate) throw error;
    const message = `the broker lets us in and then answers nothing for ${patienceMs} ms: is it well?`;
    throw Object.assign(new Error(message, { cause: error }), { code: 'UNREACHABLE' });
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', cut);
  }
}

async function linkOptions(options: PublisherOptions, will: NonNullable<LinkOptions['will']>): Promise<LinkOptions> {
  const { mqtt, agent, elsewhere } = options;
  const [ca, cert, key] = await Promise.all([pem('ca', mqtt.ca), pem('cert', mqtt.cert), pem('key', mqtt.key)]);
  return {
    url: mqtt.url,
    clientId: mqtt.clientId ?? `collard-agent-${agent}`,
    username: mqtt.username,
    password: mqtt.password,
    ca,
    cert,
    key,
    // What matters is asked for with `sync`. In a cluster the session is kept all the same: RabbitMQ binds one that is not to the
    // node it began on, and when that node is gone, lets nobody of this name subscribe at the others.
    cleanStart: !elsewhere,
    sessionExpirySeconds: elsewhere ? KEPT_SECONDS : 0,
    keepaliveSeconds: mqtt.keepaliveSeconds,
    connectTimeoutMs: mqtt.connectTimeoutMs,
    will,
    incomingLimit: INCOMING_LIMIT,
  };
}

async function pem(key: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw Object.assign(new Error(`cannot read mqtt.${key} (${path}): ${code}`, { cause }), {
      code: 'PEM_UNREADABLE',
    });
  }
}

function read(message: Incoming, base: string, agent: string): AgentMessage {
  const { topic, payload, retained } = message;
  message.done();
  const unreadable = { type: 'ignored', topic, reason: 'unreadable message' } as const;
  if (topic === centralStateTopic(base)) {
    const body = parseObject(payload);
    const online = body?.state === 'online';
    return { type: 'central', online, fresh: !retained };
  }
  if (topic === agentTopic(base, agent, 'stored')) {
    const stored = decodeStored(payload);
    if (retained) return { type: 'ignored', topic, reason: 'retained message' };
    return stored === null ? unreadable : { type: 'stored', message: stored };
  }
  const body = parseObject(payload);
  const verb = topic.slice(topic.lastIndexOf('/') + 1);
  return body === null ? unreadable : { type: 'request', verb, body };
}
