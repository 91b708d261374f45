/** Three agents, a broker or a cluster of them, a cluster of databases, and central as one process or several. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Galera, startGalera } from '../clusters/galera.ts';
import type { ClusterNode } from '../clusters/node.ts';
import { startEtcd } from '../etcd/servers.ts';
import { freePort, until } from '../servers.ts';
import { agentBin } from './house.ts';
import { createPort } from './readings.ts';
import { createSupervised, type Supervised } from './supervised.ts';

const run = promisify(execFile);
/** Each has a shard of its own. */
export const AGENTS = ['porch', 'shed', 'attic'] as const;
/** Collars of the readings that a cat wears: what the others say is of no cat. */
const CATS = ['CAT0', 'CAT5'] as const;
const READY_MS = 120_000;
export const DATABASE = 'cats';

/** Brokers as one thing that clients are told of. */
export interface Brokers {
  readonly nodes: readonly Pick<ClusterNode, 'name' | 'start' | 'kill'>[];
  readonly urls: readonly string[];
  close(): Promise<void>;
}

export interface FleetOptions {
  readonly folder: string;
  readonly brokers: Brokers;
  /** Processes of central. One alone owns all shards by itself; several share them by etcd. */
  readonly workers: number;
  /** Of all agents; asked again and again. */
  readonly eventsPerSecond: () => number;
  readonly confirm: 'store' | 'broker';
}

export interface Fleet {
  readonly folder: string;
  readonly brokers: Brokers;
  readonly database: Galera;
  readonly databaseUrl: string;
  readonly agents: readonly Supervised[];
  readonly centrals: readonly Supervised[];
  readonly centralYaml: string;
  logPath(agent: string): string;
  /** Readings that were written so far, each with a number of its own. */
  readonly written: number;
  /** No more readings. */
  quiet(): void;
  collard(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  close(): Promise<void>;
}

/** Resolves when central is ready and the cats have their collars. The brokers are closed with it. */
export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const { folder, brokers } = options;
  const database = await startGalera();
  const etcd = options.workers > 1 ? await startEtcd(1) : null;
  await database.run(`create database ${DATABASE}`);
  const databaseUrl = database.url(DATABASE);
  const mqtt = `url: ${JSON.stringify(brokers.urls)}, retryFirstMs: 100, retryMaxMs: 1000, keepaliveSeconds: 10`;
  const httpPorts = await Promise.all(Array.from({ length: options.workers }, () => freePort()));
  const configOf = (no: number) => {
    const path = join(folder, `central-${no}.yaml`);
    const lines = [`store: { url: "${databaseUrl}" }`, `mqtt: { ${mqtt} }`, `http: { port: ${httpPorts[no]} }`];
    const shared = etcd === null ? [] : [`workers: { etcd: ${JSON.stringify(etcd.urls)}, leaseSeconds: 5 }`];
    writeFileSync(path, [...lines, ...shared, ''].join('\n'));
    return path;
  };
  const program = (name: string, ...args: readonly string[]) =>
    createSupervised({ name, log: join(folder, `${name}.log`), command: [process.execPath, agentBin, ...args] });
  const centrals = Array.from({ length: options.workers }, (_, no) => {
    const more = etcd === null ? [] : ['--worker'];
    return program(`central-${no}`, 'central', ...more, '--config', configOf(no));
  });
  const ports = AGENTS.map(() => createPort('n', () => options.eventsPerSecond() / AGENTS.length));
  const agents = AGENTS.map((name, i) => {
    const config = join(folder, `${name}.yaml`);
    writeFileSync(config, agentYaml(name, ports[i]?.path ?? '', folder, mqtt, options.confirm));
    return program(name, 'agent', '--config', config);
  });
  const fleet: Fleet = {
    folder,
    brokers,
    database,
    databaseUrl,
    agents,
    centrals,
    centralYaml: join(folder, 'central-0.yaml'),
    logPath: (agent) => join(folder, `${agent}.db`),
    get written() {
      return ports.reduce((sum, port) => sum + port.written, 0);
    },
    quiet() {
      for (const port of ports) port.quiet();
    },
    collard: (...args) => collard(args),
    async close() {
      await Promise.all([...agents, ...centrals].map((one) => one.kill()));
      await Promise.all(ports.map((port) => port.close()));
      await Promise.all([brokers.close(), database.close(), etcd?.close()]);
    },
  };
  try {
    for (const one of [...centrals, ...agents]) one.start();
    for (const [i, collar] of CATS.entries()) await addCat(fleet, `Mia${i}`, collar);
  } catch (error) {
    await fleet.close();
    throw error;
  }
  return fleet;
}

async function addCat({ collard, centralYaml }: Fleet, name: string, collar: string): Promise<void> {
  let last = '';
  await until(
    'a cat can be added',
    async () => {
      const { code, stderr } = await collard('cat', 'add', name, '--collar', collar, '--config', centralYaml);
      last = stderr;
      return code === 0 || stderr.includes('already exists');
    },
    READY_MS,
  ).catch((cause: unknown) => {
    throw new Error(`no cat: ${last}`, { cause });
  });
}

async function collard(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, [agentBin, ...args], { maxBuffer: 1 << 28 });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const failed = error as { code?: number; stdout?: string; stderr?: string };
    return { code: failed.code ?? -1, stdout: failed.stdout ?? '', stderr: failed.stderr ?? String(error) };
  }
}

function agentYaml(name: string, serial: string, folder: string, mqtt: string, confirm: 'store' | 'broker'): string {
  return `agent: ${name}
simulated: true
sources:
  - { serial: ${serial}, format: json, silentAfterMs: 600000 }
log: { path: ${join(folder, `${name}.db`)} }
mqtt: { ${mqtt} }
health: { everyMs: 1000 }
forward: { confirm: ${confirm}, syncAfterMs: 1000, stalledAfterMs: 30000 }
`;
}
