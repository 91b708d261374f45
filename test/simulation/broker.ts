/**
 * A broker as brokers are: sessions, retained messages, wills, QoS 1 in order, a queue that drops when it is full, and a memory
 * that may fail. What it promises is little, and it keeps no more than that.
 */
import type { Published } from '../../src/lib/mqtt-link.ts';
import type { Timeline, Waiting } from './timeline.ts';

export interface Message {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

/** The broker's end of a connection: what it can do to the client. */
export interface Client {
  readonly id: string;
  readonly will: Omit<Message, 'qos' | 'retain'> | undefined;
  readonly receiveMaximum: number;
  deliver(message: Message, id: number | null): void;
  /** The broker has ended the connection, for this reason. */
  kick(reason: string): void;
}

/** What goes wrong just now; all of it may change at any time. */
export interface BrokerFaults {
  /** A message that is acknowledged and goes nowhere. */
  swallows(message: Message): boolean;
  /** A reason code instead of success, and the message goes nowhere. */
  refuses(message: Message): number | null;
  /** Delivered so often to one client. */
  copies(message: Message): number;
  /** Held back so long, while others pass. */
  heldBackMs(message: Message): number;
}

interface Session {
  readonly clientId: string;
  readonly filters: Set<string>;
  readonly persistent: boolean;
  queue: Message[];
  /** Sent and not acknowledged by the client. */
  readonly onTheWay: Map<number, Message>;
  nextId: number;
  client: Client | null;
}

export interface Broker {
  /** True: there was a session. Kicks whoever had the id. */
  connect(client: Client, cleanStart: boolean, persistent: boolean): boolean;
  /** The connection has ended for the broker; `gracefully`: no will. */
  disconnect(client: Client, gracefully: boolean): void;
  subscribe(client: Client, filters: readonly string[]): void;
  publish(message: Message): Published;
  acknowledge(client: Client, id: number): void;
  /** Starts anew: everybody is thrown out, and it has forgotten its sessions, and perhaps what was retained. */
  restart(forgets: { readonly sessions: boolean; readonly retained: boolean }): void;
  /** Messages that were acknowledged to their sender and dropped because a queue was full. */
  readonly dropped: number;
}

export interface BrokerOptions {
  readonly time: Timeline;
  readonly queueLimit: number;
  /** MQTT 3.1.1 cannot tell its sender of a refusal. */
  readonly protocol: '5' | '3.1.1';
  readonly faults: BrokerFaults;
  /** Every message that is routed: for the trace. */
  readonly routed: (message: Message) => void;
}

export const NO_SUBSCRIBER = 0x10;

export function createBroker({ time, queueLimit, protocol, faults, routed }: BrokerOptions): Broker {
  const sessions = new Map<string, Session>();
  const retained = new Map<string, Message>();
  let dropped = 0;

  const sessionOf = (client: Client): Session | null => {
    const session = sessions.get(client.id);
    return session?.client === client ? session : null;
  };
  const pump = (session: Session) => {
    while (session.client !== null && session.queue.length > 0) {
      if (session.onTheWay.size >= session.client.receiveMaximum) return;
      const message = session.queue.shift();
      if (message === undefined) return;
      session.nextId += 1;
      session.onTheWay.set(session.nextId, message);
      session.client.deliver(message, session.nextId);
    }
  };
  const offer = (session: Session, message: Message) => {
    if (message.qos === 0) return session.client?.deliver(message, null);
    if (session.queue.length >= queueLimit) {
      dropped += 1;
      return;
    }
    session.queue.push(message);
    pump(session);
  };
  const route = (message: Message): number => {
    routed(message);
    if (message.retain) retained.set(message.topic, message);
    let heard = 0;
    for (const session of sessions.values()) {
      if (![...session.filters].some((filter) => matches(filter, message.topic))) continue;
      heard += 1;
      for (let copy = 0; copy < faults.copies(message); copy += 1) {
        const later: Waiting | null = holdBack(message, copy, () => offer(session, { ...message, retain: false }));
        if (later === null) offer(session, { ...message, retain: false });
      }
    }
    return heard;
  };
  const holdBack = (message: Message, copy: number, work: () => void): Waiting | null => {
    const ms = faults.heldBackMs(message) + copy * 500;
    return ms === 0 ? null : time.after(ms, work);
  };
  const leave = (client: Client, gracefully: boolean) => {
    const session = sessionOf(client);
    if (session === null) return;
    session.client = null;
    if (!session.persistent) sessions.delete(session.clientId);
    if (!gracefully && client.will !== undefined) route({ ...client.will, qos: 1, retain: true });
  };
  return {
    connect(client, cleanStart, persistent) {
      const before = sessions.get(client.id);
      if (before?.client) {
        const old = before.client;
        leave(old, false);
        old.kick('session taken over');
      }
      const kept = cleanStart ? undefined : sessions.get(client.id);
      const session: Session = kept ?? {
        clientId: client.id,
        filters: new Set(),
        persistent,
        queue: [],
        onTheWay: new Map(),
        nextId: 0,
        client: null,
      };
      sessions.set(client.id, session);
      session.client = client;
      // What was not acknowledged comes again, first and in order.
      for (const [id, message] of session.onTheWay) client.deliver(message, id);
      pump(session);
      return kept !== undefined;
    },
    disconnect: leave,
    subscribe(client, filters) {
      const session = sessionOf(client);
      if (session === null) return;
      for (const filter of filters) {
        session.filters.add(filter);
        for (const [topic, message] of retained) if (matches(filter, topic)) offer(session, message);
      }
    },
    publish(message) {
      const reasonCode = faults.refuses(message);
      if (reasonCode !== null) return protocol === '5' ? refused(reasonCode) : { ok: true };
      if (faults.swallows(message)) return { ok: true };
      return route(message) > 0 || protocol !== '5' ? { ok: true } : refused(NO_SUBSCRIBER);
    },
    acknowledge(client, id) {
      const session = sessionOf(client);
      session?.onTheWay.delete(id);
      if (session !== null) pump(session);
    },
    restart(forgets) {
      for (const session of [...sessions.values()]) {
        const { client } = session;
        session.client = null;
        client?.kick('the broker is shutting down');
        if (forgets.sessions || !session.persistent) sessions.delete(session.clientId);
      }
      if (forgets.retained) retained.clear();
    },
    get dropped() {
      return dropped;
    },
  };
}

function refused(reasonCode: number): Published {
  return { ok: false, reasonCode, reason: `reason ${reasonCode}` };
}

function matches(filter: string, topic: string): boolean {
  if (!filter.includes('+')) return filter === topic;
  const [wanted, given] = [filter.split('/'), topic.split('/')];
  return wanted.length === given.length && wanted.every((level, i) => level === '+' || level === given[i]);
}
