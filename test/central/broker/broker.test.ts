import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { expect, onTestFinished, test } from 'vitest';
import { MAX_QUEUED_BYTES } from '../../../src/central/broker/bounded.ts';
import { type Broker, type BrokerConfig, openBroker } from '../../../src/central/broker/broker.ts';
import { MAX_FIRST_BYTES, MAX_PACKET_BYTES } from '../../../src/central/broker/packet-limit.ts';
import { agentTopic } from '../../../src/contract/topic.ts';
import { createAuthority } from '../../lib/certificates.ts';
import { opensslPath, requireServer, until } from '../../servers.ts';

const BASE = 'collard/v1';
const accounts = [
  { name: 'porch', may: 'agent', password: 'p' },
  { name: 'shed', may: 'agent', password: 's' },
  { name: 'wall', may: 'watch', password: 'w' },
  { name: 'home', may: 'home', password: 'h' },
] as const;

interface Opened extends Broker {
  readonly told: string[];
  readonly dropped: number[];
  readonly url: string;
}

async function open(changes: Partial<BrokerConfig> = {}): Promise<Opened> {
  const told: string[] = [];
  const dropped: number[] = [];
  const broker = await openBroker(
    { host: '127.0.0.1', port: 0, openHere: false, accounts, ...changes },
    {
      topics: { base: BASE, prefix: 'homeassistant', birth: 'homeassistant/status' },
      isPassword: async (password, hash) => password === hash,
      nobody: async () => 'none',
      limit: { take: () => null, forget: () => undefined },
      logger: { info: () => undefined, warn: (text: string) => told.push(text) } as never,
      nowMs: () => 0,
      dropped: (messages) => void dropped.push(messages),
    },
  );
  onTestFinished(broker.close);
  return { ...broker, told, dropped, url: `mqtt://127.0.0.1:${broker.port}` };
}

async function client(url: string, username?: string, password?: string, more: IClientOptions = {}) {
  const login = username === undefined ? {} : { username, password: password ?? '' };
  const made = await mqtt.connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0, ...login, ...more });
  onTestFinished(() => void made.end(true));
  return made;
}

/** However it ends. */
function closed(of: { on(event: 'close' | 'error', heard: () => void): unknown }): Promise<void> {
  of.on('error', () => undefined);
  return new Promise((resolve) => void of.on('close', resolve));
}

function heard(of: MqttClient): string[] {
  const topics: string[] = [];
  of.on('message', (topic) => void topics.push(topic));
  return topics;
}

test('without the right password nobody comes in, and central itself does', async () => {
  const { url, told, link } = await open();
  await expect(client(url)).rejects.toThrow('Not authorized');
  await expect(client(url, 'porch', 'wrong')).rejects.toThrow('Not authorized');
  expect(told).toContainEqual('the broker refuses "porch" from 127.0.0.1: wrong user name or password');
  await client(url, 'porch', 'p');
  await client(link.url, link.username, link.password);
});

test('this machine needs no account where that is so configured', async () => {
  const { url } = await open({ openHere: true });
  const local = await client(url);
  const topics = heard(local);
  await local.subscribeAsync('#', { qos: 1 });
  await local.publishAsync(agentTopic(BASE, 'porch', 'events'), 'x', { qos: 1 });
  await until('it hears', () => topics.length === 1, 30_000);
});

test('an agent writes in its own name only, and hears nothing that is for others', async () => {
  const { url, link, told } = await open();
  const central = await client(link.url, link.username, link.password);
  const arrived = heard(central);
  await central.subscribeAsync(`${BASE}/+/+/events`, { qos: 1 });
  const porch = await client(url, 'porch', 'p');
  const topics = heard(porch);
  await porch.subscribeAsync('#', { qos: 1 });
  await expect(porch.subscribeAsync(agentTopic(BASE, 'shed', 'stored'), { qos: 1 })).rejects.toThrow();
  await porch.publishAsync(agentTopic(BASE, 'porch', 'events'), 'x', { qos: 1 });
  for (const name of ['shed', 'porch']) await central.publishAsync(agentTopic(BASE, name, 'stored'), 'x', { qos: 1 });
  await until('both arrive', () => arrived.length === 1 && topics.length === 1, 30_000);
  expect(topics).toEqual([agentTopic(BASE, 'porch', 'stored')]);
  // 3.1.1 has no word for it: the connection ends.
  const gone = closed(porch);
  porch.publish(agentTopic(BASE, 'shed', 'events'), 'forged', { qos: 1 });
  await gone;
  await central.publishAsync(agentTopic(BASE, 'porch', 'stored'), 'x', { qos: 1 });
  expect(arrived).toEqual([agentTopic(BASE, 'porch', 'events')]);
  expect(told.some((text) => text.includes('refuses what porch/') && text.endsWith('/shed/events'))).toBe(true);
});

test('the will of an agent is its own: on the topic of another it is refused', async () => {
  const { url, link, told } = await open();
  const central = await client(link.url, link.username, link.password);
  const topics = heard(central);
  await central.subscribeAsync(`${BASE}/#`, { qos: 1 });
  const willOf = (name: string, last: 'state' | 'stored') => ({
    will: { topic: agentTopic(BASE, name, last), payload: Buffer.from('gone'), qos: 1 as const, retain: true },
  });
  for (const foreign of [willOf('porch', 'state'), willOf('shed', 'stored')]) {
    const shed = await client(url, 'shed', 's', foreign);
    shed.stream.destroy();
    await until('it is refused', () => told.some((text) => text.endsWith(foreign.will.topic)), 30_000);
  }
  const shed = await client(url, 'shed', 's', willOf('shed', 'state'));
  shed.stream.destroy();
  await until('its own will is said', () => topics.length > 0, 30_000);
  expect(topics).toEqual([agentTopic(BASE, 'shed', 'state')]);
});

