/** `collard events versions`: which types and versions are stored, and which of them this program can read. */
import { Command } from 'commander';
import type { CentralConfig } from '../central/config.ts';
import type { FoldStatus, StoredVersion } from '../central/store/fold-status.ts';
import { type Readable, readable } from '../contract/upcast.ts';
import { loadAnyConfig } from './config.ts';
import { openTape } from './open-tape.ts';
import { print, printJson, safe, table, tell } from './output.ts';
import { openExistingStore } from './verify.ts';

interface Options {
  readonly config: string;
  readonly json?: true;
}

/** `leftOut`: of these, what the models of central are made without. */
interface ShownVersion extends StoredVersion {
  readonly readable: Readable;
  readonly leftOut: number;
}

const PAGE_EVENTS = 1_000;
const WORDS: { readonly [R in Readable]: string } = {
  current: 'as it is',
  older: 'as an older version',
  newer: 'no: upgrade collard',
  unknown: 'no: unknown type',
};

/** For `collard events`, whose --config and --json it uses. */
export function versionsCommand(): Command {
  return new Command('versions')
    .description('Print which types and versions are stored, and which of them this program reads.')
    .addHelpText('after', '\n--config names agent.yaml or central.yaml. All that is stored is looked through.')
    .action((_own: unknown, command: Command) => versions(command.optsWithGlobals<Options>()));
}

async function versions({ config, json }: Options): Promise<void> {
  const { kind, config: file } = loadAnyConfig(config);
  const { found, status } = kind === 'central' ? await ofStore(file.value.store) : await ofLog(config);
  const shown = found.map((one): ShownVersion => {
    const skipped = status.skipped.filter(({ type, version }) => type === one.type && version === one.version);
    const leftOut = skipped.reduce((sum, { events }) => sum + events, 0);
    return { ...one, readable: readable(one.type, one.version), leftOut };
  });
  if (json === true) for (const one of shown) printJson(one);
  else if (shown.length === 0) print('no events yet');
  else print(table(['type', 'version', 'events', 'first', 'last', 'is read', 'left out'], shown.map(rowOf)));
  tellStatus(status);
}

/** Says on stderr what the models are made without, where they need it, and where they stand still. */
export function tellStatus({ skipped, stopped }: FoldStatus): void {
  for (const { type, version, events, needed, reason } of skipped) {
    if (!needed) continue;
    tell(`warning: ${events} events ${safe(type)} version ${version} are left out of the cats: ${safe(reason)}`);
  }
  if (stopped === null) return;
  const { id, agent, reason } = stopped;
  tell(`warning: the cats stand still before ${id} of ${safe(agent)}: ${safe(reason)}`);
  tell('fix: upgrade collard, take the event back (collard events revoke), or set fold: quarantine');
}

async function ofStore(place: CentralConfig['store']) {
  const store = await openExistingStore(place);
  try {
    return { found: await store.versions(), status: await store.foldStatus() };
  } finally {
    await store.close();
  }
}

/** An agent makes no models of its events. */
async function ofLog(file: string) {
  const tape = await openTape(file, {});
  const found = new Map<string, StoredVersion>();
  try {
    for (;;) {
      const page = await tape.next(PAGE_EVENTS);
      if (page.length === 0) break;
      for (const { event } of page) {
        const { type, version, time } = event;
        const { events, first, last } = found.get(`${type} ${version}`) ?? { events: 0, first: time, last: time };
        const [earliest, latest] = [time < first ? time : first, time > last ? time : last];
        found.set(`${type} ${version}`, { type, version, events: events + 1, first: earliest, last: latest });
      }
    }
  } finally {
    await tape.close();
  }
  const order = (a: StoredVersion, b: StoredVersion) =>
    a.type === b.type ? a.version - b.version : a.type < b.type ? -1 : 1;
  return { found: [...found.values()].sort(order), status: { skipped: [], stopped: null } };
}

function rowOf(one: ShownVersion): string[] {
  const { type, version, events, first, last, leftOut } = one;
  return [safe(type), String(version), String(events), first, last, WORDS[one.readable], String(leftOut)];
}
