/** Several centrals as processes that share one store, with a broker, an etcd, and agents that send until all is stored. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { connectAsync, type MqttClient } from 'mqtt';
import { expect } from 'vitest';
import type { CentralStatus } from '../../src/central/status.ts';
import { chainHex } from '../../src/contract/chain.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { decodeStored, encodeSync } from '../../src/contract/message.ts';
import { agentTopic, DEFAULT_BASE_TOPIC } from '../../src/contract/topic.ts';
import { rowsOf } from '../central/engines/fresh.ts';
import { epochId, meowing, type Writer } from '../central/store/events.ts';
import { collard } from '../cli/run.ts';
import { type EtcdServer, startEtcd } from '../etcd/servers.ts';
import { freePort, type Mosquitto, startMosquitto, until } from '../servers.ts';
import { bin } from './stack.ts';

/** An agent without an answer asks again after so long. */
const ASK_AGAIN_MS = 700;
const BATCH = 10;

export interface Worker {
  readonly url: string;
  readonly pid: number;
  /** What `collard central status --json` prints, with its exit code. */
  status(): Promise<{ readonly code: number; readonly told: CentralStatus & { readonly concerns: readonly string[] } }>;
  /** As the store knows it; its process id is in it. */
  is(owner: unknown): boolean;
  log(): string;
  signal(signal: NodeJS.Signals): void;
  /** Null while it runs. */
  exitCode(): number | null;
  /** Resolves to the exit code, null where a signal has ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export interface Fleet {
  readonly storeUrl: string;
  readonly broker: Mosquitto;
  readonly etcd: EtcdServer | null;
  readonly listener: MqttClient;
  /** `more`: the section `workers` without etcd; '': a central that runs alone. Resolves when its page is there. */
  startWorker(more?: string): Promise<Worker>;
  /** Shard → owner and token, of those that were ever had. */
  shards(): Promise<ReadonlyMap<number, { readonly owner: string | null; readonly token: number }>>;
  /** How many shards a worker has in the store. */
  has(worker: Worker): Promise<number>;
  /** Stops one where it holds no lock of a store in SQLite: whoever else wants to write would wait for it until it wakes. */
  putToSleep(worker: Worker): Promise<void>;
  readonly agents: readonly Agent[];
  /** Every event is stored once, in order, with its chain, and folded. */
  expectWhole(): Promise<void>;
  close(): Promise<void>;
}

export interface Agent {
  readonly name: string;
  readonly writer: Writer;
  /** Resolves when central says that it has all up to `seq`. */
  send(seq: number): Promise<void>;
  /** Publishes, and asks for nothing. */
  publish(from: number, to: number): Promise<void>;
}

export interface FleetOptions {
  readonly storeUrl: string;
  readonly agents: readonly string[];
  readonly events: number;
  /** Of the lease in etcd; null: no etcd. */
  readonly leaseSeconds: number | null;
}

