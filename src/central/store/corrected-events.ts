/** What was corrected of a cat: people look at it to see what they have done. There are few, so that they are looked up first. */
import type { CatModel, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { belongs } from './facts.ts';
import { type EpochNames, isGivenTo, selectEvents } from './rows.ts';
import type { CentralEvent } from './store.ts';

/** Newest first. */
export async function correctedEvents(
  db: Db,
  names: EpochNames,
  model: CatModel,
  { catId }: { readonly catId: number },
  wearings: Wearings,
  limit: number,
): Promise<readonly CentralEvent[]> {
  const subjects = wearings.ofCat(catId).map(({ collar }) => `collar/${collar}`);
  const rows = await selectEvents(db)
    .where((eb) => {
      const corrected = eb
        .selectFrom('correction')
        .select(['correction.epoch_no', 'correction.seq'])
        .where('correction.in_force', '=', 1);
      return eb(eb.refTuple('event.epoch_no', 'event.seq'), 'in', corrected.$asTuple('epoch_no', 'seq'));
    })
    .where((eb) =>
      eb.or([
        eb('event.cat_id', '=', catId),
        isGivenTo(eb, catId),
        ...(subjects.length === 0 ? [] : [eb('event.subject', 'in', subjects)]),
      ]),
    )
    .orderBy('time', 'desc')
    .orderBy('epoch_no', 'desc')
    .orderBy('seq', 'desc')
    .limit(limit)
    .execute();
  const events = await names.events(db, rows);
  return events.filter((event) => belongs(event, { catId }, model, wearings));
}
