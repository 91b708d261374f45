/** Which cats the next events concern. */
import { syncOf } from '../../contract/clock.ts';
import type { CatModel, FactKey, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { type Boot, bootAt, eventsOfBoot } from './clocks.ts';
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
  const skipped = new Map<string, Skipped>();
  const skip = (event: CentralEvent) => noteUnread(skipped, model, event);
  const mark = (catId: number | null, key: FactKey) => {
    const earlier = catId === null ? undefined : cats.get(catId);
    if (catId !== null && (earlier === undefined || key < earlier)) cats.set(catId, key);
  };
  const boots = new Set<string>();
  const visitBoot = async (boot: Boot) => {
    const id = JSON.stringify(boot);
    if (boots.has(id)) return;
    boots.add(id);
    for await (const moved of eventsOfBoot(db, names, boot)) {
      for (const event of moved) {
        // Who reads by time may have passed where it is now before it came there.
        skip(event);
        for (const { catId, key } of concerned(model, wearings, event)) mark(catId, key);
      }
    }
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
    if (skip(event)) continue;
    const { type } = model.meaning(event);
    if (syncOf(event) !== null) {
      const boot = await bootAt(db, await epochNo(db, event), event.seq);
      if (boot !== null) await visitBoot(boot);
    } else if (type !== 'revoked' && type !== 'reassigned') visit(event);
    else {
      const corrected = await correctedEvent(db, names, event);
      if (corrected === null) continue;
      const { boot, target, catIds } = corrected;
      if (boot !== null) await visitBoot(boot);
      if (target === null) continue;
      visit(target);
      // Whose it is without corrections, and whose it was by one that counts no more.
      visit({ ...target, reassignedTo: null });
      for (const catId of catIds) mark(catId, model.key(target));
    }
  }
  return { cats, skipped: [...skipped.values()] };
}

/** Is it one that is left out? */
function noteUnread(skipped: Map<string, Skipped>, model: CatModel, event: CentralEvent): boolean {
  const meaning = model.meaning(event);
  if (meaning.type !== 'skipped') return false;
  skipped.set(`${event.epoch}/${event.seq}`, { event, reason: meaning.reason, needed: meaning.needed });
  return true;
}

/** The time of this event is another than before: it may have been any cat that ever wore the collar. */
function concerned(
  model: CatModel,
  wearings: Wearings,
  event: CentralEvent,
): readonly { readonly catId: number; readonly key: FactKey }[] {
  const meaning = model.meaning(event);
  if (meaning.type === 'assigned') {
    const { catId, collar } = meaning.assignment;
    return [catId, ...worn(wearings, collar)].map((id) => ({ catId: id, key: '' }));
  }
  if (meaning.type !== 'fact') return [];
  const { catId, collar, fact } = meaning;
  return (catId === null ? worn(wearings, collar) : [catId]).map((id) => ({ catId: id, key: fact.key }));
}

function worn(wearings: Wearings, collar: string | null): readonly number[] {
  return collar === null ? [] : wearings.ofCollar(collar).map(({ catId }) => catId);
}

/** The stored event that this correction is about in the end, the boot whose clock that told, and all cats that it was ever given to. */
async function correctedEvent(db: Db, names: EpochNames, by: CentralEvent) {
  const corrected = await correctedBy(db, { epochNo: await epochNo(db, by), seq: by.seq });
  if (corrected === null) return null;
  const { target, catIds } = corrected;
  const [boot, event] = [
    await bootAt(db, target.epochNo, target.seq),
    await eventAt(db, names, target.epochNo, target.seq),
  ];
  return { boot, target: event, catIds };
}

async function epochNo(db: Db, { epoch }: Pick<CentralEvent, 'epoch'>): Promise<number> {
  return (await db.selectFrom('epoch').select('no').where('epoch', '=', epoch).executeTakeFirstOrThrow()).no;
}
