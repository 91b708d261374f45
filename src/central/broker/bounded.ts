/**
 * What the broker keeps in memory, with a limit to each: queues of clients that are away, their sessions and retained messages. Agents
 * keep their events until central has stored them, so nothing of collard's is lost by a limit, or with the process.
 */
import type { PublishPacket } from 'aedes';

/** Of a client that is away or slow. What comes beyond it is not kept for it. */
export const MAX_QUEUED = 1_000;
export const MAX_QUEUED_BYTES = 8 * 1024 * 1024;
/** Clients whose session is kept while they are away, and how long. */
export const MAX_SESSIONS = 256;
export const SESSION_MS = 7 * 86_400_000;
export const MAX_RETAINED = 10_000;
export const MAX_RETAINED_BYTES = 16 * 1024 * 1024;
export const MAX_FILTERS = 256;

interface Kept {
  readonly messageId?: number;
  readonly payload?: string | Buffer;
}
interface Id {
  readonly id: string;
}
type Packet = Pick<PublishPacket, 'topic' | 'payload'>;

/** The part of the broker's memory that is bounded here. */
export interface Memory {
  outgoingEnqueueCombi(subs: readonly { readonly clientId: string }[], packet: Packet): Promise<void>;
  outgoingClearMessageId(client: Id, packet: Kept): Promise<Kept | undefined>;
  outgoingStream(client: Id): AsyncIterable<Kept>;
  storeRetained(packet: Packet): Promise<void>;
  cleanSubscriptions(client: Id): Promise<unknown>;
  subscriptionsByClient(client: Id): Promise<readonly unknown[]>;
}

export interface Bounded {
  /** Whether a client with a session may come: it has one, or there is room for one more. Forgets sessions that are too old. */
  admit(clientId: string, nowMs: number): Promise<boolean>;
  /** It is there, or (with the time) away. */
  note(clientId: string, awaySinceMs: number | null): void;
  /** Whether a retained message may be kept. */
  mayRetain(topic: string, payload: string | Buffer): boolean;
}

/**
 * Clients whose id begins with `own` take what comes: they are this process itself, which holds up whoever writes to it. `dropped` is told
 * how many messages, one for each client, were not kept.
 */
export function boundMemory(memory: Memory, own: string, dropped: (messages: number) => void): Bounded {
  const queues = new Map<string, { count: number; bytes: number }>();
  const retained = new Map<string, number>();
  const sessions = new Map<string, number | null>();
  let retainedBytes = 0;
  const inner = {
    enqueue: memory.outgoingEnqueueCombi.bind(memory),
    clear: memory.outgoingClearMessageId.bind(memory),
    retain: memory.storeRetained.bind(memory),
  };
  memory.outgoingEnqueueCombi = async (subs, packet) => {
    const bytes = sizeOf(packet.payload);
    const room = subs.filter(({ clientId }) => {
      if (clientId.startsWith(own)) return true;
      const queue = queues.get(clientId) ?? { count: 0, bytes: 0 };
      if (queue.count >= MAX_QUEUED || queue.bytes + bytes > MAX_QUEUED_BYTES) return false;
      queues.set(clientId, { count: queue.count + 1, bytes: queue.bytes + bytes });
      return true;
    });
    if (room.length < subs.length) dropped(subs.length - room.length);
    await inner.enqueue(room, packet);
  };
  memory.outgoingClearMessageId = async (client, packet) => {
    const gone = await inner.clear(client, packet);
    const queue = queues.get(client.id);
    if (gone === undefined || queue === undefined) return gone;
    if (queue.count <= 1) queues.delete(client.id);
    else queues.set(client.id, { count: queue.count - 1, bytes: queue.bytes - sizeOf(gone.payload) });
    return gone;
  };
  memory.storeRetained = async (packet) => {
    const bytes = sizeOf(packet.payload);
    retainedBytes += bytes - (retained.get(packet.topic) ?? 0);
    if (bytes === 0) retained.delete(packet.topic);
    else retained.set(packet.topic, bytes);
    await inner.retain(packet);
  };
  const forget = async (id: string) => {
    await memory.cleanSubscriptions({ id });
    for await (const packet of memory.outgoingStream({ id })) await memory.outgoingClearMessageId({ id }, packet);
    sessions.delete(id);
  };
  return {
    async admit(clientId, nowMs) {
      const old = [...sessions].filter(([, away]) => away !== null && nowMs - away >= SESSION_MS);
      for (const [id] of old) await forget(id);
      return sessions.has(clientId) || sessions.size < MAX_SESSIONS;
    },
    note(clientId, awaySinceMs) {
      sessions.set(clientId, awaySinceMs);
    },
    mayRetain(topic, payload) {
      const bytes = sizeOf(payload);
      const before = retained.get(topic);
      if (bytes === 0) return true;
      return (
        (before !== undefined || retained.size < MAX_RETAINED) &&
        retainedBytes + bytes - (before ?? 0) <= MAX_RETAINED_BYTES
      );
    },
  };
}

function sizeOf(payload: string | Buffer | undefined): number {
  return payload === undefined ? 0 : Buffer.byteLength(payload);
}
