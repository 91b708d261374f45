import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { READ_ONLY_DISK } from '../../src/agent/log/mount.ts';
import { openSigningKey } from '../../src/agent/publisher/signing-key.ts';
import { discoverSchema } from '../../src/broker/address.ts';
import {
  checkClock,
  checkFolder,
  checkGpio,
  checkKey,
  checkRuntime,
  checkSource,
  checkSqlite,
  kindFinding,
  roomFinding,
} from '../../src/cli/doctor-machine.ts';
import { checkBrokers, checkEtcd, checkPage } from '../../src/cli/doctor-network.ts';
import { centralStateTopic } from '../../src/contract/topic.ts';
import { etcdPath } from '../clusters/paths.ts';
import { startEtcd } from '../etcd/servers.ts';
import { freePort, requireServer, startAedes } from '../servers.ts';
import { collard } from './run.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-doctor-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mqttOf = (url: string) =>
  agentSchema.parse({ agent: 'a', sources: [{ file: 'x' }], log: { path: 'x' }, mqtt: { url } }).mqtt;
const sourceOf = (source: object) =>
  agentSchema.shape.sources.parse([source])[0] ?? expect.unreachable('the schema keeps its entries');

describe('the machine', () => {
  test.each([
    ['v24.21.0', 'ok'],
    ['v20.20.2', 'fail'],
  ])('Node.js %s is %s', (version, result) => {
    expect(checkRuntime(version).result).toBe(result);
  });

  test('a folder that is there and writable is ok, and its disk has so much room', async () => {
    const findings = await checkFolder(join(folder, 'events.db'));
    expect(findings.map(({ check }) => check)).toEqual(['folder', 'disk']);
    expect(findings[0]?.message).toContain(`${folder} is writable`);
  });

  test('a folder that is not there, or is none, fails with the command that makes it', async () => {
    const [missing] = await checkFolder(join(folder, 'none', 'events.db'));
    expect(missing).toMatchObject({ result: 'fail', fix: expect.stringContaining('install -d') });
    writeFileSync(join(folder, 'file'), '');
    expect((await checkFolder(join(folder, 'file', 'events.db')))[0]?.result).toBe('fail');
  });

  test('the mount that holds a folder is the longest one above it', async () => {
    const mounts = join(folder, 'mountinfo');
    const inner = join(folder, 'ram');
    mkdirSync(inner);
    const mount = (at: string, kind: string) => `41 26 7:0 / ${at} rw - ${kind} x rw\n`;
    writeFileSync(mounts, mount('/', 'ext4') + mount(inner, 'tmpfs') + mount(inner.slice(0, -1), 'nfs'));
    expect((await checkFolder(join(inner, 'e.db'), mounts))[0]).toMatchObject({ result: 'warn' });
    expect((await checkFolder(join(folder, 'e.db'), mounts))[0]?.message).toContain('on ext4');
  });

  test('a folder on a disk that was made read-only fails with that, whatever its rights are', async () => {
    const mounts = join(folder, 'mountinfo');
    writeFileSync(mounts, '41 26 7:0 / / rw - ext4 x rw,errors=remount-ro,emergency_ro\n');
    expect(await checkFolder(join(folder, 'e.db'), mounts)).toEqual([
      {
        check: 'folder',
        result: 'fail',
        message: `${folder} cannot be written to: ${READ_ONLY_DISK.what}`,
        fix: READ_ONLY_DISK.fix,
      },
    ]);
  });

  test.each([
    ['ext4', 'ok'],
    [null, 'ok'],
    ['tmpfs', 'warn'],
    ['overlay', 'warn'],
    ['nfs4', 'fail'],
  ])('a folder on %s is %s', (kind, result) => {
    expect(kindFinding('/x', kind).result).toBe(result);
  });

  test.each([
    [10_000_000, 'fail'],
    [100_000_000, 'warn'],
    [10_000_000_000, 'ok'],
  ])('%i free bytes are %s', (free, result) => {
    expect(roomFinding('/x', free).result).toBe(result);
  });

  test('SQLite is tried in a folder of its own, which is gone afterwards', async () => {
    const own = join(folder, 'sqlite');
    mkdirSync(own);
    expect(await checkSqlite(join(own, 'events.db'))).toMatchObject({
      check: 'sqlite',
      message: expect.stringContaining('synchronous=FULL'),
    });
    expect(readdirSync(own)).toEqual([]);
    expect((await checkSqlite(join(own, 'none', 'events.db'))).result).toBe('fail');
  });

  test('GPIO lines: free, held, not there, or to be had by gpiomon only', async () => {
    const dev = mkdtempSync(join(tmpdir(), 'collard-doctor-gpio-'));
    writeFileSync(join(dev, 'gpiochip3'), '');
    const request = { chip: 'auto', lines: [{ line: 4, bias: 'as-is', activeLow: false, debounceMs: 5 }] } as const;
    let label = 'pinctrl-rp1';
    let held = false;
    const system = {
      dev,
      ioctl(_fd: number, _request: number, bytes: Buffer) {
        if (bytes.length === 68) bytes.write(label, 32);
        if (bytes.length === 68) bytes.writeUInt32LE(54, 64);
        else if (held) bytes.writeBigUInt64LE(1n, 72);
        return null;
      },
      poll: async () => 0,
    };
    expect(await checkGpio(request, system)).toMatchObject({
      result: 'ok',
      message: expect.stringContaining('1 lines of'),
    });
    held = true;
    expect(await checkGpio(request, system)).toMatchObject({
      result: 'warn',
      message: expect.stringContaining('is held'),
    });
    label = 'other';
    expect(await checkGpio(request, system)).toMatchObject({
      result: 'fail',
      message: expect.stringContaining('other'),
    });
    expect(await checkGpio(request, null)).toMatchObject({ result: 'warn', fix: 'sudo apt-get install gpiod' });
    rmSync(dev, { recursive: true, force: true });
  });

  test('the clock is ok once it is set, and a warning before', async () => {
    const timesync = join(folder, 'timesync');
    mkdirSync(timesync);
    expect((await checkClock(timesync)).result).toBe('warn');
    writeFileSync(join(timesync, 'synchronized'), '');
    expect((await checkClock(timesync)).result).toBe('ok');
  });

  test('the signing key: none yet is ok, nothing is made; a damaged or open one is a warning; another file fails', async () => {
    const key = join(folder, 'agent.key');
    expect(await checkKey(key)).toMatchObject({ result: 'ok', message: `${key} will be made at the first start` });
    expect(existsSync(key)).toBe(false);
    const { keyId } = (await openSigningKey(key)).key;
    expect(await checkKey(key)).toMatchObject({ result: 'ok', message: `events are signed with key ${keyId}` });
    chmodSync(key, 0o644);
    expect(await checkKey(key)).toMatchObject({ result: 'warn', fix: `chmod 600 ${key}` });
    writeFileSync(key, '');
    expect(await checkKey(key)).toMatchObject({ result: 'warn', message: expect.stringContaining('is damaged') });
    expect(readFileSync(key, 'utf8')).toBe('');
    writeFileSync(key, '-----BEGIN CERTIFICATE-----\n');
    expect((await checkKey(key)).result).toBe('fail');
  });

  test('sources: a readable file is ok; a missing file, a missing port and a file as a port fail', async () => {
    const capture = join(folder, 'capture.jsonl');
    writeFileSync(capture, '');
    expect((await checkSource(sourceOf({ file: capture }))).result).toBe('ok');
    expect((await checkSource(sourceOf({ file: `${capture}x` }))).result).toBe('fail');
    expect((await checkSource(sourceOf({ serial: join(folder, 'ttyUSB0') }))).result).toBe('fail');
    expect((await checkSource(sourceOf({ serial: capture }))).result).toBe('fail');
    expect((await checkSource(sourceOf({ serial: '/dev/full' }))).result).toBe('ok');
  });

  test('a port that another program holds is a warning that names it: it may be the agent', async () => {
    const held = openSync('/dev/full', 'r');
    const holder = spawn('sleep', ['60'], { stdio: [held, 'ignore', 'ignore'] });
    closeSync(held);
    expect(await checkSource(sourceOf({ serial: '/dev/full' }))).toMatchObject({
      result: 'warn',
      message: expect.stringContaining('is held by'),
    });
    holder.kill();
  });
});

