/** Who wore which collar when: from all `collar.assigned` events, in any order. */
import type { Assignment, CatFact, FactKey, Wearing, Wearings } from './model.ts';

/**
 * A collar is worn by one cat and a cat wears one collar. An assignment ends what either of the two had before. The first
 * assignment of a collar that is also the first of its cat reaches back to the beginning: people name a cat after its collar
 * has been heard for a while, and nobody else can have worn it. Revoked assignments are left out by the caller.
 */
export function wearingsOf(assignments: readonly Assignment[]): Wearings {
  const byCollar = new Map<string, Wearing[]>();
  const byCat = new Map<number, Wearing[]>();
  const changes = new Map<number, CatFact[]>();
  const end = (list: Wearing[] | undefined, by: Assignment): Wearing | null => {
    const last = list?.at(-1);
    if (last === undefined || last.to !== null) return null;
    const ended = { ...last, to: by.key, toTime: by.time };
    replaceLast(byCollar.get(last.collar), ended);
    replaceLast(byCat.get(last.catId), ended);
    return ended;
  };
  for (const assignment of [...assignments].sort((a, b) => (a.key < b.key ? -1 : 1))) {
    const { catId, collar, key, time } = assignment;
    const worn = byCollar.get(collar)?.at(-1);
    if (worn !== undefined && worn.to === null && worn.catId === catId) continue;
    const loser = end(byCollar.get(collar), assignment);
    if (loser !== null) add(changes, loser.catId, wears(assignment, null));
    end(byCat.get(catId), assignment);
    const reachesBack = !byCollar.has(collar) && !byCat.has(catId);
    const since = reachesBack ? { from: '', fromTime: '' } : { from: key, fromTime: time };
    const wearing: Wearing = { catId, collar, assigned: key, ...since, to: null, toTime: null };
    add(byCollar, collar, wearing);
    add(byCat, catId, wearing);
    add(changes, catId, wears(assignment, collar));
  }
  return {
    wearer: (collar, at) => byCollar.get(collar)?.find((w) => isWithin(w, at))?.catId ?? null,
    ofCat: (catId) => byCat.get(catId) ?? [],
    ofCollar: (collar) => byCollar.get(collar) ?? [],
    changes: (catId) => changes.get(catId) ?? [],
  };
}

/** The moment of the ending assignment itself still counts to the one before: the event that ends it is no fact of its own. */
export function isWithin(wearing: Wearing, key: FactKey): boolean {
  return wearing.from < key && (wearing.to === null || key <= wearing.to);
}

function wears(assignment: Assignment, collar: string | null): CatFact {
  const { key, time, eventId } = assignment;
  return { key, time, eventId, fromCollar: false, change: { type: 'wears', collar } };
}

function add<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function replaceLast(list: Wearing[] | undefined, wearing: Wearing): void {
  if (list !== undefined) list[list.length - 1] = wearing;
}
