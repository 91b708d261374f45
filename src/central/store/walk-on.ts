/** Marks of epochs over what has joined them: within the transaction that joined it, and where there is much, in short ones after it. */
import { setImmediate } from 'node:timers/promises';
import type { Kysely, Transaction } from 'kysely';
import { type Holdings, heldShard } from './fence.ts';
import { type ShardState, saveEpoch, saveShard } from './shard.ts';
import type { EpochTable, Tables } from './tables.ts';
import { transact } from './transact.ts';
import { WALK_ROWS, walk } from './walk.ts';

/** Steps of walks in one transaction: where many small gaps were told at once, each step is short. */
const WALK_STEPS = 100;

type Trx = Transaction<Tables>;

/** What one transaction may still walk. */
export interface WalkRoom {
  steps: number;
  rows: number;
}

export function walkRoom(): WalkRoom {
  return { steps: WALK_STEPS, rows: WALK_ROWS };
}

/** As far as there is room; saves epoch and shard. Resolves to whether it may go on. */
export async function walkWithin(trx: Trx, epoch: EpochTable, shard: ShardState, room: WalkRoom): Promise<boolean> {
  let isMoved = false;
  let more = true;
  while (more && room.steps > 0 && room.rows > 0) {
    const before = epoch.mark;
    more = await walk(trx, epoch, shard);
    if (!more) break;
    isMoved = true;
    room.steps -= 1;
    room.rows -= epoch.mark - before;
  }
  // A walk that moves nothing writes nothing, and so costs no flush.
  if (isMoved) {
    await saveEpoch(trx, epoch);
    await saveShard(trx, shard);
  }
  return more;
}

/** To the end, in as many transactions as it takes. */
export async function walkOn(
  db: Kysely<Tables>,
  epochNos: readonly number[],
  holdings: Holdings | null,
): Promise<void> {
  let left = epochNos;
  while (left.length > 0) {
    // A long walk must not keep the process from its keepalives.
    await setImmediate();
    const nos = left;
    left = await transact(db, (trx) => walkSome(trx, nos, holdings));
  }
}

/** Resolves to those that may go on. */
async function walkSome(trx: Trx, epochNos: readonly number[], holdings: Holdings | null): Promise<readonly number[]> {
  const room = walkRoom();
  for (const [i, no] of epochNos.entries()) {
    const read = trx.selectFrom('epoch').where('no', '=', no);
    const shard = await heldShard(trx, (await read.select('shard').executeTakeFirstOrThrow()).shard, holdings);
    const epoch = await read.selectAll().executeTakeFirstOrThrow();
    if (await walkWithin(trx, epoch, shard, room)) return epochNos.slice(i);
  }
  return [];
}
