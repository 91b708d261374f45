/** `collard quarantine …`: what central could not take in. Asks the running central, as `collard cat` does. */
import { Command } from 'commander';
import type { Conflict, Kept, QuarantineTally } from '../central/store/kept.ts';
import { ask, type CentralAddress, DEFAULT_URL } from './ask-central.ts';
import { CommandError, EXIT } from './exit.ts';
import { print, printJson, safe, table, tell } from './output.ts';

const PAGE = 500;
/** Characters of the text that is printed beside a payload in base64. */
const PREVIEW = 200;

interface Options extends CentralAddress {
  readonly json?: true;
  readonly agent?: string;
  readonly all?: true;
  readonly conflicts?: true;
}

interface KeptPage {
  readonly messages: readonly Kept[];
  readonly held: Omit<QuarantineTally, 'dropped'>;
  readonly dropped: QuarantineTally['dropped'];
}

export function quarantineCommand(): Command {
  const command = new Command('quarantine').description(
    'Messages that central could not take in: list, export, retry or drop them. Central must run.',
  );
  const sub = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      .option('--config <file>', 'central.yaml, for the address of central')
      .option('--url <url>', `address of central, ${DEFAULT_URL} where neither is given`)
      .option('--json', 'print JSON');

  sub('list', 'Print what is in quarantine, and what agents cannot send.')
    .option('--agent <name>', 'of this agent only')
    .option('--conflicts', 'events whose number belongs to another event')
    .action((options: Options) => (options.conflicts === true ? listConflicts(options) : list(options)));
  sub('export', 'Print messages whole, one JSON object a line.')
    .argument('[no...]', 'numbers; all where none is given')
    .option('--agent <name>', 'of this agent only')
    .option('--conflicts', 'events whose number belongs to another event')
    .action(async (nos: string[], options: Options) => {
      if (options.conflicts === true) for await (const one of conflictsOf(options)) printJson(one);
      else for await (const no of chosen(nos, { ...options, all: true })) await exportOne(options, no);
    });
  sub('retry', 'Take messages in again: what is stored leaves, the rest stays with its reason.')
    .argument('[no...]', 'numbers')
    .option('--all', 'all of them')
    .option('--agent <name>', 'with --all: of this agent only')
    .action(async (nos: string[], options: Options) => {
      for await (const no of chosen(nos, options)) await retryOne(options, no);
    });
  sub('drop', 'Forget messages. Events that their agent still holds come again.')
    .argument('[no...]', 'numbers')
    .option('--all', 'all of them')
    .option('--agent <name>', 'with --all: of this agent only')
    .action(async (nos: string[], options: Options) => {
      let dropped = 0;
      for await (const no of chosen(nos, options)) {
        const answer = await ask<{ dropped: number }>(options, 'DELETE', `quarantine/${no}`);
        dropped += answer.dropped;
      }
      if (options.json === true) printJson({ dropped });
      else print(`${dropped} dropped`);
    });
  return command;
}

async function list(options: Options): Promise<void> {
  const rows: string[][] = [];
  for await (const kept of messagesOf(options)) {
    if (options.json === true) printJson(kept);
    else rows.push(rowOf(kept));
  }
  const { held, dropped } = await ask<KeptPage>(options, 'GET', 'quarantine?limit=1');
  if (options.json !== true) {
    if (rows.length === 0) print('nothing is in quarantine');
    else print(table(['no', 'last', 'times', 'agent', 'kind', 'bytes', 'topic', 'reason'], rows));
  }
  tell(`${held.messages} messages, ${held.bytes} bytes held; ${held.noted} came in all`);
  for (const { agent, kind, messages } of dropped) {
    tell(`${messages} ${kind} of ${agent === '' ? 'unknown agents' : safe(agent)} had to go for room`);
  }
  await tellAgents(options);
}

function rowOf({ no, lastNoted, times, agent, kind, bytes, topic, reason, place }: Kept): string[] {
  const where = place === null ? safe(topic) : `${safe(topic)} ${place.epoch}/${place.seq}`;
  return [String(no), lastNoted, String(times), safe(agent) || '-', kind, String(bytes), where, safe(reason)];
}

