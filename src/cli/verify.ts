/**
 * `collard verify`: do the agent's log and central's store hold the same history, and are the models what the events say? Exit 0:
 * so it is. 1: not. 69: no answer.
 */
import { Command } from 'commander';
import { openLogReader } from '../agent/log/open-log-reader.ts';
import { openBrokers } from '../broker/open-broker.ts';
import { CENTRAL_SECRETS, type CentralConfig, centralSchema } from '../central/config.ts';
import { openStore } from '../central/open-store.ts';
import { linkOptions } from '../central/receive-options.ts';
import type { Store } from '../central/store/store.ts';
import { chainHex, chainStart } from '../contract/chain.ts';
import { loadConfig } from '../lib/config-file.ts';
import { openMqttLink } from '../lib/mqtt-link.ts';
import { openRemoteHistory } from './ask-agent.ts';
import { CommandError, EXIT } from './exit.ts';
import { type AgentHistory, compareHistories, type StoreHistory, type Verdict, worst } from './history.ts';
import { createMeter } from './meter.ts';
import { openExisting } from './open-existing.ts';
import { paint, print, printJson, safe } from './output.ts';
import { verifyModels } from './verify-models.ts';

interface VerifyOptions {
  readonly agent?: string;
  readonly models?: true;
  readonly config: string;
  readonly log?: string;
  readonly timeout: string;
  readonly json?: true;
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description('Compare the log of an agent with the store of central, by chains, or the models with their events.')
    .option('--agent <name>', 'the agent')
    .option('--models', 'fold all stored events anew and compare with the live models; nothing is written')
    .requiredOption('--config <file>', 'central.yaml')
    .option('--log <path>', "the agent's log file; without it the agent is asked over MQTT")
    .option('--timeout <seconds>', 'how long to wait for an answer over MQTT', '10')
    .option('--json', 'print one JSON object')
    .action((options: VerifyOptions) => verify(options));
}

async function verify(options: VerifyOptions): Promise<void> {
  const { agent, models = false } = options;
  if (agent === undefined && !models) {
    throw new CommandError(EXIT.usage, 'what is to be verified?', 'give --agent NAME, --models or both');
  }
  const config = loadConfig(options.config, centralSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: CENTRAL_SECRETS,
  }).value;
  if (agent !== undefined) await verifyAgent(agent, options, config);
  if (models) await verifyModels(config, options.json === true);
}

async function verifyAgent(agent: string, options: VerifyOptions, config: CentralConfig): Promise<void> {
  const store = await openExistingStore(config.store);
  try {
    const history = await openHistory(agent, options, config);
    try {
      const meter = createMeter();
      const show = (events: number, of: number) => meter.at(events, of, `comparing ${agent}`);
      const verdicts = await compareHistories(history, storeHistory(store, agent), show).finally(meter.clear);
      const verdict = worst(verdicts) ?? (await nothingYet(store, agent));
      const aside = await setAside(store, agent);
      if (options.json === true) printJson({ agent, ...verdict, ...aside, epochs: verdicts });
      else for (const line of [...sentences(agent, verdicts), ...asideSentences(agent, aside)]) print(line);
      if (!verdicts.every(isProven) || (verdicts.length === 0 && verdict.status !== 'agree')) {
        process.exitCode = EXIT.checkFailed;
      }
    } catch (error) {
      throw asFailure(error);
    } finally {
      await history.close();
    }
  } finally {
    await store.close();
  }
}

/** The store of a configuration, read beside a central that runs. Throws CommandError where there is none yet. */
export function openExistingStore({ url, password }: CentralConfig['store']): Promise<Store> {
  return openExisting(url, () => openStore({ url, password }));
}

type ClosableHistory = AgentHistory & { close(): void | Promise<void> };

async function openHistory(agent: string, options: VerifyOptions, config: CentralConfig): Promise<ClosableHistory> {
  const { log } = options;
  try {
    if (log === undefined) {
      const seconds = Number(options.timeout);
      if (!(seconds > 0)) throw new CommandError(EXIT.usage, '--timeout must be a number of seconds above 0');
      const ask = {
        link: linkOptions(config),
        base: config.mqtt.baseTopic,
        agent,
        answerWithinMs: seconds * 1_000,
      };
      const { discover } = config.mqtt;
      const ports = { openLink: openMqttLink, discover, monoNow: () => performance.now(), random: Math.random };
      return await openRemoteHistory(ask, openBrokers(ports), new AbortController().signal);
    }
    const reader = openLogReader(log);
    if (reader.agent !== agent) {
      reader.close();
      throw new CommandError(EXIT.data, `${log} is the log of ${reader.agent}, not of ${agent}`);
    }
    return {
      epochs: async () => reader.epochs(),
      chainAt: (epoch, seq) => reader.chainAt(epoch, seq),
      close: reader.close,
    };
  } catch (error) {
    throw asFailure(error);
  }
}

