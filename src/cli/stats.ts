/** `collard stats`: events of each cat counted by hour or day, in the words of the HTTP API. Reads the store beside a central that runs. */
import { Command, Option } from 'commander';
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import { type Stats, statsOf } from '../central/stats.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { addTimes, addTypes, catOption, type FilterWords, filterOf } from './filter.ts';
import { createMeter } from './meter.ts';
import { type Cell, print, printJson, safe, table, tell } from './output.ts';
import { asSealedFailure } from './sealed.ts';
import { openExistingStore } from './verify.ts';

interface Options extends Pick<FilterWords, 'type' | 'cat' | 'from' | 'to'> {
  readonly config: string;
  readonly by: 'hour' | 'day';
  readonly tz?: string;
  readonly json?: true;
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const BAR_WIDTH = 12;

export function statsCommand(): Command {
  const command = new Command('stats')
    .description('Count the events of each cat by hour or day, and tell how long its meows were.')
    .requiredOption('--config <file>', 'central.yaml')
    .addOption(new Option('--by <span>', 'hour or day').choices(['hour', 'day']).default('day'))
    .option('--tz <zone>', 'the time zone whose hours and days are meant, such as Europe/Berlin; that of this machine');
  return addTimes(addTypes(command).addOption(catOption()))
    .option('--json', 'print one JSON object a row')
    .action(stats);
}

async function stats(options: Options): Promise<void> {
  const { by, tz } = options;
  const { store: place, retention } = loadConfig(options.config, centralSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value;
  const store = await openExistingStore(place);
  const meter = createMeter();
  try {
    const question = { ...filterOf(options), by, ...(tz === undefined ? {} : { tz }) };
    const now = new Date();
    const horizon = await store.horizon();
    const show = (share: number) => meter.at(share, 1, 'counting');
    let counted = await statsOf(store, question, now, undefined, show);
    meter.clear();
    // Where some of what is asked for lies in segments, everything is counted once more, with them.
    if (horizon !== '' && counted.from < horizon) {
      if (retention === undefined)
        tell(`events before ${horizon} are in segments and not counted: name retention.segments`);
      else {
        tell(`events before ${horizon} are in segments: they are read, too`);
        counted = await statsOf(store, question, now, retention.segments, show);
      }
    }
    meter.clear();
    if (options.json === true) for (const row of counted.rows) printJson(row);
    else print(listOf(counted));
  } catch (error) {
    throw asFailure(error);
  } finally {
    meter.clear();
    await store.close();
  }
}

function asFailure(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  const exitCode = { BAD_TIME_ZONE: EXIT.usage, CAT_NOT_FOUND: EXIT.checkFailed, TOO_MUCH_HISTORY: EXIT.data }[
    String(code)
  ];
  if (exitCode === undefined || !(error instanceof Error)) return asSealedFailure(error);
  return new CommandError(exitCode, error.message, null, { cause: error });
}

function listOf({ rows, from, to, tz, by }: Stats): string {
  if (rows.length === 0) return `no events of a cat from ${from} to ${to}`;
  const most = Math.max(...rows.map(({ meows }) => meows));
  const cells = rows.map((row, i): readonly Cell[] => {
    const when = whenOf(row.from, by);
    return [
      // Once for all cats of a day or hour.
      rows[i - 1]?.from === row.from ? '' : when,
      [safe(row.name), 'bold'],
      String(row.events),
      String(row.meows),
      [barOf(row.meows, most), 'yellow'],
      row.meanMs === null ? '-' : `${(row.meowMs / 1_000).toFixed(1)} s`,
      row.meanMs === null ? '-' : `${(row.meanMs / 1_000).toFixed(2)} s`,
    ];
  });
  const head = [`${by} (${tz})`, 'cat', 'events', 'meows', '', 'together', 'mean'];
  return table(head, cells, { right: ['events', 'meows', 'together', 'mean'] });
}

/** `Mon 2026-11-23`, and with the hour and its offset, as an hour may come twice. */
function whenOf(from: string, by: 'hour' | 'day'): string {
  const date = from.slice(0, 10);
  const day = WEEKDAYS[new Date(`${date}T00:00:00Z`).getUTCDay()] ?? '';
  return by === 'day' ? `${day} ${date}` : `${day} ${date} ${from.slice(11, 16)} ${from.slice(19)}`;
}

function barOf(value: number, most: number): string {
  if (value === 0 || most === 0) return '';
  return '▇'.repeat(Math.max(1, Math.round((BAR_WIDTH * value) / most)));
}
