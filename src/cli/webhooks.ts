/** `collard central webhooks`: what webhooks are still to be told, and what was given up. Beside a central that runs. */
import { Command } from 'commander';
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import { webhooksOf } from '../central/webhook.ts';
import { loadConfig } from '../lib/config-file.ts';
import { EXIT } from './exit.ts';
import { print, printJson, safe, table } from './output.ts';
import { openExistingStore } from './verify.ts';

interface Options {
  readonly config: string;
  readonly retry?: true;
  readonly json?: true;
}

/** Given up ones that are listed. */
const MAX_LISTED = 100;

/** For `collard central`, whose --config it uses. */
export function webhooksCommand(): Command {
  return new Command('webhooks')
    .description('Which alerts webhooks have not answered to. Exit 1: some were given up.')
    .option('--retry', 'try again what was given up')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\n--config names central.yaml, as for central itself.')
    .action((_own: unknown, command: Command) => webhooks(command.optsWithGlobals<Options>()));
}

async function webhooks({ config: file, retry, json }: Options): Promise<void> {
  const config = loadConfig(file, centralSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value;
  const store = await openExistingStore(config.store);
  try {
    const revived = retry === true ? await store.reviveNotices(Date.now()) : 0;
    const counts = await store.noticeCounts();
    const names = new Map(webhooksOf(config).map(({ target, shown }) => [target, shown]));
    const dead = (await store.deadNotices(MAX_LISTED)).map(({ target, epoch, seq, attempts, reason }) => ({
      webhook: names.get(target) ?? 'not configured any more',
      event: `${epoch}/${seq}`,
      attempts,
      reason,
    }));
    if (json === true) printJson({ ...counts, revived, givenUp: dead });
    else {
      if (retry === true) print(`${revived} are tried again`);
      print(`${counts.waiting} wait, ${counts.dead} were given up, ${counts.dropped} found no room`);
      const cells = dead.map((one) => [safe(one.webhook), safe(one.event), String(one.attempts), safe(one.reason)]);
      if (cells.length > 0) print(table(['webhook', 'event', 'tries', 'reason'], cells));
    }
    if (counts.dead > 0) process.exitCode = EXIT.checkFailed;
  } finally {
    await store.close();
  }
}
