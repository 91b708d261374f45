/** What `collard doctor` looks at over the network: the broker, central behind it, and central's own page. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { AgentConfig } from '../agent/config.ts';
import { brokerAddresses } from '../broker/address.ts';
import type { CentralConfig } from '../central/config.ts';
import { inspectStore } from '../central/store/inspect.ts';
import { isPlainAcrossNetwork, parseStoreUrl } from '../central/store/store-url.ts';
import { parseObject } from '../contract/message.ts';
import { centralStateTopic } from '../contract/topic.ts';
import { type MqttLink, openMqttLink } from '../lib/mqtt-link.ts';
import { type Finding, fail, messageOf, ok, warn } from './doctor-machine.ts';

/** A retained message comes right after SUBACK. */
const ANSWER_MS = 3_000;
const CONNECT_MS = 5_000;

type MqttConfig = AgentConfig['mqtt'] | CentralConfig['mqtt'];

/** Each broker by itself. That one of several does not answer is what the others are for. */
export async function checkBrokers(mqtt: MqttConfig, askCentral: boolean): Promise<Finding[]> {
  const checked = await Promise.all(brokerAddresses(mqtt.url).map((url) => checkBroker({ ...mqtt, url }, askCentral)));
  const findings = checked.flat();
  const isReached = findings.some(({ check, result }) => check === 'broker' && result === 'ok');
  return findings.map((finding) => (isReached && finding.result === 'fail' ? { ...finding, result: 'warn' } : finding));
}

/** Connects as a guest of its own name, so that no running agent loses its session. */
export async function checkBroker(mqtt: MqttConfig, askCentral: boolean): Promise<Finding[]> {
  let link: MqttLink;
  try {
    link = await openGuest(mqtt);
  } catch (error) {
    return [fail('broker', messageOf(error), 'correct mqtt in the configuration, or start the broker')];
  }
  try {
    const found = ok('broker', `${new URL(mqtt.url).host} answers MQTT ${link.protocol}`);
    return askCentral ? [found, await checkCentral(link, mqtt.baseTopic)] : [found];
  } finally {
    await link.close();
  }
}

/** Reaches the database that central stores in, and changes nothing there. */
export async function checkDatabase(url: string, password: string | undefined): Promise<Finding[]> {
  try {
    const { name, pending, answerMs } = await inspectStore(url, password);
    const address = parseStoreUrl(url);
    const plain = typeof address !== 'string' && isPlainAcrossNetwork(address);
    const found = ok('store', `${name} is strict and durable, and answers in ${Math.ceil(answerMs)} ms`);
    const schema =
      pending.length === 0
        ? ok('store', 'its schema is the newest')
        : warn(
            'store',
            `${pending.length} changes of its schema are pending`,
            'collard central migrate, or start central',
          );
    const open = warn('store', 'what is sent to it is not encrypted', 'remove ssl=off from store.url');
    return plain ? [found, schema, open] : [found, schema];
  } catch (error) {
    return [fail('store', messageOf(error), 'correct store in the configuration, or start the database')];
  }
}

async function openGuest(mqtt: MqttConfig): Promise<MqttLink> {
  const pem = async (key: 'ca' | 'cert' | 'key') => {
    const path = mqtt[key];
    if (path === undefined) return undefined;
    return readFile(path, 'utf8').catch((cause: unknown) => {
      throw new Error(`cannot read mqtt.${key}: ${messageOf(cause)}`, { cause });
    });
  };
  return openMqttLink(
    {
      url: mqtt.url,
      clientId: `collard-doctor-${randomUUID().slice(0, 8)}`,
      username: mqtt.username,
      password: mqtt.password,
      ca: await pem('ca'),
      cert: await pem('cert'),
      key: await pem('key'),
      cleanStart: true,
      sessionExpirySeconds: 0,
      keepaliveSeconds: mqtt.keepaliveSeconds,
      connectTimeoutMs: Math.min(CONNECT_MS, mqtt.connectTimeoutMs),
      incomingLimit: 10,
    },
    AbortSignal.timeout(2 * CONNECT_MS),
  );
}

async function checkCentral(link: MqttLink, baseTopic: string): Promise<Finding> {
  const fix = 'start "collard central", or set forward.confirm: broker where there is none';
  try {
    await link.subscribe([centralStateTopic(baseTopic)]);
  } catch (error) {
    return warn('central', messageOf(error), 'let this user read that topic');
  }
  const [message] = await link.incoming.takeUpTo(1, AbortSignal.timeout(ANSWER_MS));
  message?.done();
  if (message === undefined) return warn('central', 'has never been at this broker', fix);
  return parseObject(message.payload)?.state === 'online'
    ? ok('central', 'is online')
    : warn('central', 'is offline: events wait in the log', fix);
}

/** Is central's page up? Not being so is no fault before its first start. */
export async function checkPage({ host, port }: CentralConfig['http']): Promise<Finding> {
  const name = host.includes(':') ? `[${host}]` : host;
  const url = `http://${name}:${port}/healthz`;
  try {
    const { ok: healthy, status } = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    return healthy
      ? ok('page', `${url} answers`)
      : fail('page', `${url} answers ${status}: another program may hold the port`, 'set http.port to a free one');
  } catch {
    return warn('page', `${url} does not answer`, 'start "collard central"');
  }
}