describe('the network', () => {
  test('a broker that nobody runs fails, and says where', async () => {
    const port = await freePort();
    const [broker] = await checkBrokers(mqttOf(`mqtt://127.0.0.1:${port}`), true);
    expect(broker).toMatchObject({ check: 'broker', result: 'fail', message: expect.stringContaining(`:${port}`) });
  });

  test('of several brokers each is checked: one that does not answer is a warning, unless none does', async () => {
    const { url, stop } = await startAedes();
    const dead = `mqtt://127.0.0.1:${await freePort()}`;
    const check = async (...urls: string[]) =>
      (await checkBrokers(mqttOf(urls.join(' ')), false))
        .filter(({ check: name }) => name === 'broker')
        .map(({ result, check: name }) => `${name} ${result}`);
    expect(await check(dead, url)).toEqual(['broker warn', 'broker ok']);
    await stop();
    expect(await check(dead, url)).toEqual(['broker fail', 'broker fail']);
  });

  test.skipIf(!requireServer('etcd', etcdPath, 'etcd-server'))(
    'what is found is listed and checked, what is left out is a warning, and nothing found is a failure',
    async () => {
      const [etcd, { url, stop }] = [await startEtcd(), await startAedes()];
      const mqtt = (discover: object) => ({
        ...mqttOf(`etcd+http://${etcd.host}`),
        discover: discoverSchema.parse(discover),
      });
      const check = async (discover: object) =>
        (await checkBrokers(mqtt(discover), false))
          .filter(({ check: name }) => name !== 'features')
          .map(({ result, message }) => `${result} ${message}`);
      const address = `etcd+http://${etcd.host}`;
      expect(await check({})).toEqual([`fail ${address} leads to no broker`]);
      await etcd.put('/collard/brokers/a', url);
      const why = `"${url}" has no TLS: mqtt.discover.plain allows such brokers`;
      expect(await check({})).toEqual([
        `fail ${address} leads to no broker (1 left out: ${why})`,
        `warn ${address}: ${why}`,
      ]);
      expect(await check({ plain: true })).toEqual([
        `ok ${address}: ${url}`,
        `ok ${new URL(url).host} answers MQTT 3.1.1`,
      ]);
      await stop();
      await etcd.stop();
      expect((await check({}))[0]).toMatch(/^fail .* cannot be looked up: .*ECONNREFUSED/);
    },
  );

  test('a port that speaks something else fails', async () => {
    const server = createTcpServer((socket) => socket.end('SSH-2.0-x\r\n')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const [broker] = await checkBrokers(mqttOf(`mqtt://127.0.0.1:${port}`), true);
    expect(broker?.result).toBe('fail');
    server.close();
  });

  test('a missing certificate fails and names its file', async () => {
    const mqtt = { ...mqttOf('mqtts://127.0.0.1:8883'), ca: join(folder, 'ca.pem') };
    const [broker] = await checkBrokers(mqtt, false);
    expect(broker).toMatchObject({ result: 'fail', message: expect.stringContaining('ca.pem') });
  });

  test.each([
    [null, 'warn', 'has never been'],
    ['offline', 'warn', 'is offline'],
    ['online', 'ok', 'is online'],
  ])('central that is %s is %s', async (state, result, message) => {
    const { url, broker, stop } = await startAedes();
    const mqtt = mqttOf(url);
    if (state !== null) {
      const topic = centralStateTopic(mqtt.baseTopic);
      const payload = Buffer.from(JSON.stringify({ state }));
      const packet = { cmd: 'publish', topic, payload, retain: true, qos: 1, dup: false } as const;
      await new Promise<void>((done) => broker.publish(packet, () => done()));
    }
    const findings = await checkBrokers(mqtt, true);
    expect(findings[0]).toMatchObject({ check: 'broker', result: 'ok', message: expect.stringContaining('3.1.1') });
    expect(findings[1]).toMatchObject({ check: 'central', result, message: expect.stringContaining(message) });
    await stop();
  });

  test.skipIf(!requireServer('etcd', etcdPath, 'etcd-server'))('each node of etcd is looked at', async () => {
    const server = await startEtcd();
    const gone = `http://127.0.0.1:${await freePort()}`;
    const check = (...etcd: string[]) => checkEtcd({ group: 'central', workers: { etcd, leaseSeconds: 10 } });
    await server.put('/collard/central/workers/7', '{}');
    const found = expect.stringContaining('1 workers of central are registered');
    expect(await check(server.url, gone)).toMatchObject([
      { check: 'etcd', result: 'ok', message: found },
      { check: 'etcd', result: 'warn', message: expect.stringContaining(gone) },
    ]);
    expect(await check(gone)).toMatchObject([{ result: 'fail', fix: expect.stringContaining('workers.etcd') }]);
    expect(await checkEtcd({ group: 'central', workers: undefined })).toEqual([]);
    await server.stop();
  });

  test('the page is ok where it answers, a failure where another program does, a warning where nobody does', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/healthz' ? 200 : 404).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect((await checkPage({ host: '127.0.0.1', port })).result).toBe('ok');
    server.removeAllListeners('request').on('request', (_request, response) => response.writeHead(404).end());
    expect((await checkPage({ host: '127.0.0.1', port })).result).toBe('fail');
    server.close();
    expect((await checkPage({ host: '127.0.0.1', port: await freePort() })).result).toBe('warn');
  });
});

