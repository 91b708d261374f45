/**
 * `collard export`: events of a log or a store for other programs. A page is in memory at a time, and waits for whoever reads.
 * A file appears whole or not at all.
 */
import { Command, Option } from 'commander';
import { CommandError, EXIT } from './exit.ts';
import { createFormat, FORMATS, type Format, type FormatName } from './export-format.ts';
import { addFilter, type FilterWords, filterOf } from './filter.ts';
import { leaveReader, openOutput } from './out-file.ts';
import { safe, tell } from './output.ts';
import { stopOnSignals } from './stop.ts';
import { openTape, type Tape } from './tape.ts';

interface Options extends FilterWords {
  readonly config: string;
  readonly format: FormatName;
  readonly out: string;
  readonly formulas?: true;
  readonly quiet?: true;
}

const PAGE_EVENTS = 1_000;
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
    .option('--quiet', 'no progress')
    .action(exportEvents);
}

async function exportEvents(options: Options): Promise<void> {
  const signal = stopOnSignals();
  // By time: this order has what is stored above a gap, too.
  const tape = await openTape(options.config, { ...filterOf(options), scan: true });
  try {
    const format = createFormat(options.format, options.formulas === true);
    const events = await writeAll(tape, format, options, signal);
    if (signal.aborted)
      return tell(`stopped after ${events} events${options.out === '-' ? '' : ': no file was written'}`);
    const remark = format.remark();
    if (remark !== null) tell(remark);
    if (options.quiet !== true) tell(`${events} events${options.out === '-' ? '' : ` in ${safe(options.out)}`}`);
  } finally {
    await tape.close();
    if (signal.aborted) leaveReader();
  }
}

/** Resolves to the number of events. What was written is durable then, unless the signal has aborted: then the file is gone. */
async function writeAll(tape: Tape, format: Format, options: Options, signal: AbortSignal): Promise<number> {
  const out = await openOutput(options.out, signal);
  const progress = createProgress(options.quiet === true);
  let events = 0;
  try {
    await out.write(format.head);
    while (!signal.aborted) {
      const page = await tape.next(PAGE_EVENTS);
      if (page.length === 0) break;
      await out.write(page.map((told) => format.event(told)).join(''));
      events += page.length;
      progress.tell(events, tape.share());
    }
    if (!signal.aborted) await out.write(format.foot());
    if (!signal.aborted) await out.finish();
    return events;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!/^(ENOSPC|EDQUOT|EIO|EROFS|EFBIG|EACCES|EPERM)$/.test(code)) throw error;
    throw new CommandError(EXIT.io, `cannot write ${options.out}: ${code}`, 'make room where it goes', {
      cause: error,
    });
  } finally {
    progress.end();
    await out.discard();
  }
}

/** One line that is written over on a terminal; else a line now and then. */
function createProgress(quiet: boolean) {
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
      const text = `${events} events (${Math.round(100 * share)} %), ${Math.round(events / seconds)} a second${left}`;
      if (isTTY) process.stderr.write(`\r\u001b[K${text}`);
      else tell(text);
      open = isTTY;
    },
    end() {
      if (open) process.stderr.write('\r\u001b[K');
    },
  };
}
