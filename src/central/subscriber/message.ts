/** The border to the broker: what came, as one of the few things that central understands, or why it is none of them. */
import { decodeState, decodeSync, parseObject, type StateMessage, type SyncMessage } from '../../contract/message.ts';
import { type SortedBatch, sortBatch } from '../../contract/sorted-batch.ts';
import { CENTRAL_AGENT, parseAgentTopic } from '../../contract/topic.ts';
import type { Incoming } from '../../lib/mqtt-link.ts';

export type Received =
  | { readonly type: 'batch'; readonly batch: SortedBatch }
  | { readonly type: 'sync'; readonly agent: string; readonly message: SyncMessage }
  | { readonly type: 'state'; readonly agent: string; readonly message: StateMessage }
  | { readonly type: 'health'; readonly agent: string; readonly health: Readonly<Record<string, unknown>> }
  /** Cleared retained messages: nothing to keep, nothing wrong. */
  | { readonly type: 'empty' }
  | { readonly type: 'unreadable'; readonly reason: string };

/** A health message is kept as it came, so it is bounded here. */
const MAX_HEALTH_BYTES = 256 * 1024;

export function decodeIncoming(base: string, incoming: Pick<Incoming, 'topic' | 'payload'>): Received {
  const topic = parseAgentTopic(base, incoming.topic);
  if (topic === null) return { type: 'unreadable', reason: 'topic names no agent and shard that belong together' };
  const { agent, channel } = topic;
  const { payload } = incoming;
  if (agent === CENTRAL_AGENT) return { type: 'unreadable', reason: `${CENTRAL_AGENT} is no name for an agent` };
  if (payload.byteLength === 0) return { type: 'empty' };
  switch (channel) {
    case 'events':
    case 'backlog': {
      const decoded = sortBatch(payload);
      if (!decoded.ok) return { type: 'unreadable', reason: decoded.reason };
      if (decoded.batch.agent !== agent) {
        return { type: 'unreadable', reason: `source is ${decoded.batch.agent}, topic is of ${agent}` };
      }
      return { type: 'batch', batch: decoded.batch };
    }
    case 'sync': {
      const message = decodeSync(payload);
      return message === null ? { type: 'unreadable', reason: 'no sync message' } : { type: 'sync', agent, message };
    }
    case 'state': {
      const message = decodeState(payload);
      return message === null ? { type: 'unreadable', reason: 'no state message' } : { type: 'state', agent, message };
    }
    case 'health': {
      const health = parseObject(payload, MAX_HEALTH_BYTES);
      return health === null ? { type: 'unreadable', reason: 'no health message' } : { type: 'health', agent, health };
    }
    default:
      return { type: 'unreadable', reason: `channel ${channel.slice(0, 64)} is not central's` };
  }
}
