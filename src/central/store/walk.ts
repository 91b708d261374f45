/**
 * Moves the stored mark of an epoch over what follows it without a gap, proving the chain on the way, and gives positions.
 * The mark rests only where the chain is known: computed from stored rows, or, beyond lost events, taken from a claim.
 */
import { sql, type Transaction } from 'kysely';
import { chainHex, chainNext } from '../../contract/chain.ts';
import { MAX_NEED_RANGES, type SeqRange, type StoredMessage } from '../../contract/message.ts';
import type { Db } from './agents.ts';
import { storedEvent } from './rows.ts';
import { chainAtMark, type ShardState } from './shard.ts';
import type { EpochTable, Tables } from './tables.ts';

/** Rows that one step reads and hashes; a transaction makes one step, so that a drained backlog does not hold the others. */
export const WALK_ROWS = 2_000;
/** Runs and gaps that are read at once, and that are looked at to tell what is missing. */
export const MAX_RUNS = 1_000;

type Trx = Transaction<Tables>;

/** Changes `epoch` and `shard`; the caller saves them. True when there may be more to walk. */
export async function walk(trx: Trx, epoch: EpochTable, shard: ShardState): Promise<boolean> {
  const island = await covering(trx, 'island', epoch.no, epoch.mark + 1);
  if (island !== null) {
    const before = epoch.mark;
    await walkRows(trx, epoch, shard, Math.min(island.to, epoch.mark + WALK_ROWS));
    await trx.deleteFrom('island').where('epoch_no', '=', epoch.no).where('from_seq', '=', island.from).execute();
    if (epoch.mark < island.to) {
      await trx
        .insertInto('island')
        .values({ epoch_no: epoch.no, from_seq: epoch.mark + 1, to_seq: island.to })
        .execute();
    }
    return epoch.mark > before;
  }
  const anchor = await anchorBeyondGap(trx, epoch);
  if (anchor === null) return false;
  await givePositions(trx, epoch, shard, epoch.mark + 1, anchor.seq);
  epoch.mark = anchor.seq;
  epoch.mark_chain = anchor.chain;
  await trimIslands(trx, epoch);
  await forgetClaims(trx, epoch);
  return true;
}

/** Does something stand right after the mark, that is stored or lost? Else a walk moves nothing. */
export async function mayWalk(db: Db, epoch: EpochTable): Promise<boolean> {
  const next = epoch.mark + 1;
  return (
    (await covering(db, 'island', epoch.no, next)) !== null || (await covering(db, 'gap', epoch.no, next)) !== null
  );
}

/** Rows after the mark up to `to`, all of which are there. */
async function walkRows(trx: Trx, epoch: EpochTable, shard: ShardState, to: number): Promise<void> {
  const rows = await trx
    .selectFrom('event')
    .selectAll()
    .where('epoch_no', '=', epoch.no)
    .where('seq', '>', epoch.mark)
    .where('seq', '<=', to)
    .orderBy('seq')
    .execute();
  const claims = await claimsUpTo(trx, epoch, to);
  let chain = chainAtMark(epoch);
  for (const row of rows) {
    chain = chainNext(chain, storedEvent(row, epoch.epoch));
    const claim = claims.get(row.seq);
    if (claim !== undefined && claim !== chainHex(chain)) epoch.chain_ok = 0;
  }
  await givePositions(trx, epoch, shard, epoch.mark + 1, to);
  epoch.mark = to;
  epoch.mark_chain = chainHex(chain);
  await forgetClaims(trx, epoch);
}

/** Positions for all rows of [from, to] that have none, in order and without a gap. */
async function givePositions(trx: Trx, epoch: EpochTable, shard: ShardState, from: number, to: number): Promise<void> {
  const runs = await trx
    .selectFrom('island')
    .selectAll()
    .where('epoch_no', '=', epoch.no)
    .where('from_seq', '<=', to)
    .where('to_seq', '>=', from)
    .orderBy('from_seq')
    .execute();
  for (const run of runs) {
    const first = Math.max(run.from_seq, from);
    const last = Math.min(run.to_seq, to);
    await trx
      .updateTable('event')
      // In this order it is exact: a parameter is a floating-point number to SQLite, and a seq may be as large as one can be.
      .set({ position: sql<number>`seq + ${shard.nextPosition - first}` })
      .where('epoch_no', '=', epoch.no)
      .where('seq', '>=', first)
      .where('seq', '<=', last)
      .execute();
    shard.nextPosition += last - first + 1;
  }
}

/** The first claimed chain above the mark, where all up to it is either stored or lost; else null. */
async function anchorBeyondGap(trx: Trx, epoch: EpochTable): Promise<{ seq: number; chain: string } | null> {
  const claim = await trx
    .selectFrom('claim')
    .select(['seq', 'chain'])
    .where('epoch_no', '=', epoch.no)
    .where('seq', '>', epoch.mark)
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst();
  if (claim === undefined) return null;
  // However many pieces lie there: whoever was long without room has told thousands, of several reasons, and no chain between them.
  for (let next = epoch.mark + 1; next <= claim.seq; ) {
    const pieces = [
      ...(await piecesFrom(trx, 'island', epoch.no, next)),
      ...(await piecesFrom(trx, 'gap', epoch.no, next)),
    ].sort((a, b) => a.from - b.from);
    const before = next;
    for (const { from, to } of pieces) {
      if (from > next) break;
      next = Math.max(next, to + 1);
    }
    if (next === before) return null;
  }
  return claim;
}

