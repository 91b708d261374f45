/** A whole house for the nemesis: agent, broker and central as processes, a proxy before the broker on each side, and readings. */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { openPty } from '../../src/simulator/pty.ts';
import { freePort, mosquittoPath } from '../servers.ts';
import { type BrokerLink, openBrokerLink } from './broker-link.ts';
import { type Listener, openListener } from './listener.ts';
import { createSupervised, type Supervised } from './supervised.ts';

export const AGENT = 'porch';
export const agentBin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const FILES = ['', '-wal', '-shm', '-journal'] as const;
/** What lies beside a log and tells how far it had come. */
const WITNESS = '.head';

/** What the broker keeps: a session over its restarts, nothing, or at most 100 messages of a client that is away. */
export const BROKERS = {
  persistent: ['persistence true', 'max_queued_messages 0', 'autosave_interval 1'],
  forgetful: ['persistence false', 'max_queued_messages 0'],
  narrow: ['persistence true', 'max_queued_messages 100', 'autosave_interval 1'],
} as const;

export interface HouseOptions {
  readonly folder: string;
  readonly random: () => number;
  readonly broker: keyof typeof BROKERS;
  /** Where central's store lies. */
  readonly storeFolder?: string;
  readonly eventsPerSecond: number;
  readonly confirm?: 'store' | 'broker';
  /** For the agent. */
  readonly agentEnv?: Readonly<Record<string, string>>;
}

export interface House {
  readonly folder: string;
  readonly options: HouseOptions;
  readonly broker: Supervised;
  readonly agent: Supervised;
  readonly central: Supervised;
  readonly agentLink: BrokerLink;
  readonly centralLink: BrokerLink;
  readonly listener: Listener;
  readonly logPath: string;
  readonly storePath: string;
  /** Readings that were written; each has a number of its own. */
  readonly readings: number;
  /** A second agent with its own port on a copy of the log at `path`. */
  clone(path: string): { readonly agent: Supervised; close(): Promise<void> };
  /** Writes fresh readings until central has stored one. Resolves with how long that took, or null after `timeoutMs`. */
  recovered(timeoutMs: number): Promise<number | null>;
  /** Writes one line to the agent's port now. */
  say(reading: object): Promise<unknown>;
  /** No more readings. */
  quiet(): void;
  close(): Promise<void>;
}

export async function openHouse(options: HouseOptions): Promise<House> {
  const { folder, random, storeFolder = folder } = options;
  mkdirSync(folder, { recursive: true });
  const brokerPort = await freePort();
  const broker = startBroker(folder, brokerPort, BROKERS[options.broker]);
  const agentLink = await openBrokerLink(brokerPort, random);
  const centralLink = await openBrokerLink(brokerPort, random);
  const listener = openListener(`mqtt://127.0.0.1:${brokerPort}`, AGENT);
  const storePath = join(storeFolder, 'central.db');
  const logPath = join(folder, 'events.db');
  const port = createPort('n', options.eventsPerSecond);
  const central = program('central', folder, centralYaml(storePath, centralLink.url));
  const agentOf = (name: string, path: string, serial: string) =>
    program(
      name,
      folder,
      agentYaml({ serial, path, url: agentLink.url, confirm: options.confirm ?? 'store' }),
      options.agentEnv,
    );
  const agent = agentOf('agent', logPath, port.path);
  let markers = 0;
  central.start();
  agent.start();
  return {
    folder,
    options,
    broker,
    agent,
    central,
    agentLink,
    centralLink,
    listener,
    logPath,
    storePath,
    get readings() {
      return port.written;
    },
    clone(path) {
      const own = createPort('c', options.eventsPerSecond);
      const second = agentOf('clone', path, own.path);
      second.start();
      return {
        agent: second,
        async close() {
          await second.kill();
          await own.close();
        },
      };
    },
    recovered(timeoutMs) {
      markers += 1;
      return markerStored(storePath, `m${markers}-`, port.say, timeoutMs);
    },
    say: port.say,
    quiet: () => port.quiet(),
    async close() {
      await Promise.all([agent.kill(), central.kill(), broker.kill(), listener.close(), port.close()]);
      await Promise.all([agentLink.close(), centralLink.close()]);
    },
  };
}

export function startBroker(folder: string, port: number, lines: readonly string[]): Supervised {
  if (mosquittoPath === null) throw new Error('mosquitto is not installed');
  const conf = join(folder, 'mosquitto.conf');
  const user = process.getuid?.() === 0 ? ['user root'] : [];
  const own = [
    `persistence_location ${folder}/`,
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'sys_interval 1',
  ];
  writeFileSync(conf, `${[...user, ...own, ...lines].join('\n')}\n`);
  const command = [mosquittoPath, '-c', conf];
  const broker = createSupervised({ name: 'broker', log: join(folder, 'broker.log'), command });
  broker.start();
  return broker;
}

