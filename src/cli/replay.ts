/**
 * `collard replay`: builds the next version of the models from the stored events, beside the live one and beside a central that
 * runs; compares, swaps. Exit 0: swapped, or built up to --to. 1: the live models differ, not swapped. 130: interrupted, goes on later.
 */
import { Command } from 'commander';
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import { openReplayStore } from '../central/open-store.ts';
import { type ReplayOutcome, runReplay } from '../central/replay.ts';
import type { ReplayStore } from '../central/store/replay-store.ts';
import { loadConfig } from '../lib/config-file.ts';
import { catList } from './cat-list.ts';
import { comparisonSentences } from './comparison.ts';
import { CommandError, EXIT } from './exit.ts';
import { moment } from './moment.ts';
import { openExisting } from './open-existing.ts';
import { print, printJson, safe, tell } from './output.ts';
import { createProgress } from './progress.ts';
import { asSealedFailure } from './sealed.ts';
import { stopOnSignals } from './stop.ts';
import { storeFileFailure } from './store-failure.ts';
import { version } from './version.ts';

/** What --model may name: both are made by one fold, so either is both. */
const MODELS: readonly string[] = ['cat', 'meowing'];

interface ReplayOptions {
  readonly config: string;
  readonly model?: string;
  readonly to?: string;
  readonly accept?: true;
  readonly swapBack?: true;
  readonly json?: true;
}

export function replayCommand(): Command {
  return new Command('replay')
    .description(
      'Build the read models anew from the stored events while central goes on, compare them with the live ones, and swap.',
    )
    .requiredOption('--config <file>', 'central.yaml')
    .option('--model <name>', `${MODELS.join(' or ')}: one fold makes both, so either names both`)
    .option('--to <time>', 'build them as of then, such as 2026-11-20T08:00Z, to look at: they do not go live')
    .option('--accept', 'take what the last replay built and found to differ from the live models')
    .option('--swap-back', 'make the version that was live before live again, brought up to now')
    .option('--json', 'print one JSON object')
    .action((options: ReplayOptions) => replay(options));
}

async function replay(options: ReplayOptions): Promise<void> {
  const { model, accept = false, swapBack = false } = options;
  if (model !== undefined && !MODELS.includes(model)) {
    throw new CommandError(EXIT.usage, `there is no model ${safe(model)}`, `known models: ${MODELS.join(', ')}`);
  }
  if ([accept, swapBack, options.to !== undefined].filter(Boolean).length > 1) {
    throw new CommandError(EXIT.usage, '--to, --accept and --swap-back are three things to do', 'give one of them');
  }
  const to = options.to === undefined ? null : moment('--to', options.to).toISOString();
  const config = loadConfig(options.config, centralSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value;
  const { url, password } = config.store;
  const { fold, retention } = config;
  const store = await openExisting(url, () => openReplayStore({ url, password, fold, segments: retention?.segments }));
  try {
    if (swapBack) await goBack(store, options);
    else await build(store, options, { to, accept, program: version() });
  } catch (error) {
    throw asFailure(error, options, url.replace(/^sqlite:/, ''));
  } finally {
    await store.close();
  }
}

async function build(
  store: ReplayStore,
  options: ReplayOptions,
  how: { readonly to: string | null; readonly accept: boolean; readonly program: string },
): Promise<void> {
  const progress = createProgress();
  const parts = { store, options: how, onProgress: progress.show, elapsedMs: () => performance.now() };
  const outcome = await runReplay(parts, stopOnSignals());
  progress.end();
  if (options.json === true) printJson(asJson(outcome, how.to));
  if (outcome.interrupted) {
    process.exitCode = EXIT.interrupted;
    return tell(`stopped: what is built stays, and the same command goes on from there`);
  }
  if (options.json !== true) for (const line of sentences(outcome, how.to)) print(line);
  const differs = outcome.comparison !== null && !outcome.comparison.equal;
  if (differs && !outcome.swapped) {
    const again = `collard replay --config ${safe(options.config)}`;
    tell(`not swapped. To take what was built: ${again} --accept; to build it anew: ${again}`);
  }
  if (differs && !outcome.swapped) process.exitCode = EXIT.checkFailed;
  else if (how.to === null && !outcome.swapped) {
    throw new CommandError(
      EXIT.retry,
      'the live models went on faster than they could be caught up with',
      'run it again',
    );
  }
}

async function goBack(store: ReplayStore, options: ReplayOptions): Promise<void> {
  const swapped = await store.swapBack();
  if (swapped === null) {
    throw new CommandError(EXIT.checkFailed, 'there is no version before the live one', 'collard replay makes one');
  }
  if (options.json === true) printJson({ swapped: true, ...swapped });
  else print(`version ${swapped.live} is live again, version ${swapped.previous} is kept`);
}

function asJson({ past, comparison, ...outcome }: ReplayOutcome, to: string | null): unknown {
  if (past !== null) return { ...outcome, to, ...past };
  if (comparison === null) return outcome;
  const { live, rebuilt, equal, inFlight, difference } = comparison;
  return { ...outcome, equal, digest: rebuilt, liveDigest: live, inFlight, difference };
}

function sentences(outcome: ReplayOutcome, to: string | null): string[] {
  const { version: built, events, seconds, eventsPerSecond, comparison, swapped, past } = outcome;
  const rate = eventsPerSecond === 0 ? '' : `, ${eventsPerSecond} events/s`;
  const lines = [`version ${built} is built of ${events} events in ${seconds.toFixed(1)} s${rate}`];
  if (past !== null) {
    lines.push(
      `the models as of ${to ?? ''}, in cat_v${built} and meowing_v${built} until the next replay: ${past.digest}`,
    );
    lines.push(catList(past.cats, new Date(to ?? Date.now())));
  }
  if (comparison !== null) lines.push(...comparisonSentences(comparison));
  if (swapped) lines.push(`version ${built} is live; the one before is kept: collard replay --swap-back`);
  return lines;
}

function asFailure(error: unknown, options: ReplayOptions, path: string): Error {
  if (error instanceof CommandError || !(error instanceof Error)) return error as Error;
  const code = 'code' in error ? String(error.code) : '';
  const fail = (exitCode: number, message: string, fix: string | null) =>
    new CommandError(exitCode, message, fix, { cause: error });
  if (code === 'REPLAY_TAKEN') return fail(EXIT.retry, 'another replay has taken this one over', 'let that one end');
  if (code === 'NOTHING_BUILT') {
    return fail(EXIT.checkFailed, error.message, `collard replay --config ${safe(options.config)}`);
  }
  if (code === 'FOLD_FAILED') return fail(EXIT.data, error.message, 'upgrade collard, or set fold: quarantine');
  if (code === 'STORE_FAILED') return fail(EXIT.io, error.message, 'look at the disk: is it failing?');
  if (code.startsWith('STORE_')) return fail(EXIT.unavailable, error.message, 'run it again: it goes on from there');
  // It may be the file that its events are sorted in.
  if (code === 'SQLITE_FULL') return fail(EXIT.io, error.message, 'free space for the store and for temporary files');
  return storeFileFailure(error, path) ?? (asSealedFailure(error) as Error);
}
