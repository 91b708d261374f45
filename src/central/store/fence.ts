/**
 * Who may write what, by tokens that only grow. They stand in the database and are read in the transaction that writes: whoever was
 * asleep while another one took its place is refused, whatever it believes.
 */
import type { Kysely, Transaction } from 'kysely';
import { shardName } from '../../contract/topic.ts';
import { insertOnce } from './insert-once.ts';
import { openShard, type ShardState } from './shard.ts';
import type { Claim } from './shared-store.ts';
import type { Tables } from './tables.ts';
import { takeLock, transact } from './transact.ts';

/** The row of `meta` that says who leads. */
const LEAD = 'lead';

type Db = Kysely<Tables>;
type Trx = Transaction<Tables>;

/** The shards that somebody writes to, with its token of each. */
export interface Holdings {
  /** Null: a central alone, which takes a shard when it writes to it for the first time. Others have taken theirs before. */
  readonly owner: string | null;
  readonly tokens: Pick<Map<number, number>, 'get' | 'has' | 'set'>;
}

/** What one transaction takes, over what is held already; others of this process may take something meanwhile. */
export function takingOver({ owner, tokens }: Holdings): Holdings {
  const taken = new Map<number, number>();
  return {
    owner,
    tokens: {
      get: (shard) => taken.get(shard) ?? tokens.get(shard),
      has: (shard) => taken.has(shard) || tokens.has(shard),
      set: (shard, token) => taken.set(shard, token),
    },
  };
}

/**
 * The shard's counters, locked: whoever changes something of an epoch has its shard first. Rejects with code `FENCED` when somebody
 * else has taken it since. `holdings` null: a person asks, who needs no shard.
 */
export async function heldShard(
  trx: Trx,
  shard: number,
  holdings: Holdings | null,
): Promise<ShardState & { readonly token: number }> {
  const row = await openShard(trx, shard);
  const state = { shard, nextArrival: row.next_arrival, nextPosition: row.next_position };
  if (holdings === null) return { ...state, token: row.token };
  const token = holdings.tokens.get(shard) ?? (holdings.owner === null ? row.token + 1 : -1);
  if (token < row.token) throw fenced(`shard ${shardName(shard)}`, row.owner);
  if (token > row.token) {
    await trx.updateTable('shard').set({ token, owner: holdings.owner }).where('shard', '=', shard).execute();
  }
  return { ...state, token };
}

export function takeShard(db: Db, shard: number, { token, owner }: Claim): Promise<number> {
  return transact(db, async (trx) => {
    const row = await openShard(trx, shard);
    const taken = token ?? row.token + 1;
    if (taken < row.token) throw fenced(`shard ${shardName(shard)}`, row.owner);
    await trx.updateTable('shard').set({ token: taken, owner }).where('shard', '=', shard).execute();
    return taken;
  });
}

/** `models` is the lock of all that the leader writes. */
export function takeLead(db: Db, { token, owner }: Claim): Promise<number> {
  return transact(db, async (trx) => {
    await takeLock(trx, 'models');
    const lead = await readLead(trx);
    const taken = token ?? (lead?.token ?? 0) + 1;
    if (lead !== null && taken < lead.token) throw fenced('the lead', lead.owner);
    const value = JSON.stringify([taken, owner]);
    await insertOnce(trx, 'meta', [{ name: LEAD, value }]);
    await trx.updateTable('meta').set({ value }).where('name', '=', LEAD).execute();
    return taken;
  });
}

/** With the lock `models`. Rejects with code `FENCED`. `token` null: nobody leads here. */
export async function checkLead(trx: Trx, token: number | null): Promise<void> {
  if (token === null) return;
  const lead = await readLead(trx);
  if (lead !== null && token < lead.token) throw fenced('the lead', lead.owner);
}

export async function readLead(
  db: Db | Trx,
): Promise<{ readonly token: number; readonly owner: string | null } | null> {
  const row = await db.selectFrom('meta').select('value').where('name', '=', LEAD).executeTakeFirst();
  if (row === undefined) return null;
  const [token, owner] = JSON.parse(row.value) as [number, string | null];
  return { token, owner };
}

/** No token is higher. */
export async function highestToken(db: Db): Promise<number> {
  const { highest } = await db
    .selectFrom('shard')
    .select((eb) => eb.fn.max('token').as('highest'))
    .executeTakeFirstOrThrow();
  return Math.max(highest ?? 0, (await readLead(db))?.token ?? 0);
}

function fenced(what: string, owner: string | null): Error {
  const who = owner === null ? 'a central that runs alone on this store' : owner;
  return Object.assign(new Error(`${what} belongs to ${who} now`), { code: 'FENCED' });
}
