/** `collard state`: the cats as they are, or as they were at a moment. Reads the store beside a central that runs. */
import { Command } from 'commander';
import { CENTRAL_SECRETS, type CentralConfig, centralSchema } from '../central/config.ts';
import { openReplayStore } from '../central/open-store.ts';
import type { CatRow, Store } from '../central/store/store.ts';
import { loadConfig } from '../lib/config-file.ts';
import { catList } from './cat-list.ts';
import { moment } from './moment.ts';
import { print, printJson } from './output.ts';
import { asSealedFailure } from './sealed.ts';
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
  const at = options.at === undefined ? null : moment('--at', options.at);
  const { store: place, retention } = loadConfig(options.config, centralSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value;
  const store = await openExistingStore(place);
  try {
    const cats = at === null ? await store.cats(new Date()) : await catsAt(store, place, at, retention?.segments);
    if (options.json === true) for (const cat of cats) printJson(cat);
    else print(catList(cats, at ?? new Date()));
    tellStatus(await store.foldStatus());
  } catch (error) {
    throw asSealedFailure(error);
  } finally {
    await store.close();
  }
}

/** However much of it is in segments. */
async function catsAt(
  store: Store,
  { url, password }: CentralConfig['store'],
  at: Date,
  segments: string | undefined,
): Promise<readonly CatRow[]> {
  if (at.toISOString() >= (await store.horizon())) return store.catsAt(at);
  const replay = await openReplayStore({ url, password, segments });
  try {
    return await replay.wholeCatsAt(at);
  } finally {
    await replay.close();
  }
}
