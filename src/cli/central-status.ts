/** `collard central status`: which of several centrals has which shards, and how far each shard has come. */
import { Command } from 'commander';
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import { type CentralStatus, concernsOf, type ShownShard, type ShownWorker, statusOf } from '../central/status.ts';
import { roomConcerns } from '../central/store-room.ts';
import { loadConfig } from '../lib/config-file.ts';
import { EXIT } from './exit.ts';
import { print, printJson, safe, table, tell } from './output.ts';
import { stopOnSignals } from './stop.ts';
import { openExistingStore } from './verify.ts';

interface Options {
  readonly config: string;
  readonly json?: true;
}

/** For `collard central`, whose --config it uses. */
export function statusCommand(): Command {
  return new Command('status')
    .description(
      'Print workers, shards, their owners, marks and lag. Exit 1: a shard or the lead has nobody, or the store has no room.',
    )
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\n--config names central.yaml, as for central itself.')
    .action(async (_own: unknown, command: Command) => status(command.optsWithGlobals<Options>()));
}

async function status({ config: file, json }: Options): Promise<void> {
  const config = loadConfig(file, centralSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value;
  const store = await openExistingStore(config.store);
  try {
    const found = await statusOf(store, config, new Date(), stopOnSignals());
    const concerns = [...concernsOf(found), ...(await roomConcerns(config.store.url))];
    if (json === true) printJson({ ...found, concerns });
    else printStatus(found);
    for (const concern of concerns) tell(`warning: ${safe(concern)}`);
    if (concerns.length > 0) process.exitCode = EXIT.checkFailed;
  } finally {
    await store.close();
  }
}

function printStatus({ shared, workers, shards }: CentralStatus): void {
  if (workers.length === 0) print(shared ? 'no workers' : 'no workers: a central alone takes all shards');
  else print(table(['worker', 'state', 'shards', 'page', 'version', 'heard'], workers.map(workerCells)));
  const used = shards.filter(({ arrived, waiting, awaited }) => arrived > 0 || waiting > 0 || awaited > 0);
  const head = ['shard', 'worker', 'token', 'agents', 'stored', 'in order', 'folded', 'awaited', 'oldest that waits'];
  print(used.length === 0 ? 'no events yet' : `\n${table(head, used.map(shardCells))}`);
}

function workerCells({ id, isThere, leads, shards, http, version, heardAt }: ShownWorker): string[] {
  const state = isThere ? (leads ? 'leads' : 'there') : 'gone';
  return [safe(id), state, String(shards), safe(http), safe(version), heardAt];
}

function shardCells(one: ShownShard): string[] {
  const { shard, worker, token, arrived, positioned, projected, awaited, oldestWaiting, epochs } = one;
  const agents = [...new Set(epochs.map(({ agent }) => safe(agent)))].join(' ');
  const numbers = [arrived, positioned, projected, awaited].map(String);
  return [shard, safe(worker ?? '-'), String(token), agents, ...numbers, oldestWaiting ?? '-'];
}
