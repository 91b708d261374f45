/** A whole house for the nemesis: agent, broker and central as processes, a proxy before the broker on each side, and readings. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, mosquittoPath } from '../servers.ts';
import { type BrokerLink, openBrokerLink } from './broker-link.ts';
import { type Listener, openListener } from './listener.ts';
import { createPort, markerStored } from './readings.ts';
import { createSupervised, type Supervised } from './supervised.ts';

export const AGENT = 'porch';
export const agentBin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));

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
  /** Links and patience as they are without any setting, instead of quick ones. */
  readonly shipped?: boolean;
  readonly agentEnv?: Readonly<Record<string, string>>;
  readonly centralEnv?: Readonly<Record<string, string>>;
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
  const central = program(
    'central',
    folder,
    centralYaml(storePath, centralLink.url, options.shipped),
    options.centralEnv,
  );
  const agentOf = (name: string, path: string, serial: string) =>
    program(name, folder, agentYaml({ serial, path, url: agentLink.url }, options), options.agentEnv);
  const agent = agentOf('agent', logPath, port.path);
  let markers = 0;
  let clones = 0;
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
      clones += 1;
      // Names of its own: two clones that read the same would look like events that were stored twice.
      const own = createPort(`c${clones}-`, options.eventsPerSecond);
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

const QUICK_LINK = ', retryFirstMs: 100, retryMaxMs: 1000, keepaliveSeconds: 5, connectTimeoutMs: 5000';
const QUICK_FORWARD = ', syncAfterMs: 1000, stalledAfterMs: 10000';

interface AgentAt {
  readonly serial: string;
  readonly path: string;
  readonly url: string;
}

function agentYaml(at: AgentAt, { confirm = 'store', shipped = false }: HouseOptions): string {
  return `agent: ${AGENT}
simulated: true
sources:
  - { serial: ${at.serial}, format: json, silentAfterMs: 600000 }
log: { path: ${at.path} }
mqtt: { url: "${at.url}"${shipped ? '' : QUICK_LINK} }
health: { everyMs: 1000 }
forward: { confirm: ${confirm}${shipped ? '' : QUICK_FORWARD} }
`;
}

function centralYaml(store: string, url: string, shipped = false): string {
  return `store: { url: "sqlite:${store}" }
mqtt: { url: "${url}"${shipped ? '' : QUICK_LINK} }
http: { port: 0 }
`;
}
