/** The program: finds the command, loads only that one, and turns every way to end into a message and an exit code. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { paint, safe, tell } from './output.ts';

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** In the order of the help. Loaded on demand: what one command needs must neither slow nor break another. */
const entries: readonly Entry[] = [
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
    name: 'service',
    summary: 'install this program as a service of systemd, or take it away',
    load: async () => (await import('./service.ts')).serviceCommand(),
  },
];

/** Runs the command line `args` (without node and script). Sets the exit code; ends the process at a failure. */
export async function main(args: readonly string[]): Promise<void> {
  const debug = args.includes('--debug') || (process.env.COLLARD_DEBUG ?? '') !== '';
  const end = (error: unknown) => process.exit(report(error, debug));
  // `collard events | head` closes our stdout: there is nobody left to tell.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    error.code === 'EPIPE' ? process.exit() : end(unwritable(error)),
  );
  process.stderr.on('error', () => undefined);
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
  try {
    const program = await createProgram(args);
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    end(error);
  }
}

/** What stdout is sent to takes no more: a full disk, most often. */
function unwritable(cause: NodeJS.ErrnoException): CommandError {
  return new CommandError(EXIT.io, `cannot write to stdout: ${cause.message}`, 'make room where it goes', { cause });
}

/** The program with the command that `args` name in full, and the others by name. */
async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('collard')
    .description('The collar daemon: readings of cat collars become events that are never lost.')
    .version(version(), '-V, --version', 'print the version')
    .option('--debug', 'print stack traces (or set COLLARD_DEBUG=1)')
    .addHelpText('after', '\nStart with: collard demo');
  const operands = args.filter((arg) => !arg.startsWith('-'));
  const wanted = operands[0] === 'help' ? operands[1] : operands[0];
  for (const entry of entries) {
    const command = entry.name === wanted ? await load(entry) : new Command(entry.name);
    program.addCommand(command.summary(entry.summary));
  }
  prepare(program);
  return program;
}

async function load(entry: Entry): Promise<Command> {
  try {
    return await entry.load();
  } catch (error) {
    const message = `"collard ${entry.name}" cannot be loaded: ${messageOf(error)}`;
    throw new CommandError(EXIT.unavailable, message, 'install all packages again: npm ci', { cause: error });
  }
}

/** Errors of usage come to `report` instead of ending the process, from subcommands too. */
function prepare(command: Command, before = ''): void {
  const name = before + command.name();
  command.exitOverride().showHelpAfterError(`(${name} --help tells more)`);
  for (const inner of command.commands) prepare(inner, `${name} `);
}

/** Tells what went wrong on stderr, unless it is told already. Returns the exit code. */
function report(error: unknown, debug: boolean): number {
  if (error instanceof CommanderError) {
    // commander has printed its help or its message.
    if (error.code === 'commander.helpDisplayed' || error.code === 'commander.version') return EXIT.ok;
    return error.code === 'commander.help' && error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  const failure = asFailure(error);
  // A message may quote an agent, a file or a broker.
  if (error instanceof ConfigError) for (const line of failure.message.split('\n')) tell(safe(line));
  else tell(`${paint('error:', 'red', process.stderr)} ${safeLines(failure.message)}`);
  if (failure.fix !== null) tell(`${paint('fix:', 'green', process.stderr)} ${safeLines(failure.fix)}`);
  if (debug) {
    for (let cause = error; cause instanceof Error; cause = cause.cause) tell(safeLines(cause.stack ?? cause.message));
  } else if (failure.exitCode === EXIT.software) tell('this is a fault of the program: --debug shows where');
  return failure.exitCode;
}

function safeLines(text: string): string {
  return text.split('\n').map(safe).join('\n');
}

function asFailure(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof ConfigError) return new CommandError(EXIT.config, error.message, fixOf(error));
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return new CommandError(code === 'RUNTIME_TOO_OLD' ? EXIT.config : EXIT.software, messageOf(error));
}

function fixOf(error: ConfigError): string | null {
  if (error.readFailure === 'ENOENT') {
    return 'name the file with --config, or make one: collard config show --example agent > agent.yaml (or central)';
  }
  if (error.readFailure === 'EACCES') return 'let this user read it, or run as the user that may';
  return error.readFailure === null ? 'correct these places; "collard config check FILE" checks again' : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '';
}
