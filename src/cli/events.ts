/** `collard events`: prints events in their order, from the log of an agent or the store of central. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { codeOf } from '../agent/log/log-error.ts';
import { openLogReader } from '../agent/log/open-log-reader.ts';
import { openStore } from '../central/open-store.ts';
import { decodeCursor } from '../central/store/cursor.ts';
import type { Cursor } from '../central/store/store.ts';
import { encodeEvent } from '../contract/envelope.ts';
import { collarOf, fullType, type StoredEvent, shortType } from '../contract/event.ts';
import { delay } from '../lib/wait.ts';
import { loadAnyConfig } from './config.ts';
import { CommandError, EXIT } from './exit.ts';
import { wholeNumber } from './numbers.ts';
import { paint, safe } from './output.ts';

interface Options {
  readonly config: string;
  readonly follow?: true;
  readonly type?: readonly string[];
  readonly collar?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly json?: true;
}

interface Told {
  readonly agent: string;
  readonly event: StoredEvent;
}

/** Everything after what was given before, a page at a time; an empty page: nothing more for now. */
interface Tape {
  next(): Promise<readonly Told[]>;
  close(): Promise<void>;
}

const PAGE_EVENTS = 1_000;
const PAGE_BYTES = 4 * 1024 * 1024;
const FOLLOW_MS = 250;

export function eventsCommand(): Command {
  return new Command('events')
    .description('Print events in their order, from the log of an agent or the store of central.')
    .requiredOption('--config <file>', 'agent.yaml or central.yaml')
    .option('--follow', 'go on with what comes, until Ctrl-C')
    .option('--type <types>', 'only these, such as meow.started,meow.ended', (text) => text.split(',').map(fullType))
    .option('--collar <id>', 'only of this collar')
    .option('--from <time>', 'from then on, such as 2026-11-23T06:00Z', time)
    .option('--to <time>', 'before then', time)
    .option('--limit <n>', 'stop after so many', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print CloudEvents, one a line')
    .action(events);
}

async function events(options: Options): Promise<void> {
  const stop = new AbortController();
  const interrupt = () => {
    process.exitCode = EXIT.interrupted;
    stop.abort();
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', () => stop.abort());
  const tape = await openTape(options);
  try {
    await play(tape, options, stop.signal);
  } finally {
    await tape.close();
    process.removeListener('SIGINT', interrupt);
  }
}

async function play(tape: Tape, options: Options, signal: AbortSignal): Promise<void> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  while (!signal.aborted && left > 0) {
    const page = await tape.next();
    if (page.length === 0) {
      if (options.follow !== true) return;
      await delay(FOLLOW_MS, signal);
      continue;
    }
    const wanted = page.filter(({ event }) => isWanted(event, options)).slice(0, left);
    left -= wanted.length;
    const lines = wanted.map(options.json === true ? toJson : toLine);
    await write(lines.map((line) => `${line}\n`).join(''), signal);
  }
}

async function openTape(options: Options): Promise<Tape> {
  const { kind, config } = loadAnyConfig(options.config);
  if (kind === 'agent') return logTape(config.value.log.path);
  return storeTape(config.value.store.url, options);
}

/** The log of an agent, epoch by epoch; works beside the agent that writes it. */
function logTape(path: string): Tape {
  const reader = openReader(path);
  let epochNo = 0;
  let seq = 0;
  return {
    async next() {
      const epochs = reader.epochs();
      for (; epochNo < epochs.length; epochNo += 1, seq = 0) {
        const head = epochs[epochNo];
        if (head === undefined) return [];
        const from = Math.max(seq + 1, head.firstSeq);
        const found = await reader.read(head.epoch, from, head.lastSeq, PAGE_EVENTS, PAGE_BYTES);
        seq = found.at(-1)?.seq ?? seq;
        if (found.length > 0) return found.map((event) => ({ agent: reader.agent, event }));
        // The newest epoch may grow: it is asked again.
        if (epochNo === epochs.length - 1) return [];
      }
      return [];
    },
    close: async () => reader.close(),
  };
}

function openReader(path: string): ReturnType<typeof openLogReader> {
  try {
    return openLogReader(path);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const exitCode = codeOf(error).startsWith('LOG_') ? EXIT.unavailable : EXIT.io;
    throw new CommandError(exitCode, error.message, null, { cause: error });
  }
}

/** The store of central, in each agent's order; works beside the central that writes it. */
async function storeTape(url: string, options: Options): Promise<Tape> {
  const path = url.replace(/^sqlite:/, '');
  if (!existsSync(path)) {
    throw new CommandError(
      EXIT.unavailable,
      `there is no store at ${path}`,
      'start central once, or correct store.url',
    );
  }
  const store = await openStore({ url });
  const { type: types, collar, from, to } = options;
  const filter = {
    ...(types === undefined ? {} : { types }),
    ...(collar === undefined ? {} : { collar }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
  let after: Cursor = new Map();
  return {
    async next() {
      const page = await store.events({ ...filter, after, limit: PAGE_EVENTS });
      after = decodeCursor(page.next);
      return page.events.map((event) => ({ agent: event.agent, event }));
    },
    close: () => store.close(),
  };
}

function isWanted(event: StoredEvent, { type, collar, from, to }: Options): boolean {
  if (type !== undefined && !type.includes(event.type)) return false;
  if (collar !== undefined && collarOf(event) !== collar) return false;
  return (from === undefined || event.time >= from) && (to === undefined || event.time < to);
}

function toJson({ agent, event }: Told): string {
  // As printJson does: the same JSON, without controls.
  return safe(encodeEvent(agent, event));
}

/** `2026-11-23T06:14:09.842Z  meow.ended  collar/C0FFEE01  durationMs=430 …  porch #18231`; ~ marks an unset clock. */
function toLine({ agent, event }: Told): string {
  const time = `${event.time}${event.clock === 'synced' ? ' ' : '~'}`;
  const data = Object.entries(JSON.parse(event.data) as Record<string, unknown>);
  const words = data.map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [
    paint(time, 'dim'),
    safe(shortType(event.type)).padEnd(17),
    safe(event.subject ?? '-').padEnd(16),
    safe(words.join(' ')),
    paint(`${safe(agent)} #${event.seq}`, 'dim'),
  ].join(' ');
}

/** Waits while the reader of a pipe is slow, so that a long log does not pile up in memory. */
async function write(text: string, signal: AbortSignal): Promise<void> {
  if (text === '' || process.stdout.write(text)) return;
  await once(process.stdout, 'drain', { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

function time(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('expected a time such as 2026-11-23T06:00Z');
  return new Date(ms).toISOString();
}
