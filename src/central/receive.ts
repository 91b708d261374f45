/**
 * The receive loop: subscriber → store. What comes is committed first, then acknowledged to the broker and answered to the
 * agent with `stored`. Reconnects for ever, and leaves the broker while the database is away. A store that fails ends it. Either
 * way nothing is acknowledged that is not committed.
 */
import type { Logger } from 'pino';
import { MAX_BATCH_EVENTS } from '../contract/envelope.ts';
import { encodeStored, type StoredMessage } from '../contract/message.ts';
import type { SortedBatch } from '../contract/sorted-batch.ts';
import { agentTopic, parseAgentTopic } from '../contract/topic.ts';
import type { Incoming, OpenLink } from '../lib/mqtt-link.ts';
import { type BackoffLimits, backoffMs, delay } from '../lib/wait.ts';
import { isAway, type Outage } from './outage.ts';
import type { QuarantineStore } from './store/kept.ts';
import type { IngestResult, IngestStore } from './store/store.ts';
import { decodeIncoming } from './subscriber/message.ts';
import { withoutOthers } from './subscriber/others.ts';
import type { Outbox } from './subscriber/outbox.ts';
import { openSubscriber, type Subscriber, type SubscriberOptions } from './subscriber/subscriber.ts';
import { once, tellDoubt, tellTrouble } from './tell.ts';
import type { Admitted, Doubted, Trust } from './trust.ts';

/** Messages that are looked at together, so that small batches of one agent share a commit. */
const TAKE_MESSAGES = 64;

export interface ReceiveParts {
  readonly store: IngestStore & Pick<QuarantineStore, 'quarantine'>;
  readonly openLink: OpenLink;
  readonly subscriber: SubscriberOptions;
  readonly outbox: Outbox;
  /** Asked when the database is away. Absent: then the loop ends. */
  readonly outage?: Pick<Outage, 'over'>;
  /** Asked about every message. Absent: everybody is believed. */
  readonly trust?: Trust;
  readonly retry: BackoffLimits;
  readonly logger: Logger;
  readonly clock: () => Date;
  readonly random: () => number;
  readonly ingested: (result: IngestResult) => void;
  /** A message was not believed. */
  readonly doubted?: (type: Doubted) => void;
  /** After a commit that others may want to see. */
  readonly changed: () => void;
  /** Told at each change: is there a broker? */
  readonly onConnection: (connected: boolean) => void;
  /** Of one of many sessions with the same broker. Absent: told in the log. Null: it is there. */
  readonly tellBroker?: (error: Error | null) => void;
  /** Something of `subscriber.others`. */
  readonly heardOther?: (topic: string, payload: string) => void;
}

/** Resolves after the signal aborted. Rejects with code STORE_FAILED and the store's error as cause. */
export async function runReceive(parts: ReceiveParts, signal: AbortSignal): Promise<void> {
  const { logger } = parts;
  const told = new Set<string>();
  let lastError = '';
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      const subscriber = await openSubscriber(parts.subscriber, parts.openLink, signal);
      const begun = () => {
        const { protocol, sessionPresent } = subscriber;
        if (parts.tellBroker !== undefined) parts.tellBroker(null);
        else logger.info({ protocol, sessionPresent }, 'connected to the broker');
        attempt = 0;
        lastError = '';
      };
      const reason = await serve(parts, subscriber, { told, begun }, signal);
      if (reason !== null) throw reason;
    } catch (error) {
      if (signal.aborted) return;
      if (codeOf(error) === 'STORE_FAILED') throw error;
      if (isAway(error)) {
        if (parts.outage === undefined) throw error;
        await parts.outage.over(error, signal);
        continue;
      }
      const reason = error instanceof Error ? error : new Error(String(error));
      if (parts.tellBroker !== undefined) parts.tellBroker(reason);
      else if (reason.message !== lastError) logger.warn({ code: codeOf(error) }, `no broker: ${reason.message}`);
      lastError = reason.message;
    }
    await delay(backoffMs(attempt, parts.retry, parts.random()), signal);
  }
}

interface Serving {
  readonly told: Set<string>;
  /** Called once the broker has subscribed us. */
  readonly begun: () => void;
}

/** Until the link ends: resolves to the reason. */
async function serve(
  parts: ReceiveParts,
  subscriber: Subscriber,
  { told, begun }: Serving,
  signal: AbortSignal,
): Promise<Error | null> {
  let over = false;
  void subscriber.greeted.then(() => {
    if (over) return;
    parts.outbox.attach(subscriber);
    parts.onConnection(true);
    begun();
  });
  try {
    for (;;) {
      const messages = await subscriber.take(TAKE_MESSAGES, signal);
      if (messages.length === 0) break;
      for (const group of await groups(parts, withoutOthers(parts.subscriber.base, messages, parts.heardOther)))
        await keep(parts, group, told);
      parts.changed();
    }
    return signal.aborted ? null : await subscriber.ended;
  } finally {
    over = true;
    parts.onConnection(false);
    parts.outbox.detach();
    await subscriber.close();
  }
}

