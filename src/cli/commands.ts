/** All commands by name, each loaded only when it is wanted; or the whole tree of them, for completion and the manual page. */
import { Command } from 'commander';
import { CommandError, EXIT } from './exit.ts';
import { version } from './version.ts';

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** In the order of the help. Loaded on demand: what one command needs must neither slow nor break another. */
const ENTRIES: readonly Entry[] = [
  {
    name: 'demo',
    summary: 'run everything here with simulated collars, and open a page on it',
    load: async () => (await import('./demo.ts')).demoCommand(),
  },
  {
    name: 'agent',
    summary: 'read collars, log their events and forward them',
    load: async () => (await import('./agent.ts')).agentCommand(),
  },
  {
    name: 'central',
    summary: 'receive events, store them and serve the page and the API',
    load: async () => (await import('./central.ts')).centralCommand(),
  },
  {
    name: 'simulate',
    summary: 'write the readings of simulated collars, with known truth',
    load: async () => (await import('./simulate.ts')).simulateCommand(),
  },
  {
    name: 'detect',
    summary: 'find meows and moves in recorded readings',
    load: async () => (await import('./detect.ts')).detectCommand(),
  },
  {
    name: 'calibrate',
    summary: 'learn the rooms of a home from labelled recordings',
    load: async () => (await import('./calibrate.ts')).calibrateCommand(),
  },
  {
    name: 'tune',
    summary: 'look on while shakes are decided, and find the sensitivity that fits a collar',
    load: async () => (await import('./tune.ts')).tuneCommand(),
  },
  {
    name: 'events',
    summary: 'print events of a log or store, list their versions, correct them',
    load: async () => (await import('./events.ts')).eventsCommand(),
  },
  {
    name: 'export',
    summary: 'write events for other programs: ndjson, CSV, InfluxDB, CloudEvents',
    load: async () => (await import('./export.ts')).exportCommand(),
  },
  {
    name: 'stats',
    summary: 'count the events of each cat by hour or day',
    load: async () => (await import('./stats.ts')).statsCommand(),
  },
  {
    name: 'report',
    summary: 'write what a cat did in some days as an HTML file for the vet',
    load: async () => (await import('./report.ts')).reportCommand(),
  },
  {
    name: 'state',
    summary: 'print where the cats are and what they do',
    load: async () => (await import('./state.ts')).stateCommand(),
  },
  {
    name: 'cat',
    summary: 'add, rename, move and list cats, and assign collars',
    load: async () => (await import('./cat.ts')).catCommand(),
  },
  {
    name: 'quarantine',
    summary: 'list, export, retry or drop what central could not take in',
    load: async () => (await import('./quarantine.ts')).quarantineCommand(),
  },
  {
    name: 'replay',
    summary: 'build the read models anew from the events, compare and swap them',
    load: async () => (await import('./replay.ts')).replayCommand(),
  },
  {
    name: 'retention',
    summary: 'move old events into sealed segments, list and verify these',
    load: async () => (await import('./retention.ts')).retentionCommand(),
  },
  {
    name: 'verify',
    summary: 'compare the log of an agent with the store of central',
    load: async () => (await import('./verify.ts')).verifyCommand(),
  },
  {
    name: 'init',
    summary: 'make a configuration: by questions, or with --no-input',
    load: async () => (await import('./init.ts')).initCommand(),
  },
  {
    name: 'config',
    summary: 'check a configuration, or show what is in force',
    load: async () => (await import('./config.ts')).configCommand(),
  },
  {
    name: 'schema',
    summary: 'print schemas: of configurations, events, and messages on MQTT',
    load: async () => (await import('./schema.ts')).schemaCommand(),
  },
  {
    name: 'ports',
    summary: 'list serial ports, who holds them and who may open them',
    load: async () => (await import('./ports.ts')).portsCommand(),
  },
  {
    name: 'doctor',
    summary: 'check this machine and its configuration, with fixes',
    load: async () => (await import('./doctor.ts')).doctorCommand(),
  },
  {
    name: 'status',
    summary: 'how an agent of this machine stands, or all that a central knows',
    load: async () => (await import('./status.ts')).statusCommand(),
  },
  {
    name: 'service',
    summary: 'install this program as a service of systemd, or take it away',
    load: async () => (await import('./service.ts')).serviceCommand(),
  },
  {
    name: 'completion',
    summary: 'print what a shell needs to complete the command line',
    load: async () => (await import('./completion.ts')).completionCommand(createWhole),
  },
];

/** The program with the command that `args` name in full, and the others by name. */
export async function createProgram(args: readonly string[]): Promise<Command> {
  const operands = args.filter((arg) => !arg.startsWith('-'));
  const wanted = operands[0] === 'help' ? operands[1] : operands[0];
  return assemble((name) => name === wanted);
}

/** Every command in full. */
export function createWhole(): Promise<Command> {
  return assemble(() => true);
}

async function assemble(isWanted: (name: string) => boolean): Promise<Command> {
  const program = new Command('collard')
    .description('The collar daemon: readings of cat collars become events that are never lost.')
    .version(version(), '-V, --version', 'print the version')
    .option('--debug', 'print stack traces (or set COLLARD_DEBUG=1)')
    .addHelpText('after', '\nStart with: collard demo');
  for (const entry of ENTRIES) {
    const command = isWanted(entry.name) ? await load(entry) : new Command(entry.name);
    program.addCommand(command.summary(entry.summary));
  }
  return program;
}

async function load(entry: Entry): Promise<Command> {
  try {
    return await entry.load();
  } catch (error) {
    const message = `"collard ${entry.name}" cannot be loaded: ${error instanceof Error ? error.message : String(error)}`;
    throw new CommandError(EXIT.unavailable, message, 'install all packages again: npm ci', { cause: error });
  }
}
