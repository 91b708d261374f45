/** `collard central restored`: says that the store was put back or copied, where the database's own marks do not tell. */
import { Command } from 'commander';
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import { loadConfig } from '../lib/config-file.ts';
import { print, printJson } from './output.ts';
import { openExistingStore } from './verify.ts';

interface Options {
  readonly config: string;
  readonly json?: true;
}

/** For `collard central`, whose --config it uses. */
export function restoredCommand(): Command {
  return new Command('restored')
    .description(
      'After a dump or a copy was loaded: make the store another one to all agents, so that they send what it misses.',
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\n--config names central.yaml, as for central itself. Stop every central on this store before, or restart it after.',
    )
    .action((_own: unknown, command: Command) => restored(command.optsWithGlobals<Options>()));
}

async function restored({ config: file, json }: Options): Promise<void> {
  const config = loadConfig(file, centralSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value;
  const store = await openExistingStore(config.store);
  try {
    const before = store.incarnation;
    const incarnation = await store.restored();
    if (json === true) printJson({ before, incarnation });
    else
      print(
        `the store is ${incarnation} now, and was ${before}: agents send what it misses once central is started anew`,
      );
  } finally {
    await store.close();
  }
}
