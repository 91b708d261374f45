/** One connection of central to the broker: its session, its subscriptions, its will. It does not reconnect: receive does. */
import { centralStateTopic, shardName } from '../../contract/topic.ts';
import type { Incoming, LinkOptions, MqttLink, OpenLink } from '../../lib/mqtt-link.ts';
import { createGate, delay } from '../../lib/wait.ts';
import { createLanes } from './lanes.ts';

/** Messages that wait for the store; then the broker is held back. A batch may have 256 KiB. */
export const MAX_INCOMING = 128;
const GOODBYE_MS = 1_000;
/** Of a session of one shard: a worker has many of them. */
export const MAX_INCOMING_OF_SHARD = 16;
const CHANNELS = ['events', 'backlog', 'sync', 'state', 'health'] as const;

export interface SubscriberOptions {
  readonly base: string;
  /** The client id begins with it: who connects with the same one inherits the session's queue. */
  readonly group: string;
  /** Of several centrals that share the shards: one shard, or what all of them say together. Absent: all of it. */
  readonly duty?: number | 'lead';
  readonly sessionExpirySeconds: number;
  /** Topics of others that the session which speaks for central listens to. A broker may refuse them: then it goes without. */
  readonly others?: { readonly topics: readonly string[]; refused(error: Error): void };
  readonly link: Omit<LinkOptions, 'clientId' | 'cleanStart' | 'sessionExpirySeconds' | 'will' | 'incomingLimit'>;
}

export interface Subscriber {
  readonly protocol: MqttLink['protocol'];
  readonly sessionPresent: boolean;
  /** The broker's Receive Maximum. */
  readonly receiveMaximum: number;
  /** Messages for which there was no room, see `MqttLink`. */
  readonly overruns: number;
  /** Waits for messages, live events first; empty when the link has ended or the signal aborts. */
  take(max: number, signal: AbortSignal): Promise<readonly Incoming[]>;
  readonly publish: MqttLink['publish'];
  /** Resolves when the broker has subscribed us; never when the link ends before. */
  readonly greeted: Promise<void>;
  /** Why the link ended, or why the broker would not subscribe us; null after our own close(). */
  readonly ended: Promise<Error | null>;
  /** Says goodbye, so that nobody waits for the will. */
  close(): Promise<void>;
}

/**
 * Connects; subscribes and says "online" while messages are taken already: a broker sends what it has kept for us before it
 * answers to SUBSCRIBE, and the answer stands behind all of it. Rejects as the link does (REFUSED, UNREACHABLE, TLS).
 */
export async function openSubscriber(
  options: SubscriberOptions,
  openLink: OpenLink,
  signal: AbortSignal,
): Promise<Subscriber> {
  const { base, sessionExpirySeconds } = options;
  const { clientId, topics, isVoice, limit } = sessionOf(options);
  const topic = centralStateTopic(base);
  const say = (state: 'online' | 'offline') => JSON.stringify({ state });
  const link = await openLink(
    {
      ...options.link,
      clientId,
      cleanStart: topics.length === 0,
      sessionExpirySeconds: topics.length === 0 ? 0 : sessionExpirySeconds,
      will: isVoice ? { topic, payload: say('offline') } : undefined,
      incomingLimit: limit,
    },
    signal,
  );
  const { incoming } = link;
  // A broker may end the link of who goes beyond its Receive Maximum: greeting, goodbye and all between count together.
  const gate = createGate(link.receiveMaximum);
  const publish: MqttLink['publish'] = (...message) => gate(() => link.publish(...message));
  const lanes = createLanes();
  let taken = 0;
  const patience = { quietMs: options.link.connectTimeoutMs, heard: () => taken + incoming.size };
  const tell = (state: 'online' | 'offline') => publish(topic, say(state), { qos: 1, retain: true });
  const hello = isVoice ? () => tell('online') : null;
  const others = isVoice ? options.others : undefined;
  const greeting = greet(link, topics, others, hello, patience, signal);
  return {
    protocol: link.protocol,
    sessionPresent: link.sessionPresent,
    receiveMaximum: link.receiveMaximum,
    get overruns() {
      return link.overruns;
    },
    async take(max, until) {
      const waiting = incoming.size > 0 || lanes.size === 0;
      if (waiting && lanes.size < limit) {
        const messages = await incoming.takeUpTo(limit - lanes.size, until);
        taken += messages.length;
        lanes.add(messages);
      }
      return until.aborted ? [] : lanes.next(max);
    },
    publish,
    greeted: new Promise((resolve) => {
      void greeting.then((failure) => {
        if (failure === null) resolve();
      });
    }),
    ended: greeting.then((failure) => failure ?? link.ended),
    async close() {
      if (!isVoice) return link.close();
      const late = new AbortController();
      const goodbye = tell('offline').then(
        () => undefined,
        // The link is gone: then the broker sends the will.
        () => undefined,
      );
      await Promise.race([goodbye, delay(GOODBYE_MS, late.signal)]);
      late.abort();
      await link.close();
    },
  };
}

interface Session {
  readonly clientId: string;
  readonly topics: readonly string[];
  /** Says that central is there, and the broker says when it is not. */
  readonly isVoice: boolean;
  /** Messages that wait for the store, and as many again in lanes. */
  readonly limit: number;
}

function sessionOf({ base, group, duty }: SubscriberOptions): Session {
  const topicsOf = (shard: string) => CHANNELS.map((channel) => `${base}/${shard}/+/${channel}`);
  if (duty === undefined) return { clientId: group, topics: topicsOf('+'), isVoice: true, limit: MAX_INCOMING };
  const clientId = `${group}-${duty === 'lead' ? duty : shardName(duty)}`;
  if (duty === 'lead') return { clientId, topics: [], isVoice: true, limit: 1 };
  return { clientId, topics: topicsOf(shardName(duty)), isVoice: false, limit: MAX_INCOMING_OF_SHARD };
}

/** Resolves to null when done, or to why it cannot be, and then the link is closed. */
async function greet(
  link: MqttLink,
  topics: readonly string[],
  others: SubscriberOptions['others'],
  hello: (() => Promise<unknown>) | null,
  { quietMs, heard }: { readonly quietMs: number; readonly heard: () => number },
  signal: AbortSignal,
): Promise<Error | null> {
  // A broker that lets us in and then stays silent must not hold up the end.
  const cut = () => void link.close();
  signal.addEventListener('abort', cut, { once: true });
  // SUBACK may stand behind the messages of an old session. Where these end and it does not come, a new link is better.
  let before = -1;
  const looks = setInterval(() => {
    if (heard() === before) cut();
    before = heard();
  }, quietMs);
  try {
    // At every connect: the broker may have lost the session.
    if (topics.length > 0) await link.subscribe(topics);
    if (others !== undefined) await link.subscribe(others.topics).catch(unlessRefused(others.refused));
    // Not awaited: the answer may get lost, and nothing depends on it.
    hello?.().catch(() => undefined);
    return null;
  } catch (error) {
    await link.close();
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    clearInterval(looks);
    signal.removeEventListener('abort', cut);
  }
}

function unlessRefused(refused: (error: Error) => void): (error: Error) => void {
  return (error) => {
    if (!('code' in error) || error.code !== 'SUBSCRIBE_REFUSED') throw error;
    refused(error);
  };
}
