/** A stranger at the broker: hears what central tells the agent, how much the broker has dropped, and may publish anything. */
import { connect } from 'mqtt';
import { agentTopic, DEFAULT_BASE_TOPIC } from '../../src/contract/topic.ts';

/** Marks of the past that are kept to be said again. */
const KEPT = 500;

export interface Listener {
  /** `stored` messages as central sent them, oldest first. */
  readonly stored: readonly Buffer[];
  /** What the broker says that it has dropped since it started. */
  readonly dropped: number;
  /** What the agent said last of itself, and when it came. */
  readonly health: { readonly queue: number; readonly atMs: number };
  /** False when the broker does not take it in time. */
  saysStored(payload: string | Buffer, retain?: boolean): Promise<boolean>;
  close(): Promise<void>;
}

const DROPPED = '$SYS/broker/publish/messages/dropped';
const PATIENCE_MS = 1_000;

export function openListener(url: string, agent: string): Listener {
  const client = connect(url, { reconnectPeriod: 200, connectTimeout: 2_000, queueQoSZero: false, keepalive: 5 });
  const topic = agentTopic(DEFAULT_BASE_TOPIC, agent, 'stored');
  const stored: Buffer[] = [];
  const healthTopic = agentTopic(DEFAULT_BASE_TOPIC, agent, 'health');
  let dropped = 0;
  let health = { queue: Number.NaN, atMs: 0 };
  client.on('connect', () => client.subscribe([topic, healthTopic, DROPPED]));
  client.on('error', () => undefined);
  client.on('message', (heard, payload) => {
    if (heard === DROPPED) dropped = Number(payload.toString());
    else if (heard === healthTopic) health = { queue: queueIn(payload), atMs: performance.now() };
    else if (stored.push(payload) > KEPT) stored.shift();
  });
  return {
    stored,
    get dropped() {
      return dropped;
    },
    get health() {
      return health;
    },
    async saysStored(payload, retain = false) {
      if (!client.connected) return false;
      const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), PATIENCE_MS));
      const said = client.publishAsync(topic, payload, { qos: 1, retain }).then(
        () => true,
        () => false,
      );
      return Promise.race([said, late]);
    },
    close: () => client.endAsync(true),
  };
}

function queueIn(payload: Buffer): number {
  const { queue } = JSON.parse(payload.toString()) as { readonly queue: number };
  return queue;
}
