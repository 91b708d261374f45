/** `collard simulate`: writes the readings of simulated collars, with known truth. */
import { isatty } from 'node:tty';
import { Command, Option } from 'commander';
import type { SimulatedFormat } from '../simulator/encode.ts';
import { ROOMS, roomNamed } from '../simulator/house.ts';
import { createNoise } from '../simulator/noise.ts';
import { type Output, openOutput, streamOutput } from '../simulator/output.ts';
import { runSimulation, type SimulationSummary } from '../simulator/run-simulation.ts';
import { createSimulation, MAX_RATE_HZ, MAX_SIMULATED_COLLARS } from '../simulator/simulation.ts';
import { CommandError, EXIT } from './exit.ts';
import { decimal, wholeNumber } from './numbers.ts';
import { printJson, tell } from './output.ts';

interface Options {
  readonly collars?: number;
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  readonly format: SimulatedFormat;
  readonly out: string;
  readonly truth?: string;
  readonly realtime?: true;
  readonly fast?: true;
  readonly noise: number;
  readonly dropout: number;
  readonly receiver: string;
  readonly json?: true;
}

const DEFAULT_COLLARS = 8;

export function simulateCommand(): Command {
  return new Command('simulate')
    .description('Write the readings of simulated collars, with known truth.')
    .option(
      '--collars <n>',
      `how many (default: ${DEFAULT_COLLARS}, csv holds 1)`,
      wholeNumber(1, MAX_SIMULATED_COLLARS),
    )
    .option('--rate <hz>', 'samples a second of each', wholeNumber(1, MAX_RATE_HZ), 50)
    .option('--seconds <s>', 'how long; 0 until stopped', decimal(0, 1e9), 10)
    .option('--seed <n>', 'the same seed gives the same bytes', wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .addOption(
      new Option('--format <format>', 'as receivers write it').choices(['frame', 'json', 'csv']).default('frame'),
    )
    .option('--out <path>', 'file or port, - is stdout', '-')
    .option('--truth <file>', 'write the meows and moves that are in it, as NDJSON')
    .addOption(new Option('--realtime', 'at the pace of real collars (default on a port)').conflicts('fast'))
    .option('--fast', 'as fast as it is read (default elsewhere)')
    .option('--noise <share>', 'share of frames or lines that the wire damages', decimal(0, 1), 0)
    .option('--dropout <share>', 'share of packets lost on the air', decimal(0, 1), 0.005)
    .addOption(
      new Option('--receiver <room>', 'where the receiver of the frames stands')
        .choices(ROOMS.map((room) => room.name))
        .default(ROOMS[0].name),
    )
    .option('--json', 'print the summary as JSON (with --out to a file or port)')
    .action(simulate);
}

async function simulate(options: Options): Promise<void> {
  const collars = options.collars ?? (options.format === 'csv' ? 1 : DEFAULT_COLLARS);
  if (options.format === 'csv' && collars !== 1) {
    throw new CommandError(EXIT.usage, 'csv holds the samples of one collar', 'use --collars 1, or --format json');
  }
  if (options.json === true && options.out === '-') {
    throw new CommandError(EXIT.usage, '--json would mix the summary into the readings', 'give a file with --out');
  }
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const opened: Output[] = [];
  try {
    const out =
      options.out === '-' ? streamOutput(process.stdout, stop.signal) : await openFor(options.out, stop.signal);
    opened.push(out);
    const truth = options.truth === undefined ? null : await openFor(options.truth, new AbortController().signal);
    if (truth !== null) opened.push(truth);
    const summary = await run({ ...options, collars }, out, truth, stop.signal);
    report(summary, options);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    for (const output of opened) await output.close();
  }
  if (stop.signal.aborted) process.exitCode = EXIT.interrupted;
}

async function run(
  options: Options & { readonly collars: number },
  out: Output,
  truth: Output | null,
  signal: AbortSignal,
): Promise<SimulationSummary> {
  const { collars, rate, seed, dropout, format, noise, seconds } = options;
  const onPort = out.isPort || (options.out === '-' && isatty(1));
  const realtime = options.realtime ?? (options.fast !== true && onPort);
  const simulation = createSimulation({ collars, rateHz: rate, seed, dropout, receiver: roomNamed(options.receiver) });
  const writing = { simulation, format, write: out.write, noise: createNoise(noise, seed) };
  const telling =
    truth === null
      ? {}
      : {
          tell: async (entries: readonly unknown[]) => {
            await truth.write(Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')));
          },
        };
  try {
    const pace = { seconds: seconds === 0 ? Number.POSITIVE_INFINITY : seconds, realtime };
    return await runSimulation({ ...writing, ...telling }, pace, signal);
  } catch (error) {
    throw new CommandError(EXIT.io, `cannot write: ${(error as Error).message}`, null, { cause: error });
  }
}

async function openFor(path: string, signal: AbortSignal): Promise<Output> {
  try {
    return await openOutput(path, signal);
  } catch (error) {
    throw new CommandError(EXIT.io, `cannot open ${path}: ${(error as Error).message}`, null, { cause: error });
  }
}

function report(summary: SimulationSummary, options: Options): void {
  const { seconds, frames, readings, meows, moves, disturbed } = summary;
  const damage = disturbed === 0 ? '' : `, ${disturbed} damaged`;
  tell(
    `SIMULATED ${seconds} s: ${frames} frames, ${readings} readings, ${meows} meows, ${moves} moves${damage} (seed ${options.seed})`,
  );
  if (options.json === true) printJson(summary);
}
