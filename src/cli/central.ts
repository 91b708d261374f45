/** `collard central`: receives events, stores them, serves the page and the API, until it is told to stop. */
import { Command, Option } from 'commander';
import { explainPlain } from '../broker/plain.ts';
import { CENTRAL_SECRETS, type CentralConfig, centralSchema } from '../central/config.ts';
import { isFenced } from '../central/ownership/ownership.ts';
import { runCentral } from '../central/service.ts';
import { parseStoreUrl, storeName } from '../central/store/store-url.ts';
import { runWorker } from '../central/worker.ts';
import { loadConfig } from '../lib/config-file.ts';
import { openMqttLink } from '../lib/mqtt-link.ts';
import { accessCommands } from './access.ts';
import { type Running, runAsService, type Vitals } from './as-service.ts';
import { statusCommand } from './central-status.ts';
import { CommandError, EXIT } from './exit.ts';
import { centralKeyCommands } from './keys.ts';
import { LOG_LEVELS, openLogger } from './logger.ts';
import { migrateCommand } from './migrate.ts';
import { print, tell } from './output.ts';
import { restoredCommand } from './restored.ts';
import { onHangUp, stopOnSignals } from './stop.ts';
import { storeFileFailure, tellEmpty } from './store-failure.ts';
import { openServiceManager } from './systemd.ts';
import { version } from './version.ts';
import { webhooksCommand } from './webhooks.ts';

interface CentralOptions {
  readonly config: string;
  readonly logLevel: string;
  readonly worker?: true;
}

export function centralCommand(): Command {
  const command = new Command('central')
    .description('Receive events, store them and serve the page and the API.')
    .requiredOption('--config <file>', 'central.yaml')
    .option('--worker', 'be one of several that share the shards, as `workers:` of the configuration says')
    .addOption(new Option('--log-level <level>', 'what is told on stderr').choices([...LOG_LEVELS]).default('info'))
    .action((options: CentralOptions) => central(options));
  for (const inner of centralKeyCommands()) command.addCommand(inner);
  for (const inner of accessCommands()) command.addCommand(inner);
  command.addCommand(migrateCommand());
  command.addCommand(restoredCommand());
  command.addCommand(statusCommand());
  command.addCommand(webhooksCommand());
  return command;
}

async function central(options: CentralOptions): Promise<void> {
  const load = () => {
    const { value, warnings } = loadConfig(options.config, centralSchema, {
      env: process.env,
      credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
      secrets: CENTRAL_SECRETS,
    });
    for (const warning of warnings) tell(`warning: ${warning}`);
    if (options.worker === true && value.workers === undefined) {
      const fix = 'add workers: { etcd: [http://127.0.0.1:2379] }, or workers: { shards: 0-31 } on one machine';
      throw new CommandError(EXIT.config, `${options.config} does not say how shards are shared`, fix);
    }
    return value;
  };
  const first = load();
  const stop = stopOnSignals();
  const logger = await openLogger(options.logLevel);
  for (const warning of explainPlain(first)) logger.warn(warning);
  const deps = { openLink: openMqttLink, logger, version: version(), onListening: print };
  const manager = await openServiceManager(process.env);
  const run = (config: CentralConfig, { ready }: Running, signal: AbortSignal) => {
    tellEmpty(config.store.url, logger);
    const serve = config.workers === undefined ? runCentral : runWorker;
    return serve(config, { ...deps, onRunning: (why) => ready(vitalsOf(why)) }, signal);
  };
  try {
    await runAsService({ manager, first, load, run, logger, onReload: onHangUp }, stop);
  } catch (error) {
    throw asFailure(error, first.store.url);
  }
}

/** Its loops wait for a database and a broker that are away, for as long as that takes: only the process itself can freeze. */
function vitalsOf(why: () => string | null): Vitals {
  return { status: () => why() ?? 'receives, stores and serves', overdue: () => [] };
}

/** As a person knows it, without any secret. */
function storeNameOf(url: string): string {
  const address = parseStoreUrl(url);
  return typeof address === 'string' ? 'the store' : storeName(address).replace(/^sqlite:/, '');
}

/** Where the program ends with something that a person can mend: what it is, and how. */
function asFailure(error: unknown, url: string): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const code = 'code' in error ? String(error.code) : '';
  const path = storeNameOf(url);
  const fail = (exitCode: number, message: string, fix: string | null) =>
    new CommandError(exitCode, message, fix, { cause: error });
  const ofFile = storeFileFailure(error, path);
  if (ofFile !== null) return ofFile;
  if (isFenced(error)) {
    const fix = 'stop one of them, or let them share the shards: workers in the configuration';
    return fail(EXIT.unavailable, `another central works on ${path}: ${error.message}`, fix);
  }
  if (code === 'STORE_FAILED')
    return fail(EXIT.io, error.message, `look at the disk of ${path}: is it full or failing?`);
  if (code === 'SCHEMA')
    return fail(EXIT.io, `${path}: ${error.message}`, 'was it written by a newer collard? upgrade');
  if (code === 'STORE_AWAY') return fail(EXIT.unavailable, error.message, 'start the database, or correct store.url');
  if (code === 'NOT_DURABLE' && !url.startsWith('sqlite:')) return fail(EXIT.config, error.message, null);
  if (code === 'STORE_SETTING') return fail(EXIT.config, error.message, null);
  if (code === 'NOT_DURABLE') return fail(EXIT.io, error.message, 'look at the disk and the rights of the file');
  if (/^(EADDRINUSE|EACCES|EADDRNOTAVAIL)$/.test(code)) return fail(EXIT.unavailable, error.message, null);
  if (code === 'ENOENT') return fail(EXIT.config, error.message, 'correct the path in the configuration');
  return error;
}
