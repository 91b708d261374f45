/** `collard config check|show`: what a configuration says, where it is wrong, and what is in force. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { isMap, isScalar, parseDocument } from 'yaml';
import { AGENT_SECRETS, type AgentConfig, agentSchema } from '../agent/config.ts';
import { explainBrokers } from '../broker/address.ts';
import { explainPlain } from '../broker/plain.ts';
import { isAlwaysClosed } from '../central/api/access.ts';
import { SET_PASSWORD } from '../central/api/login-page.ts';
import { CENTRAL_SECRETS, type CentralConfig, centralSchema } from '../central/config.ts';
import { ConfigError, type LoadedConfig, loadConfig, MAX_CONFIG_BYTES, masked } from '../lib/config-file.ts';
import { exampleOf } from './example.ts';
import { CommandError, EXIT } from './exit.ts';
import { print, printJson, safe, table, tell } from './output.ts';

export type AnyConfig =
  | { readonly kind: 'agent'; readonly config: LoadedConfig<AgentConfig>; readonly secrets: readonly string[] }
  | { readonly kind: 'central'; readonly config: LoadedConfig<CentralConfig>; readonly secrets: readonly string[] };

/** Loads a file of either kind. Throws ConfigError. */
export function loadAnyConfig(file: string, env: NodeJS.ProcessEnv = process.env): AnyConfig {
  const credentialsDirectory = env.CREDENTIALS_DIRECTORY;
  const kind = kindOf(file);
  if (kind === 'central') {
    const config = loadConfig(file, centralSchema, { env, credentialsDirectory, secrets: CENTRAL_SECRETS });
    return { kind, config, secrets: CENTRAL_SECRETS };
  }
  const config = loadConfig(file, agentSchema, { env, credentialsDirectory, secrets: AGENT_SECRETS });
  return { kind, config, secrets: AGENT_SECRETS };
}

/** By the keys that only one of the two has. A file that cannot be read is for `loadConfig` to refuse. */
export function kindOf(file: string): 'agent' | 'central' {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > MAX_CONFIG_BYTES) return 'agent';
    const { contents } = parseDocument(text, { logLevel: 'silent' });
    const keys = isMap(contents) ? contents.items.map(({ key }) => (isScalar(key) ? String(key.value) : '')) : [];
    const count = (names: readonly string[]) => keys.filter((key) => names.includes(key)).length;
    return count([
      'store',
      'group',
      'fold',
      'retention',
      'http',
      'rules',
      'trust',
      'webhooks',
      'webhookSecret',
      'homeAssistant',
      'workers',
    ]) > count(['agent', 'sources', 'log', 'forward', 'detect', 'signing'])
      ? 'central'
      : 'agent';
  } catch {
    return 'agent';
  }
}

export function configCommand(): Command {
  const command = new Command('config').description('Check a configuration, or show what is in force.');
  command
    .command('check')
    .description('Tell everything that is wrong with a file (exit 78), or "ok".')
    .argument('<file>', 'agent.yaml or central.yaml')
    .option('--json', 'print one JSON object')
    .action((file: string, options: { readonly json?: true }) => check(file, options.json === true));
  command
    .command('show')
    .description('Print every setting with its value and where it comes from. Secrets are masked.')
    .argument('[file]', 'agent.yaml or central.yaml')
    .option('--json', 'print one JSON object')
    .option('--example <kind>', 'print the commented example: agent or central')
    .action((file: string | undefined, options: { readonly json?: true; readonly example?: string }) => {
      if (options.example !== undefined) printExample(options.example);
      else if (file !== undefined) show(file, options.json === true);
      else throw new CommandError(EXIT.usage, 'missing FILE', 'collard config show FILE');
    });
  return command;
}

function check(file: string, json: boolean): void {
  try {
    const { kind, config } = loadAnyConfig(file);
    const warnings = [...config.warnings, ...explainPlain(config.value).map(safe)];
    for (const warning of warnings) tell(`warning: ${warning}`);
    const { url, discover } = config.value.mqtt;
    const brokers = explainBrokers(url, discover);
    const access = 'http' in config.value ? explainAccess(config.value.http) : [];
    if (json) printJson({ file, ok: true, kind, problems: [], warnings, brokers, access });
    else for (const line of ['ok', ...brokers.map(safe), ...access]) print(line);
  } catch (error) {
    if (!json || !(error instanceof ConfigError)) throw error;
    printJson({ file, ok: false, problems: error.problems, warnings: [] });
    process.exitCode = EXIT.config;
  }
}

/** What somebody ought to know who opens central to others. */
export function explainAccess(http: CentralConfig['http']): readonly string[] {
  const { login, host } = http;
  if (login === 'off') return ['http.login is off: whoever reaches the port may see and change everything'];
  if (isAlwaysClosed(http))
    return [`http.host ${safe(host)}: page and API are closed until a password is set (${SET_PASSWORD})`];
  return [];
}

function show(file: string, json: boolean): void {
  const { kind, config, secrets } = loadAnyConfig(file);
  const rows = flatten('', config.value).map(([path, value]) => ({
    path,
    value: masked(path, value, secrets),
    origin: config.origin(path),
  }));
  for (const warning of config.warnings) tell(`warning: ${warning}`);
  const cells = rows.map(({ path, value, origin }) => [path, safe(JSON.stringify(value)), origin]);
  if (json) printJson({ file, kind, settings: rows });
  else print(table(['setting', 'value', 'origin'], cells));
}

/** Every value that is no section, with its path: `sources[0].baud`. */
export function flatten(path: string, value: unknown): [path: string, value: unknown][] {
  if (Array.isArray(value) && value.length > 0) return value.flatMap((item, i) => flatten(`${path}[${i}]`, item));
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => flatten(path === '' ? key : `${path}.${key}`, inner));
}

function printExample(kind: string): void {
  if (kind !== 'agent' && kind !== 'central') {
    throw new CommandError(EXIT.usage, `there is no example "${kind}"`, '--example agent, or --example central');
  }
  process.stdout.write(exampleOf(kind));
}
