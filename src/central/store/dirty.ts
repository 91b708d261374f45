/** Which cats the next events concern. */
import type { Transaction } from 'kysely';
import type { CatModel, FactKey, Wearings } from '../models/model.ts';
import { type EpochNames, selectEvents } from './rows.ts';
import type { CentralEvent } from './store.ts';
import type { Tables } from './tables.ts';

export type FoldPolicy = 'stop' | 'quarantine';
type Trx = Transaction<Tables>;

/** Which cats must be derived anew, each from which key on. */
export async function dirtyCats(
  trx: Trx,
  model: CatModel,
  names: EpochNames,
  wearings: Wearings,
  events: readonly CentralEvent[],
  policy: FoldPolicy,
): Promise<{ readonly dirty: ReadonlyMap<number, FactKey>; readonly skipped: number }> {
  const dirty = new Map<number, FactKey>();
  let skipped = 0;
  const mark = (catId: number | null, key: FactKey) => {
    const earlier = catId === null ? undefined : dirty.get(catId);
    if (catId !== null && (earlier === undefined || key < earlier)) dirty.set(catId, key);
  };
  const visit = async (event: CentralEvent, mayRevoke: boolean): Promise<void> => {
    const meaning = model.meaning(event);
    switch (meaning.type) {
      case 'fact': {
        const { catId, collar, fact } = meaning;
        return mark(catId ?? (collar === null ? null : wearings.wearer(collar, fact.key)), fact.key);
      }
      case 'assigned': {
        const { catId, collar, key } = meaning.assignment;
        const worn = wearings.ofCollar(collar);
        // The first of a collar or a cat decides how far back another one reaches, too.
        const isFirst = [worn, wearings.ofCat(catId)].some(([one]) => one === undefined || key <= one.assigned);
        for (const id of [catId, ...worn.map((wearing) => wearing.catId)]) mark(id, isFirst ? '' : key);
        return;
      }
      case 'revoked': {
        const target = mayRevoke ? await revokedBy(trx, names, event) : null;
        return target === null ? undefined : visit(target, false);
      }
      case 'skipped':
        if (policy === 'stop') {
          const what = `${event.epoch}/${event.seq} of ${event.agent}`;
          throw Object.assign(new Error(`${what} cannot be folded: ${meaning.reason}`), { code: 'FOLD_FAILED' });
        }
        if (mayRevoke) skipped += 1;
        return;
      case 'other':
        return;
    }
  };
  for (const event of events) await visit(event, true);
  return { dirty, skipped };
}

/** The stored event that this `event.revoked` has taken back, or null. */
async function revokedBy(trx: Trx, names: EpochNames, by: CentralEvent): Promise<CentralEvent | null> {
  const found = await trx
    .selectFrom('revoked')
    .innerJoin('epoch', 'epoch.no', 'revoked.by_epoch_no')
    .select(['revoked.epoch_no', 'revoked.seq'])
    .where('epoch.epoch', '=', by.epoch)
    .where('revoked.by_seq', '=', by.seq)
    .executeTakeFirst();
  if (found === undefined) return null;
  const rows = await selectEvents(trx).where('epoch_no', '=', found.epoch_no).where('seq', '=', found.seq).execute();
  return (await names.events(trx, rows))[0] ?? null;
}
