/** `collard events`: prints events of the log of an agent or the store of central, in the words of the HTTP API. */
import { Command, Option } from 'commander';
import { wireEventText } from '../central/api/cloud-event.ts';
import type { AppliedCorrection } from '../central/store/corrections.ts';
import { encodeEvent } from '../contract/envelope.ts';
import { shortType } from '../contract/event.ts';
import { delay } from '../lib/wait.ts';
import { correctionCommands, placeOf } from './corrections.ts';
import { CommandError, EXIT } from './exit.ts';
import { addFilter, type FilterWords, filterOf } from './filter.ts';
import { wholeNumber } from './numbers.ts';
import { openTape } from './open-tape.ts';
import { leaveReader, toStdout } from './out-file.ts';
import { type Colour, paint, safe, tell } from './output.ts';
import { asSealedFailure } from './sealed.ts';
import type { Tape, Told } from './tape.ts';
import { cut, widthOf } from './text-width.ts';
import { versionsCommand } from './versions.ts';

interface Options extends FilterWords {
  readonly config: string;
  readonly id?: string;
  readonly follow?: true;
  readonly order: 'asc' | 'desc';
  readonly sort?: 'position' | 'time';
  readonly after?: string;
  readonly before?: string;
  readonly limit?: number;
  readonly sealed?: true;
  readonly json?: true;
}

const PAGE_EVENTS = 1_000;
const FOLLOW_MS = 250;
/** Of what an event says, at least so much is shown. */
const LEAST_SAID = 20;

export function eventsCommand(): Command {
  const command = new Command('events')
    .description('Print events from the log of an agent or the store of central.')
    .requiredOption('--config <file>', 'agent.yaml or central.yaml')
    .option('--id <epoch/seq>', 'only this one');
  for (const inner of [versionsCommand(), ...correctionCommands()]) command.addCommand(inner);
  return addFilter(command)
    .addOption(
      new Option('--order <order>', 'asc: as they follow each other; desc: newest first')
        .choices(['asc', 'desc'])
        .default('asc'),
    )
    .addOption(
      new Option(
        '--sort <key>',
        'position: the order of the store, in which nothing that comes late is missed; time: when it happened',
      ).choices(['position', 'time']),
    )
    .option('--after <cursor>', 'go on where a listing stopped, with --order asc')
    .option('--before <cursor>', 'the same with --order desc')
    .option('--limit <n>', 'stop after so many', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--sealed', 'also what lies in segments: that first, epoch by epoch, then the store by time')
    .option('--follow', 'go on with what comes, until Ctrl-C')
    .option('--json', 'print CloudEvents, one a line')
    .action(events);
}

async function events(options: Options): Promise<void> {
  refuseContradictions(options);
  const stop = new AbortController();
  const interrupt = () => {
    process.exitCode = EXIT.interrupted;
    stop.abort();
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', () => stop.abort());
  const { order, sort, after, before, sealed = false } = options;
  const question = {
    ...filterOf(options),
    order,
    ...(sort === undefined ? {} : { sort }),
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
    ...(sealed ? { scan: true } : {}),
  };
  const tape = await openTape(options.config, question);
  try {
    const leftOut = options.id === undefined && after === undefined ? await tape.leftOut() : null;
    if (leftOut !== null) tell(`events before ${leftOut} may be in segments: --sealed prints these, too`);
    if (options.id === undefined) await play(tape, options, stop.signal);
    else await printOne(tape, options.id, options.json === true);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'BAD_CURSOR')) throw asSealedFailure(error);
    const fix = 'give back the cursor that a listing in this order ended with';
    throw new CommandError(EXIT.usage, error.message, fix, { cause: error });
  } finally {
    await tape.close();
    process.removeListener('SIGINT', interrupt);
    if (stop.signal.aborted) leaveReader();
  }
}

