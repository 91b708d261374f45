/** `collard status [--watch]`: how an agent of this machine, or everything that a central knows, stands now. */
import { Command } from 'commander';
import type { SourceHealth } from '../contract/message.ts';
import { delay } from '../lib/wait.ts';
import { ask, type CentralAddress } from './ask-central.ts';
import { askReport, type Report } from './ask-report.ts';
import { loadAnyConfig } from './config.ts';
import { CommandError, EXIT } from './exit.ts';
import { decimal } from './numbers.ts';
import { print, printJson, tell } from './output.ts';
import { agentText, type CentralView, centralText, type PerSecond } from './status-text.ts';
import { stopOnSignals } from './stop.ts';

interface Options extends CentralAddress {
  readonly watch?: true;
  readonly every: number;
  readonly json?: true;
}

export function statusCommand(): Command {
  return new Command('status')
    .description(
      'Tell how an agent of this machine stands (loops, queue, sources, collars), or all agents and cats of a central. ' +
        'Exit 1: the agent does not run, or something is stalled.',
    )
    .option('-c, --config <file>', 'agent.yaml: the agent of this log; central.yaml: the central that it is for')
    .option('--url <url>', 'address of a central, instead of --config')
    .option('--watch', 'look again and again, until Ctrl-C')
    .option('--every <s>', 'with --watch: so many seconds between two looks', decimal(0.2, 3_600), 2)
    .option('--json', 'print one JSON object a look')
    .action(status);
}

/** What there is to see, as JSON and in words, and whether all is well. */
interface Look {
  readonly json: unknown;
  readonly text: string;
  readonly isWell: boolean;
}

async function status(options: Options): Promise<void> {
  const look = lookerOf(options);
  if (options.watch !== true) {
    const { json, text, isWell } = await look();
    if (options.json === true) printJson(json);
    else print(text);
    if (!isWell) process.exitCode = EXIT.checkFailed;
    return;
  }
  const stop = stopOnSignals();
  const isScreen = process.stdout.isTTY && options.json !== true;
  while (!stop.aborted) {
    try {
      const { json, text } = await look();
      // From the top of the screen, with what was below taken away.
      if (isScreen) process.stdout.write(`\u001b[H\u001b[J${text}\n\n${new Date().toISOString()}, Ctrl-C ends\n`);
      else if (options.json === true) printJson(json);
      else print(`${text}\n`);
    } catch (error) {
      // What does not answer now may do so in a moment.
      if (!(error instanceof CommandError) || ![EXIT.unavailable, EXIT.retry].some((code) => code === error.exitCode))
        throw error;
      if (isScreen) process.stdout.write('\u001b[H\u001b[J');
      tell(error.message);
    }
    await delay(options.every * 1_000, stop);
  }
}

function lookerOf(options: Options): () => Promise<Look> {
  const any = options.config === undefined ? null : loadAnyConfig(options.config);
  if (any?.kind === 'agent') {
    const perSecond = createRates(() => performance.now());
    return async () => {
      const report = await reportOf(any.config.value.log.path);
      const isWell = report.state === 'running' && !report.health.stalled;
      return { json: report, text: agentText(report, perSecond(), Date.now()), isWell };
    };
  }
  return async () => {
    const [{ agents }, { cats }] = await Promise.all([
      ask<Pick<CentralView, 'agents'>>(options, 'GET', 'agents'),
      ask<Pick<CentralView, 'cats'>>(options, 'GET', 'cats'),
    ]);
    const isWell = agents.every(({ health }) => health?.stalled !== true);
    return { json: { agents, cats }, text: centralText({ agents, cats }, Date.now()), isWell };
  };
}

async function reportOf(logPath: string): Promise<Report> {
  try {
    return await askReport(logPath);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(
      EXIT.unavailable,
      `the agent does not run, and ${text}`,
      'start it: collard agent --config FILE',
      {
        cause,
      },
    );
  }
}

/** From the look before to this one; what the agent says itself at the first. */
function createRates(nowMs: () => number): () => PerSecond {
  let before = new Map<string, { readonly readings: number; readonly atMs: number }>();
  return () => {
    const atMs = nowMs();
    const earlier = before;
    before = new Map();
    return ({ source, readings, perSecond }: SourceHealth) => {
      before.set(source, { readings, atMs });
      const last = earlier.get(source);
      // An agent that was started again counts from nothing.
      if (last === undefined || readings < last.readings || atMs <= last.atMs) return perSecond ?? null;
      return (1_000 * (readings - last.readings)) / (atMs - last.atMs);
    };
  };
}
