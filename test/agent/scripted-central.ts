/** A central that keeps what it receives and answers as the test says: the script sees each `stored` before it goes out. */
import { type ChainHash, chainNext, chainStart } from '../../src/contract/chain.ts';
import { decodeBatch, type EventBatch } from '../../src/contract/envelope.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import {
  decodeSync,
  encodeStored,
  type SeqRange,
  type StoredMessage,
  type SyncMessage,
} from '../../src/contract/message.ts';
import { agentTopic, centralStateTopic } from '../../src/contract/topic.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';

export const BASE = 'collard/v1';

interface HeldEpoch {
  readonly events: Map<number, StoredEvent>;
  readonly chains: ChainHash[];
  known: number;
}

export interface Arrival {
  readonly lane: 'events' | 'backlog';
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly atMs: number;
}

export interface ScriptedCentral {
  readonly epochs: Map<string, HeldEpoch>;
  readonly arrivals: Arrival[];
  /** What came, as it was decoded. */
  readonly batches: EventBatch[];
  readonly asked: SyncMessage[];
  readonly syncs: number;
  /** Everything on the agent's other topics, newest last. */
  readonly seen: { readonly topic: string; readonly text: string }[];
  mark(epoch: string): number;
  /** Changes what is answered: none, one or many messages. */
  script: (message: StoredMessage) => readonly StoredMessage[];
  /** What the broker delivers and central never stores. */
  drops: (arrival: Arrival) => boolean;
  say(topic: string, payload: string, retain?: boolean): Promise<void>;
  stop(): Promise<void>;
}

export async function startCentral(
  url: string,
  agent: string,
  incarnation = 'first',
  epochs = new Map<string, HeldEpoch>(),
): Promise<ScriptedCentral> {
  const stop = new AbortController();
  const options = { url, clientId: `central-${Math.random()}`, cleanStart: true, sessionExpirySeconds: 0 };
  const limits = { keepaliveSeconds: 10, connectTimeoutMs: 5_000, incomingLimit: 1_000 };
  const link = await openMqttLink({ ...options, ...limits }, stop.signal);
  const topic = (channel: 'events' | 'backlog' | 'sync' | 'stored') => agentTopic(BASE, agent, channel);
  const central: ScriptedCentral = {
    epochs,
    arrivals: [],
    batches: [],
    asked: [],
    seen: [],
    script: (message) => [message],
    drops: () => false,
    get syncs() {
      return central.asked.length;
    },
    mark: (epoch) => (epochs.get(epoch)?.chains.length ?? 1) - 1,
    async say(to, payload, retain = false) {
      await link.publish(to, payload, { qos: 1, retain });
    },
    async stop() {
      stop.abort();
      await link.close();
      await loop;
    },
  };
  const held = (epoch: string): HeldEpoch => {
    const known = epochs.get(epoch) ?? { events: new Map(), chains: [chainStart(agent, epoch)], known: 0 };
    epochs.set(epoch, known);
    return known;
  };
  const answer = async (epoch: string) => {
    const { chains, events, known } = held(epoch);
    const seq = chains.length - 1;
    const chain = chains[seq] ?? new Uint8Array(32);
    const message = { incarnation, epoch, seq, chain, need: needOf(events, seq, known) };
    for (const one of central.script(message))
      await link.publish(topic('stored'), encodeStored(one), { qos: 1, retain: false });
  };
  const take = (lane: 'events' | 'backlog', payload: Uint8Array): string | null => {
    const decoded = decodeBatch(payload);
    if (!decoded.ok) throw new Error(decoded.reason);
    const { events } = decoded.batch;
    const [from, to, epoch] = [events[0]?.seq ?? 0, events.at(-1)?.seq ?? 0, events[0]?.epoch ?? ''];
    const arrival: Arrival = { lane, epoch, from, to, atMs: performance.now() };
    central.arrivals.push(arrival);
    central.batches.push(decoded.batch);
    if (central.drops(arrival)) return null;
    const store = held(epoch);
    for (const event of events) store.events.set(event.seq, event);
    store.known = Math.max(store.known, to);
    for (
      let next = store.events.get(store.chains.length);
      next !== undefined;
      next = store.events.get(store.chains.length)
    ) {
      store.chains.push(chainNext(store.chains.at(-1) ?? new Uint8Array(32), next));
    }
    return epoch;
  };
  const run = async () => {
    while (!stop.signal.aborted) {
      const messages = await link.incoming.takeUpTo(100, stop.signal);
      if (messages.length === 0) return;
      for (const message of messages) {
        message.done();
        const lane =
          message.topic === topic('events') ? 'events' : message.topic === topic('backlog') ? 'backlog' : null;
        if (lane !== null) {
          const epoch = take(lane, message.payload);
          if (epoch !== null) await answer(epoch).catch(() => null);
        } else if (message.topic === topic('sync')) {
          const sync = decodeSync(message.payload);
          if (sync === null) throw new Error('sync is none');
          central.asked.push(sync);
          const store = held(sync.epoch);
          store.known = Math.max(store.known, sync.lastSeq);
          await answer(sync.epoch).catch(() => null);
        } else {
          central.seen.push({
            topic: message.topic.split('/').slice(4).join('/'),
            text: Buffer.from(message.payload).toString(),
          });
        }
      }
    }
  };
  await link.subscribe([
    ...(['events', 'backlog', 'sync'] as const).map(topic),
    agentTopic(BASE, agent, 'state'),
    agentTopic(BASE, agent, 'health'),
    `${agentTopic(BASE, agent, 'state').replace(/state$/, 'response')}/+`,
  ]);
  const loop = run();
  await central.say(centralStateTopic(BASE), '{"state":"online"}', true);
  return central;
}

function needOf(events: ReadonlyMap<number, StoredEvent>, mark: number, known: number): SeqRange[] {
  const need: [number, number][] = [];
  for (let seq = mark + 1; seq <= known; seq++) {
    const last = need.at(-1);
    if (events.has(seq)) continue;
    if (last?.[1] === seq - 1) last[1] = seq;
    else need.push([seq, seq]);
  }
  return need.slice(0, 64);
}
