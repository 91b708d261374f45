/** `collard report`: what one cat did in some days, as one HTML file for the vet. Reads the store beside a central that runs. */
import { Command } from 'commander';
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import { createCalendar } from '../central/models/calendar.ts';
import type { Stretch } from '../central/models/report.ts';
import { openPictures } from '../central/pictures.ts';
import { type Report, reportOf } from '../central/report.ts';
import type { CatRow } from '../central/store/store.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { createMeter } from './meter.ts';
import { moment } from './moment.ts';
import { openOutput } from './out-file.ts';
import { printJson, safe, tell } from './output.ts';
import { reportPage } from './report-page.ts';
import { asSealedFailure } from './sealed.ts';
import { openExistingStore } from './verify.ts';
import { version } from './version.ts';

interface Options {
  readonly config: string;
  readonly cat: string;
  readonly week?: true;
  readonly month?: true;
  readonly from?: string;
  readonly to?: string;
  readonly tz?: string;
  readonly out?: string;
  readonly json?: true;
}

const DAYS = { week: 7, month: 30 } as const;
const MAX_DAYS = 400;
const DAY_MS = 86_400_000;

export function reportCommand(): Command {
  return new Command('report')
    .description(
      'Write what a cat did in some days as one HTML file: shaking by day and hour, places, and what is missing.',
    )
    .requiredOption('--config <file>', 'central.yaml')
    .requiredOption('--cat <cat>', 'name or number')
    .option('--week', 'today and the six days before (where nothing else is said)')
    .option('--month', 'today and the 29 days before')
    .option('--from <time>', 'from then on, such as 2026-11-01, the beginning of a day')
    .option('--to <time>', 'before then; now where it is absent')
    .option('--tz <zone>', 'the time zone whose days are meant, such as Europe/Berlin; that of this machine')
    .option('--out <file>', '- is stdout; collard-NAME-DATE.html where it is absent')
    .option('--json', 'print what it tells as one JSON object instead')
    .action((options: Options) => report(options));
}

async function report(options: Options): Promise<void> {
  const now = new Date();
  const span = spanOf(options, now);
  const { env } = process;
  const {
    store: place,
    retention,
    http,
  } = loadConfig(options.config, centralSchema, {
    env,
    credentialsDirectory: env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value;
  const store = await openExistingStore(place);
  const meter = createMeter();
  let found: Report;
  try {
    const catId = idOf(await store.cats(now), options.cat);
    found = await reportOf(store, { catId, tz: options.tz, ...span }, now, retention?.segments, (share) =>
      meter.at(share, 1, 'reading'),
    );
  } catch (error) {
    throw asSealedFailure(error);
  } finally {
    meter.clear();
    await store.close();
  }
  if (options.json === true) return printJson(found);
  const path = options.out ?? `collard-${fileName(found.cat.name)}-${now.toISOString().slice(0, 10)}.html`;
  const output = await openOutput(path, new AbortController().signal);
  try {
    const picture = await openPictures(http.pictures).read(found.cat);
    await output.write(reportPage(found, version(), picture));
    await output.finish();
  } finally {
    await output.discard();
  }
  if (path !== '-') tell(`${safe(path)}: ${found.total.meows} shakes in ${found.days.length} days`);
}

/** Whole days of the zone, the last one up to now. Throws CommandError. */
function spanOf({ week, month, from, to, tz }: Options, now: Date): Stretch {
  const usage = (text: string, fix: string | null = null) => new CommandError(EXIT.usage, text, fix);
  if ([week, month, from].filter((one) => one !== undefined).length > 1)
    throw usage('only one of --week, --month and --from');
  const calendar = calendarOf(tz);
  const toMs = to === undefined ? now.getTime() : localMoment('--to', to, calendar);
  const days = month === true ? DAYS.month : DAYS.week;
  // Noon of that day: a day of 23 or 25 hours does not lead to another one.
  const firstMs = calendar.spanOf(calendar.spanOf(toMs - 1).fromMs + DAY_MS / 2 - (days - 1) * DAY_MS).fromMs;
  const fromMs = from === undefined ? firstMs : localMoment('--from', from, calendar);
  if (fromMs >= toMs) throw usage('--from is not before --to');
  if (toMs - fromMs > MAX_DAYS * DAY_MS) throw usage(`more than ${MAX_DAYS} days`, 'ask for less');
  return { fromMs, toMs };
}

function calendarOf(tz: string | undefined): ReturnType<typeof createCalendar> {
  try {
    return createCalendar('day', tz);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const fix = 'name one such as Europe/Berlin';
    throw new CommandError(EXIT.usage, `"${safe(tz ?? '')}" is no time zone`, fix, { cause: error });
  }
}

/** A date alone is the beginning of that day in the zone. */
function localMoment(option: string, text: string, calendar: ReturnType<typeof createCalendar>): number {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return moment(option, text).getTime();
  const noon = moment(option, `${text}T12:00:00Z`).getTime();
  const day = [noon - DAY_MS, noon, noon + DAY_MS].map(calendar.spanOf).find(({ from }) => from.startsWith(text));
  return day?.fromMs ?? noon;
}

/** A name before a number: a cat may be called 7. */
function idOf(cats: readonly CatRow[], cat: string): number {
  const fold = (name: string) => name.normalize('NFC').trim().toLowerCase();
  const known = cats.find((row) => fold(row.name) === fold(cat)) ?? cats.find((row) => String(row.id) === cat);
  if (known !== undefined) return known.id;
  const names = cats.map(({ name }) => safe(name)).join(', ');
  throw new CommandError(EXIT.checkFailed, 'cat not found', names === '' ? null : `there are ${names}`);
}

/** A name may hold what a path must not. */
function fileName(name: string): string {
  return name.replace(/[^\p{L}\p{N}-]+/gu, '-').replace(/^-+|-+$/g, '') || 'cat';
}