/** What agents hold and cannot send, by what their health says: it is in their logs. */
async function tellAgents(options: Options): Promise<void> {
  const { agents } = await ask<{ agents: readonly AgentAnswer[] }>(options, 'GET', 'agents');
  for (const { agent, health, conflicts } of agents) {
    const oversize = health?.oversize;
    if (options.agent !== undefined && options.agent !== agent) continue;
    if (typeof oversize === 'number' && oversize > 0) {
      tell(`${safe(agent)} holds ${oversize} events that are larger than its broker takes: raise the broker's limit`);
    }
    if (conflicts > 0) tell(`${safe(agent)} has ${conflicts} conflicts: collard quarantine list --conflicts`);
  }
}

interface AgentAnswer {
  readonly agent: string;
  readonly conflicts: number;
  readonly health: Readonly<Record<string, unknown>> | null;
}

async function listConflicts(options: Options): Promise<void> {
  const rows: string[][] = [];
  for await (const conflict of conflictsOf(options)) {
    const { agent, epoch, seq, noted, body } = conflict;
    if (options.json === true) printJson(conflict);
    else rows.push([safe(agent), epoch, String(seq), noted, safe(body).slice(0, PREVIEW)]);
  }
  if (options.json === true) return;
  print(rows.length === 0 ? 'no conflicts' : table(['agent', 'epoch', 'seq', 'noted', 'event'], rows));
}

async function exportOne(options: Options, no: number): Promise<void> {
  const message = await ask<Kept & { readonly payload: string }>(options, 'GET', `quarantine/${no}`);
  const text = Buffer.from(message.payload, 'base64').toString('utf8').slice(0, PREVIEW);
  printJson({ ...message, text });
}

async function retryOne(options: Options, no: number): Promise<void> {
  const result = await ask<RetryAnswer>(options, 'POST', `quarantine/${no}/retry`);
  if (!result.ok) process.exitCode = EXIT.checkFailed;
  if (options.json === true) printJson({ no, ...result });
  else if (!result.ok) print(`${no} stays: ${safe(result.reason)}`);
  else print(`${no} is stored: ${result.inserted} new, ${result.duplicates} known, ${result.conflicts} conflicting`);
}

type RetryAnswer =
  | { readonly ok: true; readonly inserted: number; readonly duplicates: number; readonly conflicts: number }
  | { readonly ok: false; readonly reason: string };

/** The numbers that were given, or those of all messages. */
async function* chosen(nos: readonly string[], options: Options): AsyncGenerator<number> {
  const numbers = nos.map((text) => (/^[1-9]\d{0,14}$/.test(text) ? Number(text) : Number.NaN));
  const bad = numbers.findIndex(Number.isNaN);
  if (bad >= 0) throw new CommandError(EXIT.usage, `${safe(nos[bad] ?? '')} is no number of a message`);
  if (numbers.length === 0 && options.all !== true) {
    throw new CommandError(EXIT.usage, 'which messages?', 'give numbers from collard quarantine list, or --all');
  }
  if (numbers.length > 0) yield* numbers;
  else for await (const { no } of messagesOf(options)) yield no;
}

async function* messagesOf(options: Options): AsyncGenerator<Kept> {
  const agent = options.agent === undefined ? '' : `&agent=${encodeURIComponent(options.agent)}`;
  for (let after = 0; ; ) {
    const { messages } = await ask<KeptPage>(options, 'GET', `quarantine?limit=${PAGE}&after=${after}${agent}`);
    yield* messages;
    const last = messages.at(-1);
    if (last === undefined || messages.length < PAGE) return;
    after = last.no;
  }
}

async function* conflictsOf(options: Options): AsyncGenerator<Conflict> {
  const agent = options.agent === undefined ? '' : `&agent=${encodeURIComponent(options.agent)}`;
  for (let after = 0; ; after += PAGE) {
    const path = `conflicts?limit=${PAGE}&after=${after}${agent}`;
    const { conflicts } = await ask<{ conflicts: readonly Conflict[] }>(options, 'GET', path);
    yield* conflicts;
    if (conflicts.length < PAGE) return;
  }
}
