/** `collard demo`: the whole program on embedded parts, with simulated collars. Nothing is installed, nothing is left behind. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { SerialPortMock } from 'serialport';
import { type AgentDeps, runAgent } from '../agent/agent.ts';
import { agentSchema } from '../agent/config.ts';
import { centralSchema } from '../central/config.ts';
import { runCentral } from '../central/service.ts';
import { loadConfig } from '../lib/config-file.ts';
import { openMqttLink } from '../lib/mqtt-link.ts';
import { runAll } from '../lib/run-all.ts';
import { aborted } from '../lib/wait.ts';
import { openPty } from '../simulator/pty.ts';
import { runSimulation } from '../simulator/run-simulation.ts';
import { createSimulation } from '../simulator/simulation.ts';
import { openDemoBroker } from './demo-broker.ts';
import { runStory } from './demo-story.ts';
import { LOG_LEVELS, openLogger } from './logger.ts';
import { wholeNumber } from './numbers.ts';
import { paint, print, tell } from './output.ts';
import { stopOnSignals } from './stop.ts';
import { version } from './version.ts';

interface DemoOptions {
  readonly port?: number;
  readonly collars: number;
  readonly seed: number;
  readonly seconds: number;
  readonly data?: string;
  readonly logLevel: string;
}

const NAMES = ['Mia', 'Simba', 'Luna', 'Tom', 'Nala', 'Leo', 'Cleo', 'Felix'];
const FIRST_COLLAR = 0xc0ffee01;
const RATE_HZ = 50;
const DEFAULT_PORT = 8321;

export function demoCommand(): Command {
  return new Command('demo')
    .description('Run everything here with simulated collars, and open a page on it.')
    .option(
      '--port <n>',
      `port of the page, 0 for any free one (default: ${DEFAULT_PORT} or the next free one)`,
      wholeNumber(0, 65_535),
    )
    .option('--collars <n>', 'how many cats', wholeNumber(1, NAMES.length), 4)
    .option('--seed <n>', 'the same seed gives the same cats', wholeNumber(0, 2 ** 32), 1)
    .option('--seconds <s>', 'end after so long; 0: when you press Ctrl-C', wholeNumber(0, 1e9), 0)
    .option('--data <dir>', 'keep log, store and configuration there; else they are gone at the end')
    .addOption(
      new Option('--log-level <level>', 'what the daemons tell on stderr').choices([...LOG_LEVELS]).default('error'),
    )
    .action(demo);
}

/** A port as the agent opens it, and how the simulated receiver writes into it. */
interface Wire {
  readonly path: string;
  readonly what: string;
  readonly createPort?: NonNullable<AgentDeps['createPort']>;
  write(bytes: Uint8Array): Promise<boolean>;
  close(): Promise<void>;
}

async function demo(options: DemoOptions): Promise<void> {
  const stop = stopSignal(options.seconds);
  const folder = options.data === undefined ? mkdtempSync(join(tmpdir(), 'collard-demo-')) : resolve(options.data);
  mkdirSync(folder, { recursive: true });
  const broker = await openDemoBroker();
  const wire = openWire();
  try {
    const port = options.port ?? (await freePort(DEFAULT_PORT));
    const configs = writeConfigs(folder, { serial: wire.path, broker: broker.url, port });
    welcome(wire.what, folder, options.data !== undefined);
    await run(options, configs, wire, stop);
  } finally {
    await wire.close();
    await broker.close();
    if (options.data === undefined) rmSync(folder, { recursive: true, force: true });
  }
  tell('The demo has ended.');
}

