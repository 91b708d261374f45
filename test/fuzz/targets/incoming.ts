/** A message off the broker: the first line is its topic, the rest its payload. */
import { decodeIncoming } from '../../../src/central/subscriber/message.ts';
import { decodeHeard, MAX_HEARD_COLLARS } from '../../../src/contract/message.ts';
import { agentTopic, CENTRAL_AGENT } from '../../../src/contract/topic.ts';
import { bytes, type FuzzTarget, hold } from '../target.ts';
import { CHAIN, EPOCH, MESSAGE_WORDS } from './message.ts';

const BASE = 'collard/v1';

export function open(): FuzzTarget {
  const message = (channel: Parameters<typeof agentTopic>[2], payload: string, agent = 'porch') =>
    bytes(`${agentTopic(BASE, agent, channel)}\n${payload}`);
  const event = `{"specversion":"1.0","id":"${EPOCH}/1","source":"/collard/agent/porch","type":"x","time":"2026-11-23T06:14:09.842Z","dataschema":"urn:x:1","epoch":"${EPOCH}","seq":1,"clock":"synced","data":{},"chain":"${CHAIN}"}`;
  return {
    seeds: [
      message('events', `[${event}]`),
      message('backlog', `[${event}]`, 'shed'),
      message('sync', `{"epoch":"${EPOCH}","firstSeq":3,"lastSeq":9,"chain":"${CHAIN}"}`),
      message('state', '{"state":"online","session":42,"version":"0.1.0"}'),
      message('health', '{"collars":[{"collar":"A","lastHeard":"2026-11-23T07:14:09+01:00"},{"collar":7}]}'),
      message('health', ''),
      // Deep enough to overflow the stack of whoever writes it again.
      message('health', `{"a":${'['.repeat(6_000)}${']'.repeat(6_000)}}`),
      message('events', `[${event.replace('{}', `${'{"a":'.repeat(3_000)}1${'}'.repeat(3_000)}`)}]`),
      message('events', '[]', CENTRAL_AGENT),
      bytes('collard/v1/s00/a/request/x\n{}'),
    ],
    words: [
      ...MESSAGE_WORDS,
      'events',
      'backlog',
      'sync',
      'state',
      'health',
      '/',
      '"collars":',
      '"collar":"A"',
      '"lastHeard":',
    ],
    maxBytes: 20_000,
    run(input) {
      const at = input.indexOf(0x0a);
      const topic = Buffer.from(input.subarray(0, at < 0 ? input.length : at)).toString('utf8');
      const received = decodeIncoming(BASE, { topic, payload: Buffer.from(at < 0 ? [] : input.subarray(at + 1)) });
      switch (received.type) {
        case 'batch':
          return hold(topic.split('/')[3] === received.batch.agent, () => `${received.batch.agent} spoke on ${topic}`);
        case 'health': {
          // As the store keeps it.
          hold(JSON.stringify(received.health).length < 2 * input.length, () => 'health has grown');
          const heard = decodeHeard(received.health);
          hold(heard.length <= MAX_HEARD_COLLARS, () => `${heard.length} collars`);
          for (const { collar, lastHeard } of heard) {
            hold(
              collar.length <= 64 && new Date(lastHeard).toISOString() === lastHeard,
              () => `${collar} at ${lastHeard}`,
            );
          }
          return;
        }
        case 'unreadable':
          return hold(received.reason.length < 1_000, () => `a reason of ${received.reason.length} characters`);
        default:
      }
    },
  };
}
