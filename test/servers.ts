/** Real servers for tests, each on a free port and in a folder of its own. Debian's where one is installed, aedes in process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Aedes, type AedesOptions } from 'aedes';

/** Where Debian put it, or null. */
export const mosquittoPath = findProgram('mosquitto');
export const chromiumPath = findProgram('chromium');
export const socatPath = findProgram('socat');
export const opensslPath = findProgram('openssl');
export const ccPath = findProgram('cc');

/**
 * Whether the tests that need this server can run: `describe.skipIf(!requireServer('mosquitto', mosquittoPath))`.
 * In CI a missing server is an error, elsewhere the reason for skipping is told on stderr.
 */
export function requireServer(name: string, path: string | null, debian = name): path is string {
  if (path !== null) return true;
  const fix = `${name} is not installed: apt-get install --no-install-recommends ${debian}`;
  if (process.env.CI !== undefined && process.env.CI !== '') throw new Error(`CI needs every server, but ${fix}`);
  process.stderr.write(`skipping tests: ${fix}\n`);
  return false;
}

/** A port on 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export interface Mosquitto {
  readonly port: number;
  readonly url: string;
  /** Its configuration and, with `persistence true`, its database. Gone after stop(). */
  readonly folder: string;
  /** SIGTERM, and the folder is removed. */
  stop(): Promise<void>;
  /** SIGKILL; restart() brings it back on the same port and folder. */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/** Lines without a `listener` of their own get one on a free port without passwords, those without `user` keep ours. Resolves when the port accepts. */
export async function startMosquitto(lines: readonly string[] = []): Promise<Mosquitto> {
  const path = mosquittoPath;
  if (path === null) throw new Error('mosquitto is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'collard-mosquitto-'));
  const given = lines.map((line) => /^listener (\d+)/.exec(line)?.[1]).find((port) => port !== undefined);
  const port = given === undefined ? await freePort() : Number(given);
  const own = given === undefined ? [`listener ${port} 127.0.0.1`, 'allow_anonymous true'] : [];
  const asRoot = process.getuid?.() === 0 && !lines.some((line) => line.startsWith('user '));
  const user = asRoot ? ['user root'] : [];
  const conf = join(folder, 'mosquitto.conf');
  writeFileSync(conf, `${[...user, `persistence_location ${folder}/`, ...own, ...lines].join('\n')}\n`);
  let child: ChildProcess | null = null;
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
  };
  const start = async () => {
    const started = spawn(path, ['-c', conf], { stdio: ['ignore', 'ignore', 'pipe'] });
    child = started;
    const orphan = () => started.kill('SIGKILL');
    process.once('exit', orphan);
    started.once('exit', () => process.removeListener('exit', orphan));
    let told = '';
    started.stderr?.on('data', (text) => {
      told = (told + text).slice(-2_000);
    });
    await accepts(port, () => (started.exitCode === null ? null : `mosquitto ended with ${started.exitCode}: ${told}`));
  };
  await start();
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    folder,
    async stop() {
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      await start();
    },
  };
}

/** The built-in broker: MQTT 3.1.1 only. Its state ends with it. */
export async function startAedes(
  options: AedesOptions = {},
  wantedPort = 0,
): Promise<{ readonly port: number; readonly url: string; readonly broker: Aedes; stop(): Promise<void> }> {
  const broker = await Aedes.createBroker(options);
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    broker.handle(socket);
  }).listen(wantedPort, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    broker,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      await new Promise<void>((resolve) => broker.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Polls until something is true; rejects with what was waited for. For conditions in other processes. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 30_000) {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await pause(5);
  }
}

async function accepts(port: number, failed: () => string | null): Promise<void> {
  await until(`port ${port} accepts`, async () => {
    const reason = failed();
    if (reason !== null) throw new Error(reason);
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    return open;
  });
}

/** Where a program is, or null. */
export function findProgram(program: string): string | null {
  const folders = [
    ...(process.env.PATH ?? '').split(':'),
    '/usr/bin',
    '/usr/sbin',
    '/usr/local/bin',
    '/usr/local/sbin',
  ];
  const paths = folders.filter((folder) => folder !== '').map((folder) => join(folder, program));
  return paths.find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
