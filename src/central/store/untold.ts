/**
 * What commands have folded by the way, noted in their transactions: the project loop tells of it, whichever process it runs in and
 * whatever ends in between.
 */
import type { Transaction } from 'kysely';
import { insertOnce } from './insert-once.ts';
import { type EpochNames, selectEvents } from './rows.ts';
import type { Projected } from './store.ts';
import type { Tables } from './tables.ts';

/** Meows of one command that are told of; of more the oldest are not. */
export const MAX_UNTOLD_MEOWS = 1_000;

type Trx = Transaction<Tables>;

export async function noteUntold(trx: Trx, folded: readonly Projected[]): Promise<void> {
  const cats = new Set(folded.flatMap(({ changedCats }) => changedCats));
  const meows = folded.flatMap((slice) => slice.meows).slice(-MAX_UNTOLD_MEOWS);
  const rows = [...cats].map((cat_id) => ({ cat_id, epoch_no: 0, seq: 0 }));
  for (const { catId, event } of meows) {
    const { no } = await trx
      .selectFrom('epoch')
      .select('no')
      .where('epoch', '=', event.epoch)
      .executeTakeFirstOrThrow();
    rows.push({ cat_id: catId, epoch_no: no, seq: event.seq });
  }
  await insertOnce(trx, 'untold', rows);
}

/** Adds what was noted, and forgets it. */
export async function takeUntold(trx: Trx, names: EpochNames, result: Projected): Promise<Projected> {
  const rows = await trx.selectFrom('untold').selectAll().orderBy('epoch_no').orderBy('seq').execute();
  if (rows.length === 0) return result;
  await trx.deleteFrom('untold').execute();
  const meows: Projected['meows'][number][] = [];
  for (const { cat_id, epoch_no, seq } of rows) {
    if (epoch_no === 0) continue;
    const found = await selectEvents(trx).where('epoch_no', '=', epoch_no).where('seq', '=', seq).execute();
    for (const event of await names.events(trx, found)) meows.push({ catId: cat_id, event });
  }
  return {
    ...result,
    changedCats: [...new Set([...rows.map((row) => row.cat_id), ...result.changedCats])].sort((a, b) => a - b),
    meows: [...meows, ...result.meows],
  };
}
