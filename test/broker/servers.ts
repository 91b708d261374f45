/** A DNS server and an etcd of the test's own, on free ports of 127.0.0.1. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, freePort, until } from '../servers.ts';

export const dnsmasqPath = findProgram('dnsmasq');
export const etcdPath = findProgram('etcd');

interface Running {
  kill(): Promise<void>;
}

/** Its output is kept for the message if it ends while it starts. */
async function start(path: string, args: readonly string[], isUp: () => Promise<boolean>): Promise<Running> {
  const child = spawn(path, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const orphan = () => child.kill('SIGKILL');
  process.once('exit', orphan);
  child.once('exit', () => process.removeListener('exit', orphan));
  let told = '';
  child.stderr?.on('data', (text) => {
    told = (told + text).slice(-2_000);
  });
  await until(`${path} answers`, async () => {
    if (child.exitCode !== null) throw new Error(`${path} ended with ${child.exitCode}: ${told}`);
    return isUp();
  });
  return { kill: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

export interface DnsServer extends Running {
  /** `127.0.0.1:port`, for `mqtt.discover.dns`. */
  readonly address: string;
  /** The same port with other records. */
  restart(lines: readonly string[]): Promise<void>;
}

/** `lines` are options of dnsmasq: `srv-host=_mqtt._tcp.example.test,b1.example.test,1883,0,0`. Everything else is unknown to it. */
export async function startDns(lines: readonly string[]): Promise<DnsServer> {
  const port = await freePort();
  const args = (records: readonly string[]) => [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--pid-file=',
    `--port=${port}`,
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    '--no-resolv',
    '--no-hosts',
    '--local=/test/',
    '--user=root',
    '--group=root',
    '--log-facility=-',
    '--host-record=up.test,127.0.0.1',
    ...records.map((record) => `--${record}`),
  ];
  const isUp = async () => {
    const resolver = new Resolver({ timeout: 500, tries: 1 });
    resolver.setServers([`127.0.0.1:${port}`]);
    return resolver.resolve4('up.test').then(
      () => true,
      () => false,
    );
  };
  const boot = (records: readonly string[]) => start(dnsmasqPath ?? 'dnsmasq', args(records), isUp);
  let running = await boot(lines);
  return {
    address: `127.0.0.1:${port}`,
    kill: () => running.kill(),
    async restart(records) {
      await running.kill();
      running = await boot(records);
    },
  };
}

export interface EtcdServer {
  readonly url: string;
  readonly host: string;
  call(path: string, body: object): Promise<Record<string, unknown>>;
  put(key: string, value: string, lease?: string): Promise<void>;
  remove(key: string): Promise<void>;
  /** A lease that nobody keeps alive. */
  lease(seconds: number): Promise<string>;
  kill(): Promise<void>;
  /** `anew`: as one that knows nothing. */
  restart(anew?: boolean): Promise<void>;
  stop(): Promise<void>;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

export async function startEtcd(): Promise<EtcdServer> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-etcd-'));
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const at = `http://127.0.0.1:${peer}`;
  const args = ['--name=one', `--data-dir=${folder}`, '--log-level=error', '--unsafe-no-fsync'];
  const addresses = [`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`, `--listen-peer-urls=${at}`];
  const cluster = [`--initial-advertise-peer-urls=${at}`, `--initial-cluster=one=${at}`];
  const isUp = async () =>
    fetch(`${url}/health`).then(
      async (answer) => (await answer.text()).includes('true'),
      () => false,
    );
  const boot = () => start(etcdPath ?? 'etcd', [...args, ...addresses, ...cluster], isUp);
  let running = await boot();
  const call = async (path: string, body: object) => {
    const answer = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Record<string, unknown>;
  };
  return {
    url,
    host: `127.0.0.1:${client}`,
    call,
    async put(key, value, lease) {
      await call('/v3/kv/put', { key: base64(key), value: base64(value), ...(lease === undefined ? {} : { lease }) });
    },
    async remove(key) {
      await call('/v3/kv/deleterange', { key: base64(key) });
    },
    async lease(seconds) {
      return String((await call('/v3/lease/grant', { TTL: seconds })).ID);
    },
    kill: () => running.kill(),
    async restart(anew = false) {
      if (anew) rmSync(join(folder, 'member'), { recursive: true, force: true });
      running = await boot();
    },
    async stop() {
      await running.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
