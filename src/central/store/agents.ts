/** Who writes: agents, their epochs, and what they say of themselves. */
import type { ExpressionBuilder, Kysely, Transaction } from 'kysely';
import { chainHex, chainStart } from '../../contract/chain.ts';
import type { StateMessage } from '../../contract/message.ts';
import { CENTRAL_AGENT, shardOf } from '../../contract/topic.ts';
import { wordsOf } from './dialect.ts';
import { saveHeard } from './heard.ts';
import type { EpochTable, Tables } from './tables.ts';
import { takeLock } from './transact.ts';

/** More than any home has: a flood of names or of epochs must not fill the store. */
export const MAX_AGENTS = 4_096;
export const MAX_EPOCHS_PER_AGENT = 1_024;

export type Db = Kysely<Tables> | Transaction<Tables>;
type Trx = Transaction<Tables>;

/** The number of an agent, made at its first word. Rejects with code `REFUSED` beyond the limit. */
export async function agentNo(trx: Trx, name: string): Promise<number> {
  const named = trx.selectFrom('agent').select('no').where('name', '=', name);
  const known = await named.executeTakeFirst();
  if (known !== undefined) return known.no;
  const sinceThen = await sinceLocked(trx, () => named.executeTakeFirst());
  if (sinceThen !== undefined) return sinceThen.no;
  const last = await trx.selectFrom('agent').select('no').orderBy('no', 'desc').limit(1).executeTakeFirst();
  const no = (last?.no ?? 0) + 1;
  if (no > MAX_AGENTS) throw refused(`${MAX_AGENTS} agents are known, ${name} is one too many`);
  await trx
    .insertInto('agent')
    .values({
      no,
      name,
      state: 'unknown',
      session: 0,
      version: '',
      last_heard: null,
      last_stored: null,
      health: null,
    })
    .execute();
  return no;
}

/** Where an agent is looked up by the way. SQLite plans a join anew each time that it is asked with another value, and this not. */
export function noOf(eb: ExpressionBuilder<Tables, keyof Tables>, name: string) {
  return eb.selectFrom('agent').select('agent.no').where('agent.name', '=', name);
}

/** The epoch, which belongs to the agent that named it first. Rejects with code `REFUSED` where it is another's. */
export async function claimEpoch(trx: Trx, agent: string, epoch: string): Promise<EpochTable> {
  const named = trx.selectFrom('epoch').selectAll().where('epoch', '=', epoch);
  const own = await named.where('agent_no', '=', (eb) => noOf(eb, agent)).executeTakeFirst();
  if (own !== undefined) return own;
  const owner = await agentNo(trx, agent);
  const known = (await named.executeTakeFirst()) ?? (await sinceLocked(trx, () => named.executeTakeFirst()));
  if (known !== undefined) {
    if (known.agent_no !== owner) throw refused(`epoch ${epoch} belongs to another agent than ${agent}`);
    return known;
  }
  const { count } = await trx
    .selectFrom('epoch')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('agent_no', '=', owner)
    .executeTakeFirstOrThrow();
  // Central's own are no flood: one for each restore that it wrote after, and without one no command could be stored.
  if (count >= MAX_EPOCHS_PER_AGENT && agent !== CENTRAL_AGENT)
    throw refused(`${agent} has ${count} epochs, ${epoch} is one too many`);
  const last = await trx.selectFrom('epoch').select('no').orderBy('no', 'desc').limit(1).executeTakeFirst();
  const row: EpochTable = {
    no: (last?.no ?? 0) + 1,
    epoch,
    agent_no: owner,
    shard: shardOf(agent),
    mark: 0,
    mark_chain: chainHex(chainStart(agent, epoch)),
    highest_seq: 0,
    chain_ok: 1,
  };
  await trx.insertInto('epoch').values(row).execute();
  return row;
}

/** `now` null: when the agent said so is not known. */
export async function saveState(trx: Trx, agent: string, message: StateMessage, now: string | null): Promise<void> {
  const no = await agentNo(trx, agent);
  const row = trx.selectFrom('agent').select('session').where('no', '=', no);
  const { session } = await (wordsOf(trx).rowLocks ? row.forUpdate() : row).executeTakeFirstOrThrow();
  // A late will of an older connection says nothing about the one that lives. "online" comes from a living one.
  if (message.state === 'offline' && message.session < session) return;
  const { state, version } = message;
  const heard = state === 'online' && now !== null ? { last_heard: now } : {};
  await trx
    .updateTable('agent')
    .set({ state, session: message.session, version, ...heard })
    .where('no', '=', no)
    .execute();
}

/** `ceiling`: the moment of now, also where `now` is not known. */
export async function saveHealth(
  trx: Trx,
  agent: string,
  health: Readonly<Record<string, unknown>>,
  now: string | null,
  ceiling: string,
): Promise<void> {
  const no = await agentNo(trx, agent);
  await saveHeard(trx, no, health, ceiling);
  await trx
    .updateTable('agent')
    .set({ health: JSON.stringify(health), ...(now === null ? {} : { last_heard: now }) })
    .where('no', '=', no)
    .execute();
}

/** Looks again once nobody else can make what was not there. */
async function sinceLocked<T>(trx: Trx, look: () => Promise<T>): Promise<T> {
  await takeLock(trx, 'registry');
  return look();
}

export function refused(message: string): Error {
  return Object.assign(new Error(message), { code: 'REFUSED' });
}