async function run(options: DemoOptions, configs: Configs, wire: Wire, signal: AbortSignal): Promise<void> {
  const logger = await openLogger(options.logLevel);
  const deps = { openLink: openMqttLink, logger, version: version() };
  const port = wire.createPort === undefined ? {} : { createPort: wire.createPort };
  const listening = Promise.withResolvers<string>();
  const simulation = createSimulation({ collars: options.collars, rateHz: RATE_HZ, seed: options.seed });
  const cats = new Map(
    NAMES.slice(0, options.collars).map((name, i) => [(FIRST_COLLAR + i).toString(16).toUpperCase(), name]),
  );
  // Whoever is upstream stops first: what the agent logs while it stops is stored, and both sides end as one history.
  const isAgentGone = new AbortController();
  const central = { ...deps, simulated: true, onListening: listening.resolve };
  await runAll(
    [
      () => runCentral(configs.central, central, isAgentGone.signal),
      async (stop) => {
        try {
          await runAgent(configs.agent, { ...deps, ...port }, stop);
        } finally {
          isAgentGone.abort();
        }
      },
      async (stop) => {
        const page = await Promise.race([listening.promise, aborted(stop).then(() => null)]);
        if (page === null) return;
        const url = page.replace(/\/$/, '');
        announce(url);
        const pace = { seconds: Number.POSITIVE_INFINITY, realtime: true };
        await runAll(
          [
            (inner) => runStory({ url, cats }, inner),
            async (inner) => void (await runSimulation({ simulation, format: 'json', write: wire.write }, pace, inner)),
          ],
          stop,
        );
      },
    ],
    signal,
  );
}

interface Configs {
  readonly agent: ReturnType<typeof agentSchema.parse>;
  readonly central: ReturnType<typeof centralSchema.parse>;
}

/** The files are real ones, so that every other command can be tried on them. */
function writeConfigs(folder: string, at: { serial: string; broker: string; port: number }): Configs {
  const agentYaml = join(folder, 'agent.yaml');
  const centralYaml = join(folder, 'central.yaml');
  const text = (path: string) => JSON.stringify(path);
  writeFileSync(
    agentYaml,
    `agent: demo
simulated: true
sources:
  - serial: ${text(at.serial)}
    format: json
log: { path: ${text(join(folder, 'events.db'))} }
mqtt: { url: "${at.broker}" }
health: { everyMs: 2000 }
`,
  );
  writeFileSync(
    centralYaml,
    `store: { url: ${text(`sqlite:${join(folder, 'central.db')}`)} }
mqtt: { url: "${at.broker}" }
http: { port: ${at.port} }
`,
  );
  const options = { env: {}, secrets: [] };
  return {
    agent: loadConfig(agentYaml, agentSchema, options).value,
    central: loadConfig(centralYaml, centralSchema, options).value,
  };
}

/** A pseudo-terminal where the system has one, else the mock port of the serial library. */
function openWire(): Wire {
  try {
    const pty = openPty();
    const write = async (bytes: Uint8Array) => {
      await pty.write(bytes);
      return true;
    };
    return { path: pty.path, what: `pseudo-terminal ${pty.path}`, write, close: pty.close };
  } catch {
    const path = '/dev/collard-demo';
    SerialPortMock.binding.createPort(path);
    let opened: SerialPortMock | null = null;
    return {
      path,
      what: 'mock port (there is no pseudo-terminal here)',
      createPort: (name, baudRate) => {
        opened = new SerialPortMock({ path: name, baudRate, autoOpen: false });
        return opened;
      },
      write: async (bytes) => {
        if (opened?.isOpen === true) opened.port?.emitData(Buffer.from(bytes));
        return true;
      },
      close: async () => SerialPortMock.binding.reset(),
    };
  }
}

function welcome(wire: string, folder: string, kept: boolean): void {
  print('');
  print(`${paint('collard demo', 'bold')}   ${paint('SIMULATED', 'magenta')}: no real collar, no real cat`);
  print('');
  print(`  collars ~~~ receiver → ${wire}`);
  print('           → agent → log → MQTT broker → central → store → page');
  print('');
  print(`  files     ${folder}${kept ? '' : ' (removed at the end; --data DIR keeps them)'}`);
}

function announce(url: string): void {
  print(`  ${paint('page', 'bold')}      ${paint(url, 'cyan')}`);
  print(`  API       ${url}/api/openapi.json`);
  print('  stop      Ctrl-C');
  print('');
  print(paint('Waiting for the first meow …', 'dim'));
}

function stopSignal(seconds: number): AbortSignal {
  const stop = stopOnSignals();
  return seconds === 0 ? stop : AbortSignal.any([stop, AbortSignal.timeout(seconds * 1000)]);
}

/** The wanted port, or the first free one after it: the demo must not fail because something else runs. */
async function freePort(wanted: number): Promise<number> {
  for (let port = wanted; port < wanted + 20; port += 1) {
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer()
        .once('error', () => resolve(false))
        .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
  return 0;
}