function storeHistory(store: Store, agent: string): StoreHistory {
  return {
    async marks() {
      const segments = await store.segments();
      const epochs = (await store.agents()).find((row) => row.agent === agent)?.epochs ?? [];
      return epochs.map((row) => {
        const expired = segments.filter(({ epoch }) => epoch === row.epoch).at(-1)?.toSeq ?? 0;
        return { ...row, expired };
      });
    },
    async chainAt(epoch, seq, since, onHashed) {
      return store.chainAt(epoch, seq, since, onHashed);
    },
  };
}

/** An empty log agrees with a store that knows nothing of its agent. */
async function nothingYet(store: Store, agent: string): Promise<Verdict> {
  const known = (await store.agents()).find((row) => row.agent === agent)?.epochs.at(-1);
  const epoch = known?.epoch ?? '';
  const stored = known?.mark ?? 0;
  const status = stored === 0 ? 'agree' : 'conflicting';
  return { status, epoch, seq: stored, chain: chainHex(chainStart(agent, epoch)), stored, last: 0 };
}

interface Aside {
  /** Events under numbers of others, ranges that will never come, messages in quarantine. */
  readonly conflicts: number;
  readonly gaps: number;
  readonly quarantined: number;
}

/** What central holds of the agent beside its history. */
async function setAside(store: Store, agent: string): Promise<Aside> {
  const row = (await store.agents()).find((one) => one.agent === agent);
  return { conflicts: row?.conflicts ?? 0, gaps: row?.gaps ?? 0, quarantined: row?.quarantined ?? 0 };
}

function asideSentences(agent: string, { conflicts, gaps, quarantined }: Aside): string[] {
  const list = `collard quarantine list --agent ${safe(agent)}`;
  return [
    ...(conflicts === 0 ? [] : [`${conflicts} events came under numbers of others: ${list} --conflicts`]),
    ...(gaps === 0 ? [] : [`${gaps} gaps: what was lost or rejected there is not stored`]),
    ...(quarantined === 0 ? [] : [`${quarantined} messages are in quarantine: ${list}`]),
  ];
}

function sentences(agent: string, verdicts: readonly Verdict[]): string[] {
  if (verdicts.length === 0) return [`${safe(agent)} has written nothing yet`];
  return verdicts.map((verdict) => sentence(agent, verdict));
}

/** Deleted for its age, and yet proven to have been the same. */
function isProven({ status, chain }: Verdict): boolean {
  return status === 'agree' || (status === 'expired' && chain !== null);
}

function sentence(agent: string, { status, epoch, seq, stored, last, chain }: Verdict): string {
  const where = `${safe(agent)} ${safe(epoch)}`;
  switch (status) {
    case 'agree':
      return `${paint('agree', 'green')} ${where}: ${last} events are stored, chains are equal`;
    case 'missing':
      return `${paint('missing', 'yellow')} ${where}: ${seq} to ${last} are not stored yet, all before is equal`;
    case 'conflicting':
      return `${paint('conflicting', 'red')} ${where}: event ${seq} is the first that differs (stored ${stored}, log ${last})`;
    case 'expired':
      if (chain !== null)
        return `${paint('expired', 'green')} ${where}: ${last} events were deleted for their age, chains are equal`;
      return `${paint('expired', 'yellow')} ${where}: what is needed to compare at ${seq} has been deleted`;
  }
}

function asFailure(error: unknown): Error {
  if (error instanceof CommandError || !(error instanceof Error)) return error as Error;
  const code = 'code' in error ? String(error.code) : '';
  const fail = (exitCode: number, fix: string | null) =>
    new CommandError(exitCode, error.message, fix, { cause: error });
  if (code === 'NO_ANSWER') return fail(EXIT.unavailable, 'is the agent running? --log PATH reads its file instead');
  if (/^(UNREACHABLE|REFUSED|TLS|REQUEST_FAILED|SUBSCRIBE_REFUSED|LINK_ENDED)$/.test(code)) {
    return fail(EXIT.unavailable, 'check mqtt in the configuration, or read the file with --log PATH');
  }
  if (code.startsWith('LOG_')) return fail(EXIT.unavailable, 'check the path given with --log');
  if (/^(SQLITE_|STORE_FAILED$)/.test(code)) return fail(EXIT.io, null);
  return error;
}