export async function openFleet({ storeUrl, agents, events, leaseSeconds }: FleetOptions): Promise<Fleet> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-fleet-'));
  const broker = await startMosquitto(['max_queued_messages 0']);
  const etcd = leaseSeconds === null ? null : await startEtcd();
  const listener = await connectAsync(broker.url);
  const workers: Worker[] = [];
  const sent = agents.map((name, i) => createAgent(listener, meowing(name, epochId(i + 1), events, `C0FFEE0${i + 1}`)));
  for (const { name } of sent) {
    await listener.subscribeAsync(agentTopic(DEFAULT_BASE_TOPIC, name, 'stored'), { qos: 1 });
  }
  const shards = async () => {
    const rows = await rowsOf(storeUrl, 'select shard, owner, token from shard');
    return new Map(
      rows.map(({ shard, owner, token }) => [
        Number(shard),
        { owner: owner === null ? null : String(owner), token: Number(token) },
      ]),
    );
  };
  return {
    storeUrl,
    broker,
    etcd,
    listener,
    agents: sent,
    async startWorker(more) {
      const section = more ?? `etcd: ${etcd?.url}, leaseSeconds: ${leaseSeconds}`;
      const worker = await startWorker(join(folder, `worker-${workers.length}`), storeUrl, broker.url, section);
      workers.push(worker);
      return worker;
    },
    shards,
    has: async (worker) => [...(await shards()).values()].filter(({ owner }) => worker.is(owner)).length,
    async putToSleep(worker) {
      await until('a worker sleeps without a lock', async () => {
        worker.signal('SIGSTOP');
        await until('it is stopped', () => / T /.test(readFileSync(`/proc/${worker.pid}/stat`, 'utf8')));
        if (!isLocked(storeUrl)) return true;
        worker.signal('SIGCONT');
        return false;
      });
    },
    expectWhole: () => expectWhole(storeUrl, sent, events),
    async close() {
      for (const worker of workers) worker.signal('SIGCONT');
      await Promise.all(workers.map((worker) => worker.end('SIGTERM')));
      await listener.endAsync(true);
      await Promise.all([broker.stop(), etcd?.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function isLocked(storeUrl: string): boolean {
  if (!storeUrl.startsWith('sqlite:')) return false;
  const db = new Database(storeUrl.slice('sqlite:'.length), { timeout: 0 });
  try {
    db.exec('BEGIN IMMEDIATE; ROLLBACK');
    return false;
  } catch (error) {
    if ((error as { code?: string }).code === 'SQLITE_BUSY') return true;
    throw error;
  } finally {
    db.close();
  }
}

async function startWorker(path: string, storeUrl: string, brokerUrl: string, section: string): Promise<Worker> {
  const port = await freePort();
  writeFileSync(
    `${path}.yaml`,
    `store: { url: "${storeUrl}" }
mqtt: { url: "${brokerUrl}", retryFirstMs: 50, retryMaxMs: 500, keepaliveSeconds: 5 }
http: { port: ${port} }
${section === '' ? '' : `workers: { ${section} }`}
`,
    { mode: 0o600 },
  );
  writeFileSync(`${path}.log`, '');
  const args = ['central', ...(section === '' ? [] : ['--worker']), '--config', `${path}.yaml`];
  const child: ChildProcess = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const orphan = () => child.kill('SIGKILL');
  process.once('exit', orphan);
  child.once('exit', () => process.removeListener('exit', orphan));
  child.stderr?.on('data', (text) => appendFileSync(`${path}.log`, text));
  const log = () => readFileSync(`${path}.log`, 'utf8');
  const url = `http://127.0.0.1:${port}`;
  await until(
    'a worker is there',
    () => {
      if (child.exitCode !== null) throw new Error(`a worker ended: ${log()}`);
      return fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      );
    },
    60_000,
  );
  const { pid = 0 } = child;
  return {
    url,
    pid,
    async status() {
      const { status, stdout } = await collard(['central', 'status', '--json', '--config', `${path}.yaml`]);
      return { code: status ?? -1, told: JSON.parse(stdout) };
    },
    is: (owner) => typeof owner === 'string' && owner.split('-').at(-2) === String(pid),
    log,
    signal: (signal) => void child.kill(signal),
    exitCode: () => child.exitCode,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit');
        child.kill(signal);
        await gone;
      }
      return child.exitCode;
    },
  };
}

/** Keeps what is not stored and sends it again, as agents do. */
function createAgent(client: MqttClient, writer: Writer): Agent {
  const { agent: name, epoch } = writer;
  const topic = (channel: 'events' | 'sync' | 'stored') => agentTopic(DEFAULT_BASE_TOPIC, name, channel);
  let stored = 0;
  client.on('message', (at, payload) => {
    if (at !== topic('stored')) return;
    const message = decodeStored(payload);
    if (message?.epoch === epoch) stored = Math.max(stored, message.seq);
  });
  const publish = async (from: number, to: number) => {
    for (let at = from; at <= to; at += BATCH) {
      const batch = writer.batch(at, Math.min(to, at + BATCH - 1));
      await client.publishAsync(topic('events'), encodeBatch(batch), { qos: 1 });
    }
  };
  return {
    name,
    writer,
    publish,
    async send(seq) {
      await publish(stored + 1, seq);
      let asked = performance.now();
      await until(
        `${seq} events of ${name} are stored`,
        async () => {
          if (stored < seq && performance.now() - asked > ASK_AGAIN_MS) {
            asked = performance.now();
            const sync = { epoch, firstSeq: 1, lastSeq: seq, chain: writer.chain(seq) };
            await client.publishAsync(topic('sync'), encodeSync(sync), { qos: 1 });
            await publish(stored + 1, seq);
          }
          return stored >= seq;
        },
        60_000,
      );
    },
  };
}

async function expectWhole(url: string, agents: readonly Agent[], events: number): Promise<void> {
  await until(
    'all is folded',
    async () => {
      const behind = await rowsOf(
        url,
        `select s.shard from shard s left join model_cursor c on c.shard = s.shard and c.model = 'cat_v1'
        where s.next_arrival - 1 > coalesce(c.arrival, 0)`,
      );
      return behind.length === 0;
    },
    30_000,
  );
  for (const { name, writer } of agents) {
    const rows = await rowsOf(
      url,
      `select e.mark, e.mark_chain, e.chain_ok, (select count(*) from event v where v.epoch_no = e.no) as n
      from epoch e where e.epoch = '${writer.epoch}'`,
    );
    const wanted = { mark: events, mark_chain: chainHex(writer.chain(events)), chain_ok: 1, n: events };
    expect(
      rows.map((row) => ({ ...row, mark: Number(row.mark), n: Number(row.n) })),
      name,
    ).toEqual([wanted]);
  }
  for (const number of ['arrival', 'position']) {
    const gaps = await rowsOf(
      url,
      `select shard from event group by shard having count(distinct ${number}) <> max(${number}) or count(*) <> max(${number})`,
    );
    expect(gaps, number).toEqual([]);
  }
  expect(await rowsOf(url, 'select * from conflict')).toEqual([]);
  expect(await rowsOf(url, 'select * from quarantine')).toEqual([]);
}
