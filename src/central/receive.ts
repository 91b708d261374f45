/**
 * The receive loop: subscriber → store. What comes is committed first, then acknowledged to the broker and answered to the
 * agent with `stored`. Reconnects for ever, and leaves the broker while the database is away. A store that fails ends it. Either
 * way nothing is acknowledged that is not committed.
 */
import type { OpenLink } from '../lib/mqtt-link.ts';
import { type BackoffLimits, backoffMs, delay } from '../lib/wait.ts';
import { groupsOf } from './grouping.ts';
import { COMMIT_MESSAGES, type KeepParts, keepAll } from './keep.ts';
import { isAway, isLost, type Outage } from './outage.ts';
import { withoutOthers } from './subscriber/others.ts';
import { openSubscriber, type Subscriber, type SubscriberOptions } from './subscriber/subscriber.ts';
import { type DropParts, droppedSince } from './tell.ts';
import type { Trust } from './trust.ts';

export interface ReceiveParts extends KeepParts, Pick<DropParts, 'dropped'> {
  readonly openLink: OpenLink;
  readonly subscriber: SubscriberOptions;
  /** Asked when the database is away. Absent: then the loop ends. */
  readonly outage?: Pick<Outage, 'over'>;
  /** Asked about every message. Absent: everybody is believed. */
  readonly trust?: Trust;
  readonly retry: BackoffLimits;
  readonly random: () => number;
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
  const leftOut = droppedSince(parts, 'outbox', told);
  let lastError = '';
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    leftOut(parts.outbox.dropped);
    try {
      const subscriber = await openSubscriber(parts.subscriber, parts.openLink, signal);
      const begun = () => {
        const { protocol, sessionPresent } = subscriber;
        if (parts.tellBroker !== undefined) parts.tellBroker(null);
        else logger.info({ protocol, sessionPresent }, 'connected to the broker');
        attempt = 0;
        lastError = '';
      };
      const reason = await serve(parts, subscriber, { told, begun, leftOut }, signal);
      if (reason !== null) throw reason;
    } catch (error) {
      if (signal.aborted) return;
      if (isLost(error)) throw error;
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
  /** Takes how many messages the outbox has left out. */
  readonly leftOut: (total: number) => void;
}

/** Until the link ends: resolves to the reason. */
async function serve(
  parts: ReceiveParts,
  subscriber: Subscriber,
  { told, begun, leftOut }: Serving,
  signal: AbortSignal,
): Promise<Error | null> {
  const { base } = parts.subscriber;
  const overrun = droppedSince(parts, 'incoming', told);
  let over = false;
  void subscriber.greeted.then(() => {
    if (over) return;
    parts.outbox.attach(subscriber);
    parts.onConnection(true);
    begun();
  });
  try {
    for (;;) {
      const messages = await subscriber.take(COMMIT_MESSAGES, signal);
      if (messages.length === 0) break;
      const own = withoutOthers(base, messages, parts.heardOther);
      await keepAll(parts, base, await groupsOf(base, parts.trust, own), told);
      parts.changed();
      overrun(subscriber.overruns);
      leftOut(parts.outbox.dropped);
    }
    return signal.aborted ? null : await subscriber.ended;
  } finally {
    over = true;
    overrun(subscriber.overruns);
    parts.onConnection(false);
    parts.outbox.detach();
    await subscriber.close();
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}
