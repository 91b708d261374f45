/** From `mqtt.url` to a link: real brokers, found by a real DNS server and a real etcd. */
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type DiscoverConfig, discoverSchema } from '../../src/broker/address.ts';
import { openBrokers } from '../../src/broker/open-broker.ts';
import { type LinkOptions, type MqttLink, openMqttLink } from '../../src/lib/mqtt-link.ts';
import { etcdPath } from '../clusters/paths.ts';
import { startEtcd } from '../etcd/servers.ts';
import { type Authority, createAuthority } from '../lib/certificates.ts';
import { freePort, mosquittoPath, opensslPath, requireServer, startMosquitto } from '../servers.ts';
import { dnsmasqPath, startDns } from './servers.ts';

const never = new AbortController().signal;
const hasBroker = requireServer('mosquitto', mosquittoPath) && requireServer('openssl', opensslPath);
const hasDns = requireServer('dnsmasq', dnsmasqPath, 'dnsmasq-base');
const hasEtcd = requireServer('etcd', etcdPath, 'etcd-server');

let authority: Authority;
let folder = '';
beforeAll(async () => {
  if (!hasBroker) return;
  authority = createAuthority();
  folder = await mkdtemp(join(tmpdir(), 'collard-discovery-'));
});
afterAll(async () => {
  if (!hasBroker) return;
  authority.remove();
  await rm(folder, { recursive: true });
});

/** How a client with these rules opens links; every URL that was tried, and whether with a password. */
function client(discover: Partial<DiscoverConfig>) {
  const tried: string[] = [];
  const open = openBrokers({
    openLink: (options, signal) => {
      tried.push(`${options.url}${options.password === undefined ? '' : ' with password'}`);
      return openMqttLink(options, signal);
    },
    discover: discoverSchema.parse(discover),
    monoNow: () => performance.now(),
    random: () => 0,
  });
  const options = {
    clientId: 'c',
    username: 'porch',
    password: 'secret',
    cleanStart: true,
    sessionExpirySeconds: 0,
    keepaliveSeconds: 10,
    connectTimeoutMs: 5_000,
    incomingLimit: 10,
  };
  return {
    tried,
    async open(url: string, more: Partial<LinkOptions> = {}): Promise<MqttLink> {
      const link = await open({ ...options, url, ...more }, never);
      onTestFinished(() => link.close());
      return link;
    },
  };
}

async function broker(lines: readonly string[] = []) {
  const started = await startMosquitto(lines);
  onTestFinished(() => started.stop());
  return started;
}

/** One that shows a certificate of this name. */
async function secureBroker(name: string) {
  const port = await freePort();
  const { cert, key } = authority.issue(name);
  const at = (what: string) => join(folder, `${port}.${what}`);
  writeFileSync(at('pem'), cert);
  writeFileSync(at('key'), key);
  writeFileSync(at('ca'), authority.ca);
  const tls = [`certfile ${at('pem')}`, `keyfile ${at('key')}`, `cafile ${at('ca')}`];
  return broker([`listener ${port} 127.0.0.1`, 'allow_anonymous true', ...tls]);
}

