/** One server of a cluster as a process: killed, started again, and gone with us, however we end. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, until } from '../servers.ts';

const LOOK_EVERY_MS = 200;

export interface ClusterNode {
  readonly name: string;
  readonly pid: number | null;
  /** Starts it if it does not run, and does not wait. */
  begin(): void;
  /** Starts it if it does not run; resolves when it does its work. Rejects when it ends before. */
  start(): Promise<void>;
  /** SIGKILL. False when it did not run. */
  kill(): Promise<boolean>;
  /** Ends it in an orderly way. */
  stop(): Promise<void>;
  /** What it does now, asked anew. */
  isReady(): Promise<boolean>;
}

export interface Cluster {
  readonly nodes: readonly ClusterNode[];
  /** Where it can be reached, a node each. */
  readonly urls: readonly string[];
  /** All nodes end, and their folders are removed. */
  close(): Promise<void>;
}

export interface NodeOptions {
  readonly name: string;
  readonly folder: string;
  /** Asked at each start. */
  readonly command: () => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: User | null;
  readonly isReady: () => Promise<boolean>;
  readonly readyMs: number;
  /** How long an orderly end may take before it is killed. */
  readonly stopMs?: number;
}

export function createNode(options: NodeOptions): ClusterNode {
  const { name, folder, command, env = {}, user = null, isReady, readyMs, stopMs = 10_000 } = options;
  let child: ChildProcess | null = null;
  const begin = () => {
    if (child !== null && child.exitCode === null && child.signalCode === null) return child;
    // It ends with this process, however that ends.
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', ...command()], {
      ...user,
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, HOME: folder, TMPDIR: folder, ...env },
    });
    const log = createWriteStream(join(folder, `${name}.log`), { flags: 'a' });
    log.on('error', () => undefined);
    started.stdout.pipe(log, { end: false });
    started.stderr.pipe(log, { end: false });
    child = started;
    const orphan = () => started.kill('SIGKILL');
    process.prependOnceListener('exit', orphan);
    started.once('exit', () => process.removeListener('exit', orphan));
    return started;
  };
  const end = async (signal: NodeJS.Signals): Promise<boolean> => {
    const running = child;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return false;
    const gone = once(running, 'exit');
    running.kill(signal);
    const late = signal === 'SIGKILL' ? undefined : setTimeout(() => running.kill('SIGKILL'), stopMs);
    await gone;
    clearTimeout(late);
    return true;
  };
  return {
    name,
    get pid() {
      return child?.pid ?? null;
    },
    begin: () => void begin(),
    async start() {
      const started = begin();
      const ready = async () => {
        if (started.exitCode !== null || started.signalCode !== null) {
          const told = readFileSync(join(folder, `${name}.log`), 'utf8').slice(-2_000);
          throw new Error(`${name} ended with ${started.exitCode ?? started.signalCode}: ${told}`);
        }
        return isReady().catch(() => false);
      };
      // Asked now and then: it has other work while it starts.
      await until(`${name} is ready`, async () => (await ready()) || pause(LOOK_EVERY_MS, false), readyMs);
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM').then(() => undefined),
    isReady: () => isReady().catch(() => false),
  };
}

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Servers that refuse to run as root run as the user that Debian made for them. */
export function userOf(name: string): User | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** In memory where there is enough of it: three nodes that flush each commit to one disk would measure that disk. */
export function newFolder(name: string, user: User | null = null): string {
  const memory = '/dev/shm';
  const room = () => {
    const { bavail, bsize } = statfsSync(memory);
    return bavail * bsize;
  };
  const parent = readdirSync('/dev').includes('shm') && room() > 4e9 ? memory : tmpdir();
  const folder = mkdtempSync(join(parent, `collard-${name}-`));
  if (user !== null) chownSync(folder, user.uid, user.gid);
  // Where nobody comes to close the cluster: all of its nodes have been killed before.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return folder;
}

export function subfolder(parent: string, name: string, user: User | null = null): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  if (user !== null) chownSync(folder, user.uid, user.gid);
  return folder;
}

/** Ends all of a cluster, the folder too, whatever fails. */
export async function closeAll(nodes: readonly Pick<ClusterNode, 'kill'>[], folder: string): Promise<void> {
  await Promise.all(nodes.map((node) => node.kill()));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** A file of `config/`, as people find it. */
export function example(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../config/${path}`, import.meta.url)), 'utf8');
}

/**
 * The example of node 1 as that of node `no`: on lines that end in "# own", addresses and names become those of that node, as the
 * example tells its readers to.
 */
export function asNode(text: string, no: number): string {
  return text.replaceAll(/^(.*?)\s*# own$/gm, (_, line: string) =>
    line.replaceAll('10.0.0.1', `10.0.0.${no}`).replaceAll(/\bn1\b/g, `n${no}`),
  );
}

/** The same address is always the same port of this machine. */
export interface Ports {
  of(address: string): number;
  /** With every `10.0.0.N:PORT` as an address of this machine. */
  onLoopback(text: string): string;
}

/** `addresses`: all that the examples name. */
export async function choosePorts(addresses: readonly string[]): Promise<Ports> {
  const ports = new Map<string, number>();
  for (const address of addresses) {
    let port = await freePort();
    while ([...ports.values()].includes(port)) port = await freePort();
    ports.set(address, port);
  }
  const of = (address: string) => {
    const port = ports.get(address);
    if (port === undefined) throw new Error(`the example names ${address}, and nobody chose a port for it`);
    return port;
  };
  return {
    of,
    onLoopback: (text) => text.replaceAll(/10\.0\.0\.\d:\d+/g, (address) => `127.0.0.1:${of(address)}`),
  };
}

/** Replaces what must be there: an example that has changed is noticed. */
export function replaced(text: string, from: string | RegExp, to: string): string {
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`the example holds no ${String(from)} any more`);
  return changed;
}

/** CONNACK to a CONNECT of MQTT 3.1.1 without a name: the port is open long before. */
export function speaksMqtt(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1', () => {
    socket.write(Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 10, 0, 0]));
  });
  return new Promise<boolean>((resolve) => {
    socket.setTimeout(3_000, () => resolve(false));
    socket.once('data', (bytes) => resolve(bytes[0] === 0x20 && bytes[3] === 0));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  }).finally(() => socket.destroy());
}
