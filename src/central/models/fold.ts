/** Folds a whole list of events in memory, in one pass: for a state in the past, and as the measure of the stored models. */
import type { CentralEvent, MeowingRow } from '../store/store.ts';
import { evolveCat, startCat } from './cat.ts';
import { factKey, meaningOf } from './meaning.ts';
import type { CatFact, CatState } from './model.ts';

export interface Folded {
  /** Cats that have a name, by number. */
  readonly cats: readonly CatState[];
  /** In the order of time. */
  readonly meowing: readonly MeowingRow[];
  /** Events that no fold could read. */
  readonly skipped: number;
}

/**
 * `events` in any order, with their corrections: those that are `revoked` count as if they had never been, those that are
 * reassigned belong to that cat. `until` (exclusive) is a time in RFC 3339.
 */
export function foldEvents(events: readonly CentralEvent[], until: string | null = null): Folded {
  const cats = new Map<number, CatState>();
  const wearer = new Map<string, number>();
  const assigned = new Set<string>();
  const meowing: MeowingRow[] = [];
  let skipped = 0;
  const apply = (catId: number, fact: CatFact) => {
    const { state, row } = evolveCat(cats.get(catId) ?? startCat(catId), fact);
    cats.set(catId, state);
    if (row !== null) meowing.push(row);
  };
  const keyed = events.map((event) => ({ event, key: factKey(event) })).sort((a, b) => (a.key < b.key ? -1 : 1));
  const early = firstWearers(keyed.map(({ event }) => event).filter(({ time }) => until === null || time < until));
  for (const { event } of keyed) {
    if (until !== null && event.time >= until) break;
    const meaning = meaningOf(event);
    if (meaning.type === 'skipped') skipped += 1;
    if (event.revoked) continue;
    if (meaning.type === 'fact') {
      const { collar } = meaning;
      const worn = collar === null ? undefined : assigned.has(collar) ? wearer.get(collar) : early.get(collar);
      const catId = meaning.catId ?? worn;
      if (catId !== undefined) apply(catId, meaning.fact);
    } else if (meaning.type === 'assigned') {
      const { catId, collar, key, time, eventId } = meaning.assignment;
      assigned.add(collar);
      if (wearer.get(collar) === catId) continue;
      const wears = (value: string | null): CatFact => ({
        key,
        time,
        eventId,
        fromCollar: false,
        change: { type: 'wears', collar: value },
      });
      const loser = wearer.get(collar);
      if (loser !== undefined) apply(loser, wears(null));
      const before = cats.get(catId)?.collar;
      if (before !== undefined && before !== null) wearer.delete(before);
      wearer.set(collar, catId);
      apply(catId, wears(collar));
    }
  }
  const named = [...cats.values()].filter((cat) => cat.name !== null).sort((a, b) => a.catId - b.catId);
  return { cats: named, meowing, skipped };
}

/** Collars whose first assignment is the first of its cat, too: that cat wore it from the beginning. Events in order. */
function firstWearers(events: readonly CentralEvent[]): ReadonlyMap<string, number> {
  const first = new Map<string, number>();
  const collars = new Set<string>();
  const cats = new Set<number>();
  for (const event of events) {
    const meaning = event.revoked ? null : meaningOf(event);
    if (meaning?.type !== 'assigned') continue;
    const { catId, collar } = meaning.assignment;
    if (!collars.has(collar) && !cats.has(catId)) first.set(collar, catId);
    collars.add(collar);
    cats.add(catId);
  }
  return first;
}