describe.skipIf(!(hasBroker && hasDns))('brokers by DNS', () => {
  async function dns(...lines: string[]) {
    const server = await startDns(lines);
    onTestFinished(() => server.kill());
    return server;
  }
  const srv = (service: string, target: string, port: number, priority = 0) =>
    `srv-host=${service}._tcp.example.test,${target},${port},${priority},0`;
  const here = (name: string) => `host-record=${name},127.0.0.1`;

  test('the certificate must be of the target below the domain; one that shows another is passed over', async () => {
    const wrong = await secureBroker('other.example.test');
    const right = await secureBroker('b2.example.test');
    const { address } = await dns(
      srv('_secure-mqtt', 'b1.example.test', wrong.port, 1),
      srv('_secure-mqtt', 'b2.example.test', right.port, 2),
      here('b1.example.test'),
      here('b2.example.test'),
    );
    const { open, tried } = client({ dns: address });
    await open('srv://example.test', { ca: authority.ca });
    expect(tried).toEqual([wrong.port, right.port].map((port) => `mqtts://127.0.0.1:${port} with password`));
  });

  test('a target elsewhere is one only with a certificate of the domain, whatever it is called', async () => {
    const evil = await secureBroker('evil.test');
    const { address } = await dns(srv('_secure-mqtt', 'evil.test', evil.port), here('evil.test'));
    const opening = client({ dns: address }).open('srv://example.test', { ca: authority.ca });
    await expect(opening).rejects.toMatchObject({ code: 'TLS', message: expect.stringContaining('for another name') });
    const hosted = await secureBroker('example.test');
    const other = await dns(srv('_secure-mqtt', 'hosted.test', hosted.port), here('hosted.test'));
    await client({ dns: other.address }).open('srv://example.test', { ca: authority.ca });
  });

  test('no plain text where that is not allowed; where it is, no password, unless that is too', async () => {
    const plain = await broker();
    const { address } = await dns(srv('_mqtt', 'b.example.test', plain.port), here('b.example.test'));
    const strict = client({ dns: address });
    await expect(strict.open('srv://example.test')).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: 'srv://example.test leads to no broker',
    });
    expect(strict.tried).toEqual([]);
    const allowed = client({ dns: address, plain: true });
    await allowed.open('srv://example.test');
    const all = client({ dns: address, plain: true, plainPassword: true });
    await all.open('srv://example.test');
    const url = `mqtt://127.0.0.1:${plain.port}`;
    expect([allowed.tried, all.tried]).toEqual([[url], [`${url} with password`]]);
  });

  test('DNS goes away: what it said last still holds; a broker that is named beside it needs no DNS', async () => {
    const one = await broker();
    const server = await dns(srv('_mqtt', 'b.example.test', one.port), here('b.example.test'));
    const { open, tried } = client({ dns: server.address, plain: true });
    await (await open('srv://example.test')).close();
    await server.kill();
    await open('srv://example.test');
    expect(tried).toHaveLength(2);
    const other = client({ dns: server.address, plain: true });
    await expect(other.open('srv://example.test')).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(/^srv:\/\/example.test cannot be looked up: .*ECONNREFUSED/),
    });
    await other.open(`srv://example.test mqtt://127.0.0.1:${one.port}`);
    expect(other.tried).toEqual([`mqtt://127.0.0.1:${one.port} with password`]);
  });
});

describe.skipIf(!(hasBroker && hasEtcd))('brokers by etcd', () => {
  test('a broker that is withdrawn is left for another one; the last one that is withdrawn is not', async () => {
    const etcd = await startEtcd();
    onTestFinished(() => etcd.stop());
    const [one, two] = [await broker(), await broker()];
    await etcd.put('/collard/brokers/1', one.url, await etcd.lease(1));
    await etcd.put('/collard/brokers/2', two.url);
    const { open, tried } = client({ plain: true });
    const address = `etcd+http://${etcd.host}`;
    // The lease dies with whoever registered the first.
    const first = await open(address);
    expect(await first.ended).toBeNull();
    const second = await open(address);
    let isOver = false;
    void second.ended.finally(() => {
      isOver = true;
    });
    await etcd.remove('/collard/brokers/2');
    await second.publish('x', 'y', { qos: 1, retain: false });
    expect([isOver, tried]).toEqual([false, [one.url, two.url]]);
    await expect(open(address)).rejects.toThrow(`${address} leads to no broker`);
  });

  test('what is registered there without TLS, or is no broker, is left out, and the reason is told', async () => {
    const etcd = await startEtcd();
    onTestFinished(() => etcd.stop());
    await etcd.put('/b/1', 'mqtt://127.0.0.1:1');
    await etcd.put('/b/2', 'http://127.0.0.1:1');
    const opening = client({}).open(`etcd+http://${etcd.host}/b`);
    await expect(opening).rejects.toThrow(
      'leads to no broker (2 left out: "mqtt://127.0.0.1:1" has no TLS: mqtt.discover.plain allows such brokers)',
    );
  });
});
