/** The program: finds the command, loads only that one, and turns every way to end into a message and an exit code. */
import { type Command, CommanderError } from 'commander';
import type { ConfigError } from '../lib/config-file.ts';
import { createProgram } from './commands.ts';
import { CommandError, EXIT } from './exit.ts';
import { paint, safe, tell } from './output.ts';

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
    prepare(program);
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    end(error);
  }
}

/** What stdout is sent to takes no more: a full disk, most often. */
function unwritable(cause: NodeJS.ErrnoException): CommandError {
  return new CommandError(EXIT.io, `cannot write to stdout: ${cause.message}`, 'make room where it goes', { cause });
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
  if (isConfigError(error)) for (const line of failure.message.split('\n')) tell(safe(line));
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
  if (isConfigError(error)) return new CommandError(EXIT.config, error.message, fixOf(error));
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return new CommandError(code === 'RUNTIME_TOO_OLD' ? EXIT.config : EXIT.software, messageOf(error));
}

/** By its code: the module of its class takes long to load, and most commands do without. */
function isConfigError(error: unknown): error is ConfigError {
  return error instanceof Error && 'code' in error && error.code === ('CONFIG_INVALID' satisfies ConfigError['code']);
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
