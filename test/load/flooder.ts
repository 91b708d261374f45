/**
 * flooder.ts URL KIND RATE: one agent, `porch`, that sends so many events or pieces of garbage a second, or as many as the broker
 * answers (`max`), until it is ended.
 */
import { connectAsync } from 'mqtt';
import { chainOver, chainStart } from '../../src/contract/chain.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { agentTopic, DEFAULT_BASE_TOPIC } from '../../src/contract/topic.ts';
import { epochId, meowing } from '../central/store/events.ts';

/** On the way at once. */
const WINDOW = 15;
/** As an event has, and as large as central takes. */
const GARBAGE_BYTES = 1_000;
const LUMP_BYTES = 200_000;
const EVENTS = 500;
const TICK_MS = 5;
const [url = '', kind = '', rate = 'max'] = process.argv.slice(2);

/** The same again and again where it has no more: to central it is as much work to read. */
function createPayloads(): () => string | Buffer {
  if (kind === 'garbage') return () => 'x'.repeat(GARBAGE_BYTES);
  if (kind === 'lumps') return () => 'x'.repeat(LUMP_BYTES);
  const [count, step] = kind === 'batches' ? [40 * EVENTS, EVENTS] : [20_000, 1];
  const writer = meowing('porch', epochId(1), count);
  let chain = chainStart('porch', epochId(1));
  const payloads: Buffer[] = [];
  for (let from = 0; from < count; from += step) {
    const events = writer.events.slice(from, from + step);
    chain = chainOver(chain, events);
    payloads.push(Buffer.from(encodeBatch({ agent: 'porch', events, chain })));
  }
  let next = 0;
  return () => {
    next += 1;
    return payloads[(next - 1) % payloads.length] ?? '';
  };
}

const payload = createPayloads();
const client = await connectAsync(url, { protocolVersion: 5 });
const topic = agentTopic(DEFAULT_BASE_TOPIC, 'porch', 'events');
let sent = 0;
process.on('disconnect', () => process.exit(0));
setInterval(() => process.send?.(sent), 500);
const began = performance.now();
const publish = (then: () => void) =>
  client.publish(topic, payload(), { qos: 1 }, () => {
    sent += 1;
    then();
  });
if (rate === 'max') {
  const go = () => publish(() => setImmediate(go));
  for (let i = 0; i < WINDOW; i += 1) go();
} else {
  let [begun, underWay] = [0, 0];
  setInterval(() => {
    const due = (Number(rate) * (performance.now() - began)) / (kind === 'batches' ? EVENTS : 1) / 1_000;
    for (; begun < due && underWay < WINDOW; begun += 1) {
      underWay += 1;
      publish(() => {
        underWay -= 1;
      });
    }
  }, TICK_MS);
}