test('a client id belongs to its account: another with the same id throws nobody out and inherits nothing', async () => {
  const { url, link } = await open();
  const central = await client(link.url, link.username, link.password);
  const options = { clientId: 'collard-agent-porch', clean: false };
  const porch = await client(url, 'porch', 'p', options);
  await porch.subscribeAsync(agentTopic(BASE, 'porch', 'stored'), { qos: 1 });
  const topics = heard(porch);
  const shed = await client(url, 'shed', 's', options);
  const foreign = heard(shed);
  await central.publishAsync(agentTopic(BASE, 'porch', 'stored'), 'x', { qos: 1 });
  await until('it is still there', () => topics.length === 1, 30_000);
  expect(foreign).toEqual([]);
});

test('what is retained is there for who comes later, as far as it may be read', async () => {
  const { url, link } = await open();
  const central = await client(link.url, link.username, link.password);
  await central.publishAsync(`${BASE}/cat/1`, 'Mia', { qos: 1, retain: true });
  await central.publishAsync(`${BASE}/central/state`, 'x', { qos: 1, retain: true });
  const [wall, porch] = [await client(url, 'wall', 'w'), await client(url, 'porch', 'p')];
  const topics = [heard(wall), heard(porch)];
  for (const one of [wall, porch]) await one.subscribeAsync(`${BASE}/#`, { qos: 1 });
  await until('both hear', () => topics[0]?.length === 2 && topics[1]?.length === 1, 30_000);
  expect(topics[1]).toEqual([`${BASE}/central/state`]);
});

test('a session of a client that is away gets its messages when it comes back', async () => {
  const { url, link } = await open();
  const central = await client(link.url, link.username, link.password);
  const options = { clientId: 'p', clean: false };
  const first = await client(url, 'porch', 'p', options);
  await first.subscribeAsync(agentTopic(BASE, 'porch', 'stored'), { qos: 1 });
  await first.endAsync();
  await central.publishAsync(agentTopic(BASE, 'porch', 'stored'), 'x', { qos: 1 });
  const again = mqtt.connect(url, {
    ...options,
    protocolVersion: 4,
    username: 'porch',
    password: 'p',
    reconnectPeriod: 0,
  });
  onTestFinished(() => void again.end(true));
  const topics = heard(again);
  await until('it comes', () => topics.length === 1, 30_000);
});

test('what is beyond the limit of a client that is away is counted, and told once', async () => {
  const { url, link, told, dropped } = await open();
  const central = await client(link.url, link.username, link.password);
  const porch = await client(url, 'porch', 'p', { clientId: 'collard-agent-porch', clean: false });
  await porch.subscribeAsync(agentTopic(BASE, 'porch', 'stored'), { qos: 1 });
  await porch.endAsync();
  const half = Buffer.alloc(MAX_PACKET_BYTES - 200);
  const fits = Math.floor(MAX_QUEUED_BYTES / half.length);
  for (let i = 0; i < fits + 2; i += 1)
    await central.publishAsync(agentTopic(BASE, 'porch', 'stored'), half, { qos: 1 });
  expect(dropped).toEqual([1, 1]);
  expect(told.filter((text) => text.includes('keeps no more messages'))).toHaveLength(1);
});

test('a packet that is too long ends its connection: of a stranger a short one, of a member one beyond a batch', async () => {
  const { url, port } = await open();
  const stranger = connectSocket(port, '127.0.0.1');
  const gone = closed(stranger);
  // CONNECT, and that so many bytes follow.
  const length = MAX_FIRST_BYTES + 1;
  stranger.write(Buffer.from([0x10, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14]));
  await gone;
  const home = await client(url, 'home', 'h');
  await home.publishAsync('a/b', Buffer.alloc(MAX_PACKET_BYTES - 100), { qos: 1 });
  const ended = closed(home);
  home.publish('a/b', Buffer.alloc(MAX_PACKET_BYTES), { qos: 1 });
  await ended;
});

test.skipIf(!requireServer('openssl', opensslPath))(
  'TLS has a listener of its own, with the certificate that is given',
  async () => {
    const authority = createAuthority();
    const folder = mkdtempSync(join(tmpdir(), 'collard-broker-'));
    onTestFinished(() => {
      authority.remove();
      rmSync(folder, { recursive: true, force: true });
    });
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    const pair = authority.issue('127.0.0.1');
    writeFileSync(files.cert, pair.cert);
    writeFileSync(files.key, pair.key);
    const { tlsPort } = await open({ tls: { host: '127.0.0.1', port: 0, ...files } });
    await client(`mqtts://127.0.0.1:${tlsPort}`, 'porch', 'p', { ca: authority.ca });
    await expect(client(`mqtts://127.0.0.1:${tlsPort}`, 'porch', 'p')).rejects.toThrow(/certificate/);
    await expect(open({ tls: { host: '127.0.0.1', port: 0, cert: '/none', key: '/none' } })).rejects.toThrow('ENOENT');
  },
);

test('a port that is in use is told with its fix, and nothing stays open', async () => {
  const { port } = await open();
  const error = await open({ port }).catch((failure: unknown) => failure);
  expect(error).toMatchObject({ code: 'EADDRINUSE', message: expect.stringContaining('broker.enabled: false') });
});
