/** When a cat was last looked at, by whichever process: one row a cat. */
import type { Kysely, Transaction } from 'kysely';
import type { CheckClaim, CheckStore } from './check-store.ts';
import { insertOnce } from './insert-once.ts';
import type { Tables } from './tables.ts';
import { transact } from './transact.ts';

/** A time that lies further ahead than clocks of two machines do is one from before a clock was set back. */
export const MAX_AHEAD_MS = 60_000;

export function createChecks(db: Kysely<Tables>): CheckStore {
  return {
    claimChecks: (wanted, nowMs, everyMs) =>
      transact(db, async (trx) => {
        const claims = new Map<number, CheckClaim>();
        // In one order, so that two processes do not stand in each other's way.
        for (const one of [...wanted].sort((a, b) => a.catId - b.catId)) {
          claims.set(one.catId, await claim(trx, one.catId, one.lastMs, nowMs, everyMs));
        }
        return claims;
      }),
  };
}

/** Whether an UPDATE finds its row decides, so that of two at the same time one finds it. */
async function claim(
  trx: Transaction<Tables>,
  catId: number,
  lastMs: number | null,
  nowMs: number,
  everyMs: number,
): Promise<CheckClaim> {
  const update = trx.updateTable('cat_check').set({ checked_ms: nowMs }).where('cat_id', '=', catId);
  const due = nowMs - everyMs;
  if (lastMs !== null && (lastMs <= due || lastMs > nowMs)) {
    const { numUpdatedRows } = await update.where('checked_ms', '=', lastMs).executeTakeFirst();
    if (numUpdatedRows > 0n) return { type: 'mine' };
  }
  const isDue = update.where((eb) => eb.or([eb('checked_ms', '<=', due), eb('checked_ms', '>', nowMs + MAX_AHEAD_MS)]));
  if ((await isDue.executeTakeFirst()).numUpdatedRows > 0n) return { type: 'others' };
  if ((await insertOnce(trx, 'cat_check', [{ cat_id: catId, checked_ms: nowMs }])) > 0) return { type: 'others' };
  const row = await trx.selectFrom('cat_check').select('checked_ms').where('cat_id', '=', catId).executeTakeFirst();
  return { type: 'taken', atMs: row?.checked_ms ?? nowMs };
}
