/**
 * Run as a process of its own: hears all that the broker passes on and counts each event once. Told what to do and answering over IPC.
 * CloudEvents have an id; what the others publish says `collar` and `n`.
 */
import mqtt from 'mqtt';

export interface Count {
  readonly unique: number;
  readonly doubled: number;
  /** MQTT payload bytes of events. */
  readonly payloadBytes: number;
  readonly messages: number;
  /** ms since 1970. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

interface BenchEvent {
  readonly id?: string;
  readonly type?: string;
  readonly subject?: string;
  readonly collar?: string;
  readonly n?: number;
}

const now = () => performance.timeOrigin + performance.now();
const [port = ''] = process.argv.slice(2);
const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
  protocolVersion: 5,
  properties: { receiveMaximum: 65_535 },
  keepalive: 60,
});
let seen = new Set<string>();
/** When each event of a collar came, in order. */
let arrivals: [string, number][] = [];
let count = { unique: 0, doubled: 0, payloadBytes: 0, messages: 0, firstAtMs: 0, lastAtMs: 0 };

client.on('message', (topic, payload) => {
  const at = now();
  const isOurs = /^collard\/v1\/s\d+\/[^/]+\/(events|backlog)$/.test(topic);
  if (!isOurs && topic !== 'bench/events') return;
  const text = payload.toString();
  const events = isOurs ? (JSON.parse(text) as BenchEvent[]) : [JSON.parse(text) as BenchEvent];
  count.messages += 1;
  count.payloadBytes += payload.length;
  for (const event of events) {
    if (isOurs && event.type !== 'collard.battery.low') continue;
    const id = isOurs ? (event.id ?? '') : `${event.collar}/${event.n}`;
    if (seen.has(id)) {
      count.doubled += 1;
      continue;
    }
    seen.add(id);
    count.unique += 1;
    if (count.firstAtMs === 0) count.firstAtMs = at;
    count.lastAtMs = at;
    arrivals.push([isOurs ? (event.subject ?? '').replace('collar/', '') : (event.collar ?? ''), at]);
  }
});
process.on('message', (word: 'count' | 'arrivals' | 'reset' | 'end') => {
  if (word === 'count') process.send?.(count satisfies Count);
  if (word === 'arrivals') process.send?.(arrivals);
  if (word === 'end') process.exit(0);
  if (word === 'reset') {
    seen = new Set();
    arrivals = [];
    count = { unique: 0, doubled: 0, payloadBytes: 0, messages: 0, firstAtMs: 0, lastAtMs: 0 };
    process.send?.('reset');
  }
});
process.on('disconnect', () => process.exit(0));
await client.subscribeAsync(['collard/v1/+/+/events', 'collard/v1/+/+/backlog', 'bench/events'], { qos: 1 });
process.send?.('ready');