interface Group {
  readonly received: Admitted;
  /** All are let go together, after the commit. */
  readonly messages: readonly Incoming[];
}

/**
 * Batches of one epoch that follow each other become one: a commit costs a flush, however small it is. Messages of other agents
 * may come in between; each agent's own keep their order, since a sync is answered after all that came before it.
 */
async function groups({ subscriber, trust }: ReceiveParts, messages: readonly Incoming[]): Promise<Group[]> {
  const grouped: Group[] = [];
  const newest = new Map<string, number>();
  for (const message of messages) {
    const decoded = decodeIncoming(subscriber.base, message);
    // Before it is joined: a signature is of one batch.
    const received = trust === undefined ? decoded : await trust.admit(decoded).catch(rejectStoreFailed);
    const agent = parseAgentTopic(subscriber.base, message.topic)?.agent ?? '';
    const index = newest.get(agent) ?? -1;
    const before = grouped[index];
    const joined =
      before?.received.type === 'batch' && received.type === 'batch'
        ? join(before.received.batch, received.batch)
        : null;
    if (before !== undefined && joined !== null) {
      grouped[index] = { received: { type: 'batch', batch: joined }, messages: [...before.messages, message] };
    } else {
      newest.set(agent, grouped.length);
      grouped.push({ received, messages: [message] });
    }
  }
  return grouped;
}

function join(a: SortedBatch, b: SortedBatch): SortedBatch | null {
  if (a.bad.length > 0 || b.bad.length > 0) return null;
  const last = a.events.at(-1);
  const first = b.events[0];
  if (last === undefined || first === undefined || a.agent !== b.agent || last.epoch !== first.epoch) return null;
  if (first.seq !== last.seq + 1 || a.events.length + b.events.length > MAX_BATCH_EVENTS) return null;
  return { agent: a.agent, events: [...a.events, ...b.events], bad: [], chain: b.chain, chained: null };
}

async function keep(parts: ReceiveParts, { received, messages }: Group, told: Set<string>): Promise<void> {
  const { store } = parts;
  const now = parts.clock().toISOString();
  // The broker kept a retained message for us: who knows since when.
  const heard = messages.some((message) => message.retained) ? null : now;
  try {
    switch (received.type) {
      case 'batch': {
        const result = await store.ingest({ ...received.batch, topic: messages[0]?.topic ?? '' }, now);
        parts.ingested(result);
        tellTrouble(parts.logger, received.batch.agent, result, told);
        answer(parts, received.batch.agent, result.stored);
        break;
      }
      case 'sync':
        answer(parts, received.agent, await store.sync(received.agent, received.message, now));
        break;
      case 'state':
        await store.saveState(received.agent, received.message, heard);
        break;
      case 'health':
        await store.saveHealth(received.agent, received.health, heard);
        break;
      case 'empty':
        break;
      case 'doubted':
        parts.doubted?.(received.what);
        // What an agent says of itself once a minute would push out the batches.
        if (received.what === 'batch' || received.what === 'sync')
          await poison(parts, messages, 'refused', received.reason, now, told);
        else tellDoubt(parts.logger, messages[0]?.topic ?? '', received.reason, told);
        break;
      case 'unreadable':
        await poison(parts, messages, 'unreadable', received.reason, now, told);
        break;
    }
  } catch (error) {
    if (codeOf(error) !== 'REFUSED') throw storeFailed(error);
    await poison(parts, messages, 'refused', error instanceof Error ? error.message : String(error), now, told);
  }
  for (const message of messages) message.done();
}

function answer(parts: ReceiveParts, agent: string, stored: StoredMessage): void {
  const topic = agentTopic(parts.subscriber.base, agent, 'stored');
  const payload = encodeStored({ ...stored, takesGzip: true });
  // What names its batch says what no later one does.
  if (stored.batch) parts.outbox.put(topic, payload, { retain: false });
  else parts.outbox.put(topic, payload, { retain: false, about: `stored ${stored.epoch}` });
}

async function poison(
  parts: ReceiveParts,
  messages: readonly Incoming[],
  kind: 'unreadable' | 'refused',
  reason: string,
  now: string,
  told: Set<string>,
): Promise<void> {
  try {
    for (const { topic, payload } of messages) {
      const agent = parseAgentTopic(parts.subscriber.base, topic)?.agent ?? '';
      await parts.store.quarantine({ agent, topic, payload, kind, reason }, now);
    }
  } catch (error) {
    throw storeFailed(error);
  }
  const topic = messages[0]?.topic ?? '';
  once(told, `poison ${topic} ${reason}`, () => parts.logger.warn({ topic }, `kept in quarantine: ${reason}`));
}

function rejectStoreFailed(cause: unknown): never {
  throw storeFailed(cause);
}

/** A database that is away is waited for; what else a store says ends the loop. */
function storeFailed(cause: unknown): Error {
  if (isAway(cause)) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return Object.assign(new Error(`the store failed: ${text}`, { cause }), { code: 'STORE_FAILED' });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}