function program(name: string, folder: string, yaml: string, env: HouseOptions['agentEnv'] = {}): Supervised {
  const config = join(folder, `${name}.yaml`);
  writeFileSync(config, yaml);
  const command = [process.execPath, agentBin, name === 'central' ? 'central' : 'agent', '--config', config];
  return createSupervised({ name, log: join(folder, `${name}.log`), command, env });
}

const LINK = 'retryFirstMs: 100, retryMaxMs: 1000, keepaliveSeconds: 5, connectTimeoutMs: 5000';

function agentYaml(at: { serial: string; path: string; url: string; confirm: string }): string {
  return `agent: ${AGENT}
simulated: true
sources:
  - { serial: ${at.serial}, format: json, silentAfterMs: 600000 }
log: { path: ${at.path} }
mqtt: { url: "${at.url}", ${LINK} }
health: { everyMs: 1000 }
forward: { confirm: ${at.confirm}, syncAfterMs: 1000, stalledAfterMs: 10000 }
`;
}

function centralYaml(store: string, url: string): string {
  return `store: { url: "sqlite:${store}" }
mqtt: { url: "${url}", ${LINK} }
http: { port: 0 }
`;
}

/** A pseudo-terminal on which readings come at a steady rate. Each moves a cat to a place of its own, and so is one event. */
function createPort(prefix: string, perSecond: number) {
  const pty = openPty();
  const everyMs = 20;
  let written = 0;
  let owed = 0;
  const say = (reading: object) => pty.write(Buffer.from(`${JSON.stringify(reading)}\n`));
  const timer = setInterval(() => {
    owed += (perSecond * everyMs) / 1_000;
    for (; owed >= 1; owed -= 1) {
      written += 1;
      void say({ collar: `CAT${written % 8}`, place: `${prefix}${written}`, motion: 1 });
    }
  }, everyMs);
  return {
    path: pty.path,
    say,
    get written() {
      return written;
    },
    quiet: () => clearInterval(timer),
    close() {
      clearInterval(timer);
      return pty.close();
    },
  };
}

const MARKER_EVERY_MS = 200;
const LOOK_EVERY_MS = 20;

async function markerStored(
  storePath: string,
  marker: string,
  say: (reading: object) => Promise<number>,
  timeoutMs: number,
): Promise<number | null> {
  const began = performance.now();
  const look = createLook(storePath, marker);
  try {
    for (let i = 0; performance.now() - began < timeoutMs; i += 1) {
      if ((i * LOOK_EVERY_MS) % MARKER_EVERY_MS === 0)
        await say({ collar: 'MARKER', place: `${marker}${i}`, motion: 1 });
      await pause(LOOK_EVERY_MS);
      if (look.found()) return performance.now() - began;
    }
    return null;
  } finally {
    // Before anybody kills central: an open reader would spare it the recovery of its files.
    look.close();
  }
}

function createLook(storePath: string, marker: string) {
  let db: Database.Database | null = null;
  let find: Database.Statement<[string], unknown> | null = null;
  return {
    found(): boolean {
      try {
        db ??= new Database(storePath, { readonly: true, fileMustExist: true });
        find ??= db.prepare("SELECT 1 FROM event WHERE subject = 'collar/MARKER' AND data LIKE ? LIMIT 1");
        return find.get(`%"${marker}%`) !== undefined;
      } catch {
        // Central has not made its store yet, or has it open alone for a moment.
        return false;
      }
    },
    close: () => db?.close(),
  };
}

/** Copies a database with what belongs to it. Nobody must have it open. */
export function copyDatabase(from: string, to: string): void {
  removeDatabase(to);
  for (const suffix of FILES) if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
}

export function removeDatabase(path: string): void {
  for (const suffix of FILES) rmSync(path + suffix, { force: true });
}

/** A log with its witness, as when the whole card is copied. */
export function copyCard(from: string, to: string): void {
  copyDatabase(from, to);
  rmSync(to + WITNESS, { force: true });
  if (existsSync(from + WITNESS)) copyFileSync(from + WITNESS, to + WITNESS);
}

/** Puts a copy in the place of a database, as another file or, as `cp` does, into the same one. */
export function restoreDatabase(from: string, to: string, sameFile: boolean): void {
  for (const suffix of FILES.slice(1)) rmSync(to + suffix, { force: true });
  if (sameFile) {
    copyFileSync(from, to);
    return;
  }
  copyFileSync(from, `${to}.restored`);
  renameSync(`${to}.restored`, to);
}
