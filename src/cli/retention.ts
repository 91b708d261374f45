/** `collard retention …`: what is old, in sealed segments. Reads and writes the store beside a central that runs. */
import { Command } from 'commander';
import { CENTRAL_SECRETS, type CentralConfig, centralSchema } from '../central/config.ts';
import { retain } from '../central/retain.ts';
import type { SegmentRow } from '../central/store/retention-store.ts';
import { verifySegment } from '../central/store/segment-file.ts';
import type { Store } from '../central/store/store.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { createMeter } from './meter.ts';
import { paint, print, printJson, safe, table, tell } from './output.ts';
import { stopOnSignals } from './stop.ts';
import { openExistingStore } from './verify.ts';

interface Options {
  readonly config: string;
  readonly json?: true;
}

type Retention = NonNullable<CentralConfig['retention']>;

export function retentionCommand(): Command {
  const command = new Command('retention').description(
    'Old events in sealed segments: move them, list and verify them.',
  );
  const sub = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      .requiredOption('--config <file>', 'central.yaml')
      .option('--json', 'print JSON');
  sub('run', 'Move what is older than retention.keepDays into segments now; central does it once a day.').action(run);
  sub('status', 'Print the segments, and what the store still holds.').action(status);
  sub(
    'verify',
    'Read every segment and compare it with its hash, its chain and the store. Exit 1: one is damaged.',
  ).action(verify);
  return command;
}

async function opened(options: Options, work: (store: Store, retention: Retention) => Promise<void>): Promise<void> {
  const config = loadConfig(options.config, centralSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value;
  if (config.retention === undefined) {
    const fix = 'add retention: { keepDays: 90, segments: /var/lib/collard/segments }';
    throw new CommandError(EXIT.config, `${options.config} keeps all events for ever`, fix);
  }
  const store = await openExistingStore(config.store);
  try {
    await work(store, config.retention);
  } finally {
    await store.close();
  }
}

function run(options: Options): Promise<void> {
  const signal = stopOnSignals();
  return opened(options, async (store, retention) => {
    const told = (file: string, events: number) => tell(`${file}: ${events} events so far`);
    try {
      const { segments, events, waiting } = await retain(store, retention, new Date(), { signal, told });
      if (options.json === true) printJson({ segments, events, waiting });
      else
        print(waiting === null ? `${events} events are in ${segments} new segments` : `nothing was done: ${waiting}`);
      if (waiting !== null) process.exitCode = EXIT.retry;
    } catch (error) {
      throw asFailure(error);
    }
  });
}

function status(options: Options): Promise<void> {
  return opened(options, async (store, { segments: dir, keepDays }) => {
    const rows = await store.segments();
    if (options.json === true) {
      for (const row of rows) printJson(row);
      return;
    }
    const oldest = (await store.oldest({ limit: 1 })).events[0]?.time ?? 'none';
    print(`kept for ${keepDays} days, then in ${safe(dir)}; the oldest event in the store: ${oldest}`);
    const cells = rows.map((row) => [
      ...[safe(row.agent), `${row.fromSeq} to ${row.toSeq}`, String(row.events)],
      ...[row.done ? 'sealed' : 'rows are being deleted', safe(row.file)],
    ]);
    if (rows.length > 0) print(table(['agent', 'seqs', 'events', 'state', 'file'], cells));
  });
}

function verify(options: Options): Promise<void> {
  return opened(options, async (store, { segments: dir }) => {
    const rows = await store.segments();
    const meter = createMeter();
    let bad = 0;
    for (const [i, row] of rows.entries()) {
      meter.at(i, rows.length, row.file);
      const reason = await damageOf(dir, row, rows[i - 1]);
      if (reason !== null || i === rows.length - 1) meter.clear();
      if (reason !== null) bad += 1;
      if (options.json === true) printJson({ ...row, status: reason === null ? 'sound' : 'damaged', reason });
      else if (reason !== null) print(`${paint('damaged', 'red')} ${safe(reason)}`);
    }
    if (options.json !== true) print(`${rows.length - bad} of ${rows.length} segments are sound`);
    if (bad > 0) process.exitCode = EXIT.checkFailed;
  });
}

/** Null where it is whole, is the one that was sealed, and goes on where the one before it ends. */
async function damageOf(dir: string, row: SegmentRow, before: SegmentRow | undefined): Promise<string | null> {
  try {
    const manifest = await verifySegment(dir, row.file);
    if (manifest.sha256 !== row.sha256 || manifest.toSeq !== row.toSeq) {
      return `${row.file} is not the segment that was sealed: put that one back from a backup`;
    }
    const follows = before?.epoch === row.epoch ? before.chain : manifest.chainBefore;
    return manifest.chainBefore === follows ? null : `${row.file} does not go on where the one before it ends`;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'SEGMENT_DAMAGED') return error.message;
    throw error;
  }
}

function asFailure(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!(error instanceof Error)) return error;
  if (code === 'RETENTION_RUNS') return new CommandError(EXIT.retry, error.message, null, { cause: error });
  if (/^SEGMENT_/.test(code)) return new CommandError(EXIT.data, error.message, null, { cause: error });
  if (/^(ENOSPC|EDQUOT|EACCES|EROFS|EIO|EPERM|ENOTDIR)$/.test(code)) {
    const fix = 'make room for the segments, or let this user write there: nothing was deleted';
    return new CommandError(EXIT.io, error.message, fix, { cause: error });
  }
  return error;
}