/** The one that covers `seq`, and the first MAX_RUNS behind it, in order. */
async function piecesFrom(trx: Trx, table: 'island' | 'gap', epochNo: number, seq: number) {
  const here = await covering(trx, table, epochNo, seq);
  const behind = await trx
    .selectFrom(table)
    .select(['from_seq as from', 'to_seq as to'])
    .where('epoch_no', '=', epochNo)
    .where('from_seq', '>', seq)
    .orderBy('from_seq')
    .limit(MAX_RUNS)
    .execute();
  return here === null ? behind : [here, ...behind];
}

async function covering(db: Db, table: 'island' | 'gap', epochNo: number, seq: number) {
  const row = await db
    .selectFrom(table)
    .select(['from_seq', 'to_seq'])
    .where('epoch_no', '=', epochNo)
    .where('from_seq', '<=', seq)
    .orderBy('from_seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined || row.to_seq < seq ? null : { from: row.from_seq, to: row.to_seq };
}

async function trimIslands(trx: Trx, epoch: EpochTable): Promise<void> {
  const cut = await covering(trx, 'island', epoch.no, epoch.mark);
  await trx.deleteFrom('island').where('epoch_no', '=', epoch.no).where('from_seq', '<=', epoch.mark).execute();
  if (cut !== null && cut.to > epoch.mark) {
    await trx
      .insertInto('island')
      .values({ epoch_no: epoch.no, from_seq: epoch.mark + 1, to_seq: cut.to })
      .execute();
  }
}

/** Notes a run of new rows above the mark, joined with its neighbours. */
export async function addIsland(trx: Trx, epochNo: number, from: number, to: number): Promise<void> {
  const touching = await trx
    .selectFrom('island')
    .selectAll()
    .where('epoch_no', '=', epochNo)
    .where('from_seq', '<=', to + 1)
    .where('to_seq', '>=', from - 1)
    .execute();
  for (const run of touching) {
    await trx.deleteFrom('island').where('epoch_no', '=', epochNo).where('from_seq', '=', run.from_seq).execute();
  }
  await trx
    .insertInto('island')
    .values({
      epoch_no: epochNo,
      from_seq: Math.min(from, ...touching.map((run) => run.from_seq)),
      to_seq: Math.max(to, ...touching.map((run) => run.to_seq)),
    })
    .execute();
}

/** Claims at or below `to`: proven ones are forgotten by `forgetClaims`. */
export async function claimsUpTo(trx: Trx, epoch: EpochTable, to: number): Promise<ReadonlyMap<number, string>> {
  const claims = await trx
    .selectFrom('claim')
    .select(['seq', 'chain'])
    .where('epoch_no', '=', epoch.no)
    .where('seq', '<=', to)
    .execute();
  return new Map(claims.map((claim) => [claim.seq, claim.chain]));
}

export async function forgetClaims(trx: Trx, epoch: EpochTable): Promise<void> {
  await trx.deleteFrom('claim').where('epoch_no', '=', epoch.no).where('seq', '<=', epoch.mark).execute();
}

/** What is known to exist above the mark and is neither stored nor lost, oldest first. */
export async function missingRanges(db: Db, epoch: EpochTable, limit: number): Promise<readonly SeqRange[]> {
  if (epoch.highest_seq <= epoch.mark) return [];
  const runs: SeqRange[][] = [];
  for (const table of ['island', 'gap'] as const) {
    const rows = await db
      .selectFrom(table)
      .select(['from_seq', 'to_seq'])
      .where('epoch_no', '=', epoch.no)
      .where('to_seq', '>', epoch.mark)
      .orderBy('from_seq')
      .limit(MAX_RUNS)
      .execute();
    runs.push(rows.map((row) => [row.from_seq, row.to_seq]));
  }
  return missingAmong(epoch, runs).slice(0, limit);
}

/** `runs` that are stored, and that are lost: of each the first MAX_RUNS above the mark, in order. */
export function missingAmong(epoch: EpochTable, runs: readonly (readonly SeqRange[])[]): readonly SeqRange[] {
  // Beyond the last run that was looked at nothing is known: asking for what is held would have it sent again for ever.
  const ends = runs.flatMap((some) => (some.length === MAX_RUNS ? some.slice(-1) : [])).map(([, to]) => to);
  const looked = Math.min(epoch.highest_seq, ...ends);
  const missing: SeqRange[] = [];
  let next = epoch.mark + 1;
  const sorted = runs.flat().sort((a, b) => a[0] - b[0]);
  for (const [from, to] of [...sorted, [looked + 1, looked + 1] as const]) {
    const until = Math.min(from - 1, looked);
    if (until >= next) missing.push([next, until]);
    next = Math.max(next, to + 1);
  }
  return missing;
}

export async function storedMessage(db: Db, incarnation: string, epoch: EpochTable): Promise<StoredMessage> {
  return {
    incarnation,
    epoch: epoch.epoch,
    seq: epoch.mark,
    chain: chainAtMark(epoch),
    need: await missingRanges(db, epoch, MAX_NEED_RANGES),
  };
}
