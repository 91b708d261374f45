/** What came, in the pieces in which it is kept: what belongs together is one, and what a later word makes out of date is left out. */
import { MAX_BATCH_EVENTS } from '../contract/envelope.ts';
import { decodeHeard } from '../contract/message.ts';
import type { SortedBatch } from '../contract/sorted-batch.ts';
import { parseAgentTopic } from '../contract/topic.ts';
import type { Incoming } from '../lib/mqtt-link.ts';
import { storeFailed } from './store/store-failed.ts';
import { decodeIncoming } from './subscriber/message.ts';
import type { Admitted, Trust } from './trust.ts';

export interface Group {
  readonly received: Admitted;
  /** All are let go together, after the commit. */
  readonly messages: readonly [Incoming, ...Incoming[]];
}

/**
 * Batches of one epoch that follow each other become one, and of words on health the newest is left. Messages of other agents may come in
 * between; each agent's own keep their order, since a sync is answered after all that came before it. Rejects as the store does.
 */
export async function groupsOf(
  base: string,
  trust: Trust | undefined,
  messages: readonly Incoming[],
): Promise<readonly Group[]> {
  const grouped: Group[] = [];
  const newest = new Map<string, number>();
  for (const message of messages) {
    const decoded = decodeIncoming(base, message);
    // Before it is joined: a signature is of one batch.
    const received = trust === undefined ? decoded : await trust.admit(decoded).catch(rejectStoreFailed);
    const agent = parseAgentTopic(base, message.topic)?.agent ?? '';
    const index = newest.get(agent) ?? -1;
    const before = grouped[index];
    const joined = before === undefined ? null : join(before.received, received);
    if (before !== undefined && joined !== null) {
      grouped[index] = { received: joined, messages: [...before.messages, message] };
    } else {
      newest.set(agent, grouped.length);
      grouped.push({ received, messages: [message] });
    }
  }
  return grouped;
}

/** Two things that one agent said one after the other, as one; null: they stay two. */
function join(a: Admitted, b: Admitted): Admitted | null {
  if (a.type === 'batch' && b.type === 'batch') {
    const batch = joinBatches(a.batch, b.batch);
    return batch === null ? null : { type: 'batch', batch };
  }
  return a.type === 'health' && b.type === 'health' && saysAllOf(b.health, a.health) ? b : null;
}

function joinBatches(a: SortedBatch, b: SortedBatch): SortedBatch | null {
  if (a.bad.length > 0 || b.bad.length > 0) return null;
  const last = a.events.at(-1);
  const first = b.events[0];
  if (last === undefined || first === undefined || a.agent !== b.agent || last.epoch !== first.epoch) return null;
  if (first.seq !== last.seq + 1 || a.events.length + b.events.length > MAX_BATCH_EVENTS) return null;
  return { agent: a.agent, events: [...a.events, ...b.events], bad: [], chain: b.chain, chained: null };
}

/** Words on health are kept as they came, the newest; only when collars were heard is remembered of all. */
function saysAllOf(newer: Readonly<Record<string, unknown>>, older: Readonly<Record<string, unknown>>): boolean {
  const told = new Map(decodeHeard(newer).map(({ collar, lastHeard }) => [collar, lastHeard]));
  return decodeHeard(older).every(({ collar, lastHeard }) => (told.get(collar) ?? '') >= lastHeard);
}

function rejectStoreFailed(cause: unknown): never {
  throw storeFailed(cause);
}
