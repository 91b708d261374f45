/** The counters of shards and the marks of epochs, as rows. */
import type { Transaction } from 'kysely';
import { type ChainHash, parseChainHex } from '../../contract/chain.ts';
import { wordsOf } from './dialect.ts';
import { insertOnce } from './insert-once.ts';
import type { EpochTable, Tables } from './tables.ts';

type Trx = Transaction<Tables>;

/** Claims of one epoch that came without events and are kept until the walk reaches them. */
export const MAX_CLAIMS = 10_000;

/** Numbers that a transaction gives out; saved by `saveShard`. */
export interface ShardState {
  readonly shard: number;
  nextArrival: number;
  nextPosition: number;
}

/** The counters of a shard, and with them all that is of its epochs: nobody else changes it until this transaction ends. */
export async function openShard(trx: Trx, shard: number): Promise<Tables['shard']> {
  const row = trx.selectFrom('shard').selectAll().where('shard', '=', shard);
  const locked = wordsOf(trx).rowLocks ? row.forUpdate() : row;
  const known = await locked.executeTakeFirst();
  if (known !== undefined) return known;
  await insertOnce(trx, 'shard', [{ shard, next_arrival: 1, next_position: 1, token: 0, owner: null }]);
  return locked.executeTakeFirstOrThrow();
}

export async function saveShard(trx: Trx, state: ShardState): Promise<void> {
  await trx
    .updateTable('shard')
    .set({ next_arrival: state.nextArrival, next_position: state.nextPosition })
    .where('shard', '=', state.shard)
    .execute();
}

export async function saveEpoch(trx: Trx, epoch: EpochTable): Promise<void> {
  const { no, mark, mark_chain, highest_seq, chain_ok } = epoch;
  await trx.updateTable('epoch').set({ mark, mark_chain, highest_seq, chain_ok }).where('no', '=', no).execute();
}

/** One that cannot be read proves nothing: all that follows it differs from what the agent claims, and says so. */
export function chainAtMark(epoch: EpochTable): ChainHash {
  return parseChainHex(epoch.mark_chain) ?? new Uint8Array(32);
}

/**
 * What the agent says its chain is at `seq`: proven at the mark, kept for later above it, not provable below. One that comes
 * with events is always kept: it may be the only way over lost ones before them, and the events take more room than it does.
 */
export async function claim(
  trx: Trx,
  epoch: EpochTable,
  seq: number,
  chain: string,
  withEvents: boolean,
): Promise<void> {
  if (seq === epoch.mark && chain !== epoch.mark_chain) epoch.chain_ok = 0;
  if (seq <= epoch.mark) return;
  if (withEvents || (await countClaims(trx, epoch)) < MAX_CLAIMS)
    await insertOnce(trx, 'claim', [{ epoch_no: epoch.no, seq, chain }]);
}

async function countClaims(trx: Trx, epoch: EpochTable): Promise<number> {
  const { count } = await trx
    .selectFrom('claim')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('epoch_no', '=', epoch.no)
    .executeTakeFirstOrThrow();
  return count;
}
