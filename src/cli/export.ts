/**
 * `collard export`: events of a log, or of a store with its segments, for other programs. A page is in memory at a time, and waits for
 * whoever reads. A file appears whole or not at all; with --resume what is written stays beside it until it is whole.
 */
import { Command, Option } from 'commander';
import { CommandError, EXIT } from './exit.ts';
import { createFormat, FORMATS, type Format, type FormatMemory, type FormatName } from './export-format.ts';
import { addFilter, type FilterWords, filterOf } from './filter.ts';
import { openTape } from './open-tape.ts';
import { leaveReader, type Output, openOutput } from './out-file.ts';
import { safe, tell } from './output.ts';
import { openResumable, type ResumableOutput } from './resumable-file.ts';
import { asSealedFailure } from './sealed.ts';
import { stopOnSignals } from './stop.ts';
import type { Tape } from './tape.ts';

interface Options extends FilterWords {
  readonly config: string;
  readonly format: FormatName;
  readonly out: string;
  readonly formulas?: true;
  /** False: --no-sealed. */
  readonly sealed: boolean;
  readonly resume?: true;
  readonly quiet?: true;
}

const PAGE_EVENTS = 1_000;
const SAVE_EVERY_MS = 1_000;
const TELL_EVERY_MS = { terminal: 500, other: 10_000 } as const;

export function exportCommand(): Command {
  const command = new Command('export')
    .description('Write events for other programs, from the log of an agent or the store of central.')
    .requiredOption('--config <file>', 'agent.yaml or central.yaml')
    .addOption(
      new Option(
        '--format <format>',
        'ndjson: CloudEvents, one a line; cloudevents: one JSON array of them (their batch format); csv: RFC 4180; influx: line protocol',
      )
        .choices(FORMATS)
        .makeOptionMandatory(),
    );
  return addFilter(command)
    .option('--out <file>', 'where to; - is stdout', '-')
    .option('--formulas', 'csv: leave cells as they are that a spreadsheet would take for formulas')
    .option('--no-sealed', 'central: leave out what lies in segments')
    .option('--resume', 'with --out: keep what is written where this is broken off, and go on from there')
    .option('--quiet', 'no progress')
    .action(exportEvents);
}

async function exportEvents(options: Options): Promise<void> {
  const { format, formulas = false, out: path, sealed, resume = false, quiet = false } = options;
  if (resume && path === '-') throw new CommandError(EXIT.usage, '--resume goes with --out FILE');
  const signal = stopOnSignals();
  const filter = filterOf(options);
  // What would make another file of it.
  const asked = JSON.stringify({ format, formulas, sealed, filter });
  const out = resume ? await openResumable(path) : { ...(await openOutput(path, signal)), saved: null };
  try {
    const before = beforeOf(out.saved, asked, path);
    // All of it once: what is stored above a gap, too.
    const question = { ...filter, scan: true, sealed };
    const tape = await openTape(options.config, before === null ? question : { ...question, place: before.place });
    try {
      const writer = createFormat(format, formulas, before?.memory);
      const job: Job = { tape, format: writer, out, asked, before: before?.events ?? null, quiet };
      const events = await writeAll(job, signal);
      if (signal.aborted) return tell(`stopped after ${events} events${stopped(options)}`);
      const remark = writer.remark();
      if (remark !== null) tell(remark);
      if (!quiet) tell(`${events} events${path === '-' ? '' : ` in ${safe(path)}`}`);
    } finally {
      await tape.close();
      if (signal.aborted) leaveReader();
    }
  } catch (error) {
    throw asFailure(error, path);
  } finally {
    await out.discard();
  }
}

/** What is saved with a file that is not finished. */
interface Memo {
  readonly asked: string;
  readonly events: number;
  readonly place: unknown;
  readonly memory: FormatMemory;
}

function beforeOf(saved: unknown, asked: string, path: string): Memo | null {
  if (saved === null) return null;
  const memo = saved as Memo;
  if (memo.asked === asked) return memo;
  const fix = `give the same options again, or remove ${path}.place to begin anew`;
  throw new CommandError(EXIT.usage, `${path}.part was begun with other options`, fix);
}

interface Job {
  readonly tape: Tape;
  readonly format: Format;
  readonly out: Output & Partial<ResumableOutput>;
  readonly asked: string;
  /** Events that were written before; null where the file is new. 0: it was broken off behind its head. */
  readonly before: number | null;
  readonly quiet: boolean;
}

/** Resolves to the number of events. What was written is durable then, unless the signal has aborted: then the file is not there. */
async function writeAll({ tape, format, out, asked, before, quiet }: Job, signal: AbortSignal): Promise<number> {
  let events = before ?? 0;
  const progress = createProgress(quiet, events);
  let savedAt = performance.now();
  const save = async () => {
    await out.save?.({ asked, events, place: tape.place(), memory: format.memory() } satisfies Memo);
    savedAt = performance.now();
  };
  try {
    if (before === null) await out.write(format.head);
    while (!signal.aborted) {
      const page = await tape.next(PAGE_EVENTS);
      if (page.length === 0) break;
      await out.write(page.map((told) => format.event(told)).join(''));
      events += page.length;
      progress.tell(events, tape.share());
      if (performance.now() - savedAt > SAVE_EVERY_MS) await save();
    }
    if (signal.aborted) await save();
    else {
      await out.write(format.foot());
      await out.finish();
    }
    return events;
  } finally {
    progress.end();
  }
}

function stopped({ out, resume }: Options): string {
  if (out === '-') return '';
  return resume === true ? ': the same command goes on from there' : ': no file was written';
}

function asFailure(error: unknown, path: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/^(ENOSPC|EDQUOT|EIO|EROFS|EFBIG|EACCES|EPERM)$/.test(code)) return asSealedFailure(error);
  return new CommandError(EXIT.io, `cannot write ${path}: ${code}`, 'make room where it goes', { cause: error });
}

/** One line that is written over on a terminal; else a line now and then. */
function createProgress(quiet: boolean, before: number) {
  const { isTTY } = process.stderr;
  const began = performance.now();
  let told = began;
  let open = false;
  return {
    tell(events: number, share: number) {
      const now = performance.now();
      if (quiet || now - told < TELL_EVERY_MS[isTTY ? 'terminal' : 'other']) return;
      told = now;
      const seconds = (now - began) / 1_000;
      const left = share > 0 ? `, about ${Math.ceil((seconds / share) * (1 - share))} s left` : '';
      const text = `${events} events (${Math.round(100 * share)} %), ${Math.round((events - before) / seconds)} a second${left}`;
      if (isTTY) process.stderr.write(`\r\u001b[K${text}`);
      else tell(text);
      open = isTTY;
    },
    end() {
      if (open) process.stderr.write('\r\u001b[K');
    },
  };
}
