/** What `collard doctor` tries out at a broker: what it can do, and what it lets an agent do. */
import { randomUUID } from 'node:crypto';
import { responseTopic } from '../contract/topic.ts';
import type { MqttLink } from '../lib/mqtt-link.ts';
import { type Finding, fail, ok, warn } from './doctor-machine.ts';

/** A batch of events is as large as this at most. */
const BATCH_BYTES = 256 * 1024;
/** Below this one event may not fit. */
const SMALL_BYTES = 16 * 1024;
const FEW_IN_FLIGHT = 10;
/** MQTT 5: not authorized. */
const NOT_AUTHORIZED = 0x87;
const ANSWER_MS = 3_000;

type Features = Pick<MqttLink, 'protocol' | 'receiveMaximum' | 'maxPacketBytes' | 'retains'>;

/** Of MQTT 5 only: 3.1.1 tells nothing of itself. */
export function featureFindings({ protocol, receiveMaximum, maxPacketBytes, retains }: Features): Finding[] {
  if (protocol !== '5') {
    return [ok('features', "MQTT 3.1.1 tells no limits, nor what it refuses: central's answers are what counts")];
  }
  const packet = Number.isFinite(maxPacketBytes) ? `packets of ${maxPacketBytes} bytes` : 'packets of any size';
  const text = `MQTT 5, ${packet}, ${receiveMaximum} at once, ${retains === false ? 'nothing' : 'messages'} retained`;
  const findings: Finding[] = [];
  const less = 'raise it at the broker (mosquitto: max_packet_size 524288)';
  if (maxPacketBytes < SMALL_BYTES) findings.push(fail('features', `${text}: larger events never get through`, less));
  else if (maxPacketBytes < BATCH_BYTES) findings.push(warn('features', `${text}: catching up takes longer`, less));
  if (receiveMaximum < FEW_IN_FLIGHT) {
    findings.push(
      warn('features', `${text}: catching up takes longer`, 'raise it (mosquitto: max_inflight_messages 20)'),
    );
  }
  if (retains === false) {
    const fix = 'allow them (mosquitto: retain_available true)';
    findings.push(fail('features', `${text}: nobody sees who is online, and cats do not reach dashboards`, fix));
  }
  return findings.length === 0 ? [ok('features', text)] : findings;
}

/** Writes where an agent answers requests that nobody has made: what no one reads. Of MQTT 5 only, where a refusal is told. */
export async function checkRights(
  link: Pick<MqttLink, 'protocol' | 'publish' | 'ended'>,
  base: string,
  agent: string,
): Promise<Finding[]> {
  if (link.protocol !== '5') return [];
  const may = (name: string) => mayPublish(link, responseTopic(base, name, 'doctor'));
  const own = await may(agent);
  if (own === null) return [];
  if (!own) {
    const fix =
      "let this user write below its own name: config/mosquitto/agents.acl; its user name must be the agent's";
    return [fail('rights', `the broker refuses what ${agent} writes`, fix)];
  }
  // A name that nobody has: no agent is disturbed.
  const other = await may(`doctor-${randomUUID().slice(0, 8)}`);
  if (other !== true) return [ok('rights', `${agent} may write its own topics, and nobody else's`)];
  const fix = 'bind each agent to its own name: config/mosquitto has such a broker';
  return [warn('rights', 'whoever is let in may write in the name of any agent', fix)];
}

/** Null where there is no answer. */
async function mayPublish(link: Pick<MqttLink, 'publish' | 'ended'>, topic: string): Promise<boolean | null> {
  const late = AbortSignal.timeout(ANSWER_MS);
  const gone = new Promise<null>((resolve) => late.addEventListener('abort', () => resolve(null), { once: true }));
  const sent = link.publish(topic, '{}', { qos: 1, retain: false }).then(
    (result) => result.ok || result.reasonCode !== NOT_AUTHORIZED,
    () => null,
  );
  return Promise.race([sent, gone]);
}
