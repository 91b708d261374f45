/** Which cats the next events concern. */
import type { CatModel, FactKey, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { correctedBy } from './corrections.ts';
import { type EpochNames, eventAt } from './rows.ts';
import type { Skipped } from './skipped.ts';
import type { CentralEvent } from './store.ts';

export interface Dirty {
  /** Cats that must be derived anew, each from which key on. */
  readonly cats: ReadonlyMap<number, FactKey>;
  /** Events that are left out. */
  readonly skipped: readonly Skipped[];
}

/** What the next events concern. */
export async function dirtyCats(
  db: Db,
  model: CatModel,
  names: EpochNames,
  wearings: Wearings,
  events: readonly CentralEvent[],
): Promise<Dirty> {
  const cats = new Map<number, FactKey>();
  const skipped: Skipped[] = [];
  const mark = (catId: number | null, key: FactKey) => {
    const earlier = catId === null ? undefined : cats.get(catId);
    if (catId !== null && (earlier === undefined || key < earlier)) cats.set(catId, key);
  };
  const visit = (event: CentralEvent) => {
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
      default:
        return;
    }
  };
  for (const event of events) {
    const meaning = model.meaning(event);
    if (meaning.type === 'skipped') skipped.push({ event, reason: meaning.reason, needed: meaning.needed });
    else if (meaning.type !== 'revoked' && meaning.type !== 'reassigned') visit(event);
    else {
      const corrected = await correctedEvent(db, names, event);
      if (corrected === null) continue;
      const { target, catIds } = corrected;
      visit(target);
      // Whose it is without corrections, and whose it was by one that counts no more.
      visit({ ...target, reassignedTo: null });
      for (const catId of catIds) mark(catId, model.key(target));
    }
  }
  return { cats, skipped };
}

/** The stored event that this correction is about in the end, and all cats that it was ever given to; or null. */
async function correctedEvent(db: Db, names: EpochNames, by: CentralEvent) {
  const { no } = await db.selectFrom('epoch').select('no').where('epoch', '=', by.epoch).executeTakeFirstOrThrow();
  const corrected = await correctedBy(db, { epochNo: no, seq: by.seq });
  const target = corrected === null ? null : await eventAt(db, names, corrected.target.epochNo, corrected.target.seq);
  return corrected === null || target === null ? null : { target, catIds: corrected.catIds };
}
