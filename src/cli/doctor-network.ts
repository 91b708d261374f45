/** What `collard doctor` looks at over the network: the broker, central behind it, and central's own page. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { AgentConfig } from '../agent/config.ts';
import { brokerAddresses, isDiscovery } from '../broker/address.ts';
import { type Endpoint, reach } from '../broker/endpoint.ts';
import { findBrokers, noneFound } from '../broker/find.ts';
import type { CentralConfig } from '../central/config.ts';
import { etcdOf } from '../central/ownership/etcd-of.ts';
import { keysOf } from '../central/ownership/view.ts';
import { inspectStore } from '../central/store/inspect.ts';
import { isPlainAcrossNetwork, parseStoreUrl } from '../central/store/store-url.ts';
import { parseObject } from '../contract/message.ts';
import { centralStateTopic } from '../contract/topic.ts';
import { type LinkOptions, type MqttLink, openMqttLink } from '../lib/mqtt-link.ts';
import { checkRights, featureFindings } from './doctor-broker.ts';
import { checkCertificates, checkServerCertificate } from './doctor-certificates.ts';
import { type Finding, fail, messageOf, ok, warn } from './doctor-machine.ts';
import { explainStoreFile } from './store-failure.ts';

/** A retained message comes right after SUBACK. */
const ANSWER_MS = 3_000;
const CONNECT_MS = 5_000;

type MqttConfig = AgentConfig['mqtt'] | CentralConfig['mqtt'];

/** Each broker by itself, also those that are found. That one of several does not answer is what the others are for. */
export async function checkBrokers(mqtt: MqttConfig, askCentral: boolean, agent?: string): Promise<Finding[]> {
  let tls: Tls;
  try {
    tls = await readTls(mqtt);
  } catch (error) {
    return [fail('broker', messageOf(error), 'correct mqtt in the configuration')];
  }
  const found = await Promise.all(brokerAddresses(mqtt.url).map((address) => lookUp(address, mqtt, tls)));
  const endpoints = found.flatMap((one) => one.endpoints);
  const guest = { mqtt, tls, askCentral, agent };
  const checked = await Promise.all(endpoints.map((endpoint) => checkBroker(endpoint, guest)));
  const certificates = checkCertificates(tls, Date.now());
  const findings = [certificates, ...found.map((one) => one.findings), ...checked].flat();
  const isReached = findings.some(({ check, result }) => check === 'broker' && result === 'ok');
  const isSpare = ({ check, result }: Finding) => isReached && result === 'fail' && /^(?:broker|discover)$/.test(check);
  return findings.map((finding) => (isSpare(finding) ? { ...finding, result: 'warn' } : finding));
}

/** Of the broker that central brings along: while that is not running, there is none. */
export function startsWithCentral(finding: Finding): Finding {
  if (finding.check !== 'broker' || finding.result !== 'fail') return finding;
  return warn('broker', `the broker starts with central (now: ${finding.message})`, 'start central');
}

interface LookedUp {
  readonly endpoints: readonly Endpoint[];
  readonly findings: readonly Finding[];
}

async function lookUp(address: string, { discover }: MqttConfig, tls: Tls): Promise<LookedUp> {
  const fix = 'correct mqtt.url, or register the broker there: collard config check tells what is looked for';
  const parts = { discover, tls, random: Math.random };
  try {
    const { endpoints, refused } = await findBrokers(address, parts, AbortSignal.timeout(2 * CONNECT_MS));
    if (!isDiscovery(address)) return { endpoints, findings: [] };
    const left = refused.map((reason) => warn('discover', `${address}: ${reason}`, 'mend what is registered there'));
    const names = endpoints.map(({ url, servername }) => (servername === undefined ? url : `${url} (${servername})`));
    const all = names.length === 0 ? fail('discover', noneFound(address, refused).message, fix) : null;
    return { endpoints, findings: [all ?? ok('discover', `${address}: ${names.join(', ')}`), ...left] };
  } catch (error) {
    return { endpoints: [], findings: [fail('discover', messageOf(error), fix)] };
  }
}

interface Guest {
  readonly mqtt: MqttConfig;
  readonly tls: Tls;
  readonly askCentral: boolean;
  /** Whose rights are tried. */
  readonly agent: string | undefined;
}