function refuseContradictions({ order, sort, after, before, follow, sealed }: Options): void {
  const refuse = (text: string) => {
    throw new CommandError(EXIT.usage, text);
  };
  const others = [order === 'desc', sort, after, before, follow].some((word) => word !== undefined && word !== false);
  if (sealed === true && others)
    refuse('--sealed has an order of its own: no --order desc, --sort, --after, --before or --follow');
  if (order === 'desc' && sort === 'position') refuse('--sort position goes with --order asc');
  if (order === 'desc' && after !== undefined) refuse('--after goes with --order asc: use --before');
  if (order === 'asc' && before !== undefined) refuse('--before goes with --order desc: use --after');
  if (follow === true && (order === 'desc' || sort === 'time'))
    refuse('--follow goes with --order asc --sort position');
}

async function play(tape: Tape, options: Options, signal: AbortSignal): Promise<void> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  while (!signal.aborted && left > 0) {
    const page = await tape.next(Math.min(left, PAGE_EVENTS));
    if (page.length === 0) {
      if (options.follow !== true) return;
      await delay(FOLLOW_MS, signal);
      continue;
    }
    left -= page.length;
    const lines = page.map(options.json === true ? toJson : toLine);
    await toStdout(lines.map((line) => `${line}\n`).join(''), signal);
  }
  const cursor = tape.cursor();
  if (left === 0 && cursor !== null) tell(`more: ${options.order === 'asc' ? '--after' : '--before'} ${cursor}`);
}

async function printOne(tape: Tape, id: string, json: boolean): Promise<void> {
  const { epoch, seq } = placeOf(id);
  const told = await tape.event(epoch, seq);
  if (told === null) throw new CommandError(EXIT.checkFailed, `there is no event ${id}`);
  process.stdout.write(`${json ? toJson(told) : toLine(told)}\n`);
}

/** With what corrects it, as over HTTP. */
function toJson({ agent, event, known }: Told): string {
  // As printJson does: the same JSON, without controls.
  return safe(known === undefined ? encodeEvent(agent, event) : wireEventText({ ...known, position: null }));
}

/**
 * `2026-11-23T06:14:09.842Z  meow.ended  collar/C0FFEE01  durationMs=430 …  porch #18231`; ~ marks a time by a clock that was not set, ≈
 * one that central has corrected since. What is
 * corrected says so at its end. On a terminal an event is one line: what it says is cut where it is longer.
 */
function toLine({ agent, event, known }: Told): string {
  const isCorrected = known?.originalTime !== undefined && known.originalTime !== null;
  const time = `${event.time}${event.clock === 'synced' ? ' ' : isCorrected ? '≈' : '~'}`;
  const data = Object.entries(JSON.parse(event.data) as Record<string, unknown>);
  const words = data.map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const type = shortType(event.type);
  const [typed, subject, said] = [safe(type).padEnd(17), safe(event.subject ?? '-').padEnd(16), safe(words.join(' '))];
  const from = `${safe(agent)} #${event.seq}`;
  const correction = known?.correction ?? null;
  const note = correction === null ? '' : correctedBy(correction);
  const others = [time, typed, subject, from, ...(note === '' ? [] : [note])];
  const room = process.stdout.columns - others.reduce((sum, text) => sum + widthOf(text) + 1, 0);
  return [
    paint(time, 'dim'),
    colourOf(type) === null ? typed : paint(typed, colourOf(type) ?? 'dim'),
    subject,
    process.stdout.isTTY ? cut(said, Math.max(LEAST_SAID, room)) : said,
    paint(from, 'dim'),
    ...(note === '' ? [] : [paint(note, 'yellow')]),
  ].join(' ');
}

/** What is wrong is red, what may become so yellow, a cat that shakes or goes cyan. */
function colourOf(type: string): Colour | null {
  if (/^(history\.|sensor\.failed|alert\.raised)/.test(type)) return 'red';
  if (/^(collar\.silent|battery\.low|event\.)/.test(type)) return 'yellow';
  return /^(meow\.|cat\.moved)/.test(type) ? 'cyan' : null;
}

function correctedBy({ by, catId, reason }: AppliedCorrection): string {
  const what = catId === null ? 'taken back' : `given to cat ${catId}`;
  return `[${what} by ${by}: ${safe(reason)}]`;
}
