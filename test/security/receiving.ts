/** The receive loop of central over the real store and a link on which a test says everything that the broker would. */
import { pino } from 'pino';
import { type ReceiveParts, runReceive } from '../../src/central/receive.ts';
import type { Store } from '../../src/central/store/store.ts';
import { createOutbox } from '../../src/central/subscriber/outbox.ts';
import type { Incoming, MqttLink } from '../../src/lib/mqtt-link.ts';
import { createQueue } from '../../src/lib/queue.ts';
import { NOW } from '../central/store/events.ts';
import { until } from '../servers.ts';

export interface Receiving {
  /** Topics and payloads of what central said. */
  readonly said: { readonly topic: string; readonly payload: string }[];
  /** Resolves when all of them are let go. */
  say(messages: readonly { readonly topic: string; readonly payload: string }[]): Promise<void>;
  stop(): Promise<void>;
}

export function startReceiving(store: Store, parts: Partial<ReceiveParts> = {}): Receiving {
  const incoming = createQueue<Incoming>(128);
  const said: Receiving['said'] = [];
  const link: MqttLink = {
    protocol: '5',
    sessionPresent: true,
    receiveMaximum: 100,
    maxPacketBytes: 1_000_000,
    overruns: 0,
    publish: async (topic, payload) => {
      said.push({ topic, payload: payload.toString() });
      return { ok: true };
    },
    subscribe: async () => undefined,
    incoming,
    ended: new Promise(() => undefined),
    close: async () => incoming.close(),
  };
  const stop = new AbortController();
  const running = runReceive({ ...defaults(store, link), ...parts }, stop.signal);
  return {
    said,
    async say(messages) {
      let acknowledged = 0;
      const done = () => {
        acknowledged += 1;
      };
      for (const { topic, payload } of messages) {
        await incoming.room(stop.signal);
        if (!incoming.push({ topic, payload: Buffer.from(payload), retained: false, done })) throw new Error('no room');
      }
      await until('all are looked at', () => acknowledged === messages.length, 60_000);
    },
    async stop() {
      stop.abort();
      await running;
    },
  };
}

function defaults(store: Store, link: MqttLink): ReceiveParts {
  return {
    store,
    openLink: async () => link,
    subscriber: {
      base: 'collard/v1',
      group: 'central',
      sessionExpirySeconds: 0,
      link: { url: 'mqtt://127.0.0.1', keepaliveSeconds: 10, connectTimeoutMs: 1_000 },
    },
    outbox: createOutbox(),
    retry: { firstMs: 10, maxMs: 10 },
    logger: pino({ level: 'silent' }),
    clock: () => new Date(NOW),
    random: () => 0.5,
    ingested: () => undefined,
    changed: () => undefined,
    onConnection: () => undefined,
  };
}