/** Connects as a guest of its own name, so that no running agent loses its session. */
async function checkBroker(endpoint: Endpoint, { mqtt, tls, askCentral, agent }: Guest): Promise<Finding[]> {
  let link: MqttLink;
  try {
    link = await openGuest(mqtt, endpoint, tls);
  } catch (error) {
    return [fail('broker', messageOf(error), 'correct mqtt in the configuration, or start the broker')];
  }
  try {
    const found = ok('broker', `${new URL(endpoint.url).host} answers MQTT ${link.protocol}`);
    const central = askCentral ? [await checkCentral(link, mqtt.baseTopic)] : [];
    const rights = agent === undefined ? [] : await checkRights(link, mqtt.baseTopic, agent);
    const shown = await checkServerCertificate(endpoint, tls, Date.now());
    return [found, ...central, ...featureFindings(link), ...rights, ...(shown === null ? [] : [shown])];
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
    const ofFile = explainStoreFile(error, url.replace(/^sqlite:/, ''));
    if (ofFile !== null) return [fail('store', ofFile.message, ofFile.fix)];
    return [fail('store', messageOf(error), 'correct store in the configuration, or start the database')];
  }
}

type Tls = Pick<LinkOptions, 'ca' | 'cert' | 'key'>;

async function readTls(mqtt: MqttConfig): Promise<Tls> {
  const pem = async (key: 'ca' | 'cert' | 'key') => {
    const path = mqtt[key];
    if (path === undefined) return undefined;
    return readFile(path, 'utf8').catch((cause: unknown) => {
      throw new Error(`cannot read mqtt.${key}: ${messageOf(cause)}`, { cause });
    });
  };
  return { ca: await pem('ca'), cert: await pem('cert'), key: await pem('key') };
}

function openGuest(mqtt: MqttConfig, endpoint: Endpoint, tls: Tls): Promise<MqttLink> {
  const { username, password, keepaliveSeconds, connectTimeoutMs } = mqtt;
  const options = {
    ...tls,
    username,
    password,
    clientId: `collard-doctor-${randomUUID().slice(0, 8)}`,
    cleanStart: true,
    sessionExpirySeconds: 0,
    keepaliveSeconds,
    connectTimeoutMs: Math.min(CONNECT_MS, connectTimeoutMs),
    incomingLimit: 10,
  };
  return openMqttLink(reach(options, endpoint), AbortSignal.timeout(2 * CONNECT_MS));
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
export async function checkPage({ host, port }: Pick<CentralConfig['http'], 'host' | 'port'>): Promise<Finding> {
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

/** Each node of the etcd that shares the shards out, by itself: two of three are enough. Nothing where there is none. */
export async function checkEtcd({ workers, group }: Pick<CentralConfig, 'workers' | 'group'>): Promise<Finding[]> {
  const { root } = keysOf(group);
  const checked = (workers?.etcd ?? []).map(async (endpoint): Promise<Finding> => {
    try {
      const etcd = etcdOf(workers ?? {}, [endpoint], ANSWER_MS);
      const { entries } = await etcd.range(`${root}workers/`, AbortSignal.timeout(2 * ANSWER_MS));
      if (workers?.password !== undefined && isPlain(endpoint))
        return warn(
          'etcd',
          `${endpoint} is told the password without encryption`,
          'give it TLS, and workers.etcd https',
        );
      return ok('etcd', `${endpoint} answers: ${entries.length} workers of ${group} are registered`);
    } catch (error) {
      return fail('etcd', messageOf(error), 'start it, or correct workers.etcd and who asks there');
    }
  });
  const findings = await Promise.all(checked);
  const isReached = findings.some(({ result }) => result === 'ok');
  return findings.map((finding) => (isReached && finding.result === 'fail' ? { ...finding, result: 'warn' } : finding));
}

/** To another machine without TLS. */
function isPlain(endpoint: string): boolean {
  const { protocol, hostname } = new URL(endpoint);
  return protocol === 'http:' && hostname !== 'localhost' && hostname !== '[::1]' && !hostname.startsWith('127.');
}
