/** `collard central migrate`: brings the schema of the store up to date, or tells what that would change. */
import { Command } from 'commander';
import { CENTRAL_SECRETS, type CentralConfig, centralSchema } from '../central/config.ts';
import { openStore } from '../central/open-store.ts';
import { type Inspected, inspectStore } from '../central/store/inspect.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { createMeter } from './meter.ts';
import { print, printJson, safe } from './output.ts';
import { storeFileFailure } from './store-failure.ts';

interface Options {
  readonly config: string;
  readonly dryRun?: true;
  readonly json?: true;
}

/** For `collard central`, whose --config it uses. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description('Bring the schema of the store up to date, as a start of central does.')
    .option('--dry-run', 'change nothing: print the statements that would run')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\n--config names central.yaml, as for central itself.')
    .action(async (_own: unknown, command: Command) => migrate(command.optsWithGlobals<Options>()));
}

async function migrate({ config, dryRun, json }: Options): Promise<void> {
  const { url, password } = loadConfig(config, centralSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value.store;
  try {
    const found = await inspectStore(url, password);
    if (dryRun !== true && found.pending.length > 0) await makeAll({ url, password });
    if (json === true) printJson({ store: found.name, done: dryRun !== true, changes: found.pending });
    else for (const line of linesOf(found, dryRun === true)) print(line);
  } catch (error) {
    const ofFile = storeFileFailure(error, url.replace(/^sqlite:/, ''));
    if (ofFile !== null) throw ofFile;
    const text = error instanceof Error ? error.message : String(error);
    throw new CommandError(EXIT.unavailable, text, 'collard doctor tells more', { cause: error });
  }
}

/** Each change is one step, which on SQLite lets nothing else run: it is shown before it begins. */
async function makeAll(place: CentralConfig['store']): Promise<void> {
  const meter = createMeter(process.stderr, undefined, 0);
  try {
    const onChange = (name: string, done: number, of: number) => meter.at(done, of, name);
    await (await openStore({ ...place, onChange })).close();
  } finally {
    meter.clear();
  }
}

function linesOf({ name, pending }: Inspected, dry: boolean): readonly string[] {
  if (pending.length === 0) return [`${safe(name)}: the schema is the newest`];
  if (!dry) return pending.map((change) => `${change.name} is made`);
  return pending.flatMap((change) => [`-- ${change.name}`, ...change.statements.map((statement) => `${statement};`)]);
}