describe('the command', () => {
  test('exits with 1 where a check fails, and each line that is not ok has a fix', async () => {
    const config = join(folder, 'agent.yaml');
    const port = await freePort();
    const text = `agent: a\nsources: [{serial: ${folder}/tty}]\nlog: {path: ${folder}/e.db}\nmqtt: {url: "mqtt://127.0.0.1:${port}"}\n`;
    writeFileSync(config, text);
    const { status, stdout } = await collard(['doctor', '--config', config, '--json']);
    const { ok, checks } = JSON.parse(stdout) as {
      ok: boolean;
      checks: { check: string; result: string; fix: string }[];
    };
    expect({ status, ok }).toEqual({ status: 1, ok: false });
    const failed = checks.filter(({ result }) => result === 'fail').map(({ check }) => check);
    expect(failed).toEqual(expect.arrayContaining(['source', 'broker']));
    expect(checks.every(({ result, fix }) => result === 'ok' || fix.length > 0)).toBe(true);
  });

  test('tells the faults of a configuration among its lines', async () => {
    const config = join(folder, 'bad.yaml');
    writeFileSync(config, 'agent: a b\n');
    const { status, stdout } = await collard(['doctor', '--config', config]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^fail {2}config {4}\S+bad\.yaml:1:8 {2}agent: expected/m);
    expect(stdout).not.toContain('\u001b');
  });
});
