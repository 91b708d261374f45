/** `collard state`: the cats as they are, or as they were at a moment. Reads the store beside a central that runs. */
import { Command } from 'commander';
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import { stateAt } from '../central/serve.ts';
import type { CatRow } from '../central/store/store.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { print, printJson, safe, table } from './output.ts';
import { openExistingStore } from './verify.ts';
import { tellStatus } from './versions.ts';

interface StateOptions {
  readonly config: string;
  readonly at?: string;
  readonly json?: true;
}

export function stateCommand(): Command {
  return new Command('state')
    .description('Print where the cats are and what they do.')
    .requiredOption('--config <file>', 'central.yaml')
    .option('--at <time>', 'as it was then, such as 2026-11-20T08:00Z')
    .option('--json', 'print one JSON object a cat')
    .action((options: StateOptions) => state(options));
}

async function state(options: StateOptions): Promise<void> {
  const at = options.at === undefined ? null : moment(options.at);
  const { store: place } = loadConfig(options.config, centralSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value;
  const store = await openExistingStore(place.url);
  try {
    const cats = at === null ? await store.cats(new Date()) : await stateAt(store, at);
    if (options.json === true) for (const cat of cats) printJson(cat);
    else print(cats.length === 0 ? 'no cats: collard cat add NAME --collar ID' : listOf(cats));
    tellStatus(await store.foldStatus());
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'TOO_MUCH_HISTORY') {
      throw new CommandError(EXIT.data, error.message, 'name an earlier moment', { cause: error });
    }
    throw error;
  } finally {
    await store.close();
  }
}

function moment(text: string): Date {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) {
    throw new CommandError(EXIT.usage, `--at ${safe(text)} is no time`, 'write it as 2026-11-20T08:00Z');
  }
  return at;
}

function listOf(cats: readonly CatRow[]): string {
  const rows = cats.map((cat) => [
    String(cat.id),
    safe(cat.name),
    safe(cat.location ?? '-'),
    cat.isMeowed ? 'shaking' : cat.silent ? 'silent' : '',
    cat.collar === null ? '-' : safe(cat.collar),
    cat.lastSeen ?? '-',
    String(cat.meowsToday),
  ]);
  return table(['id', 'name', 'location', 'now', 'collar', 'last seen', 'meows today'], rows);
}
