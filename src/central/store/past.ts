/** The cats as they were: each from its newest state before the moment that still holds, and what happened since then. */
import type { CatModel, CatState, FactKey, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { savedBefore } from './derive-cat.ts';
import { factsOfCat, readWearings } from './facts.ts';
import { inFlight } from './in-flight.ts';
import { liveTables, type ModelTables, modelCursor } from './model-tables.ts';
import { confidenceIn } from './read-models.ts';
import type { EpochNames } from './rows.ts';
import type { CatRow } from './store.ts';

/** Of all events before `at`, and of no later one; corrections count whenever they were made. */
export async function catsAt(db: Db, model: CatModel, names: EpochNames, at: Date): Promise<readonly CatRow[]> {
  const to = at.toISOString();
  const tables = await liveTables(db);
  const known = await readWearings(db, model, names);
  const wearings = await readWearings(db, model, names, { before: to });
  const notSeen = await inFlight(db, model, names, await modelCursor(db, tables));
  const ids = await db.selectFrom(tables.cat).select('id').execute();
  const midnight = new Date(at.getFullYear(), at.getMonth(), at.getDate()).toISOString();
  const cats: CatRow[] = [];
  for (const id of new Set([...ids.map((row) => row.id), ...notSeen.keys()])) {
    const late = notSeen.get(id) ?? to;
    // A key is longer than the time that it begins with: what lies before that time lies before all its keys.
    const saved = reachesBackLater(known, id, to) ? null : await savedBefore(db, tables, id, late < to ? late : to);
    let state = saved?.state ?? model.start(id);
    let meowsToday = await meowsBetween(db, tables, id, midnight, state.key);
    for await (const facts of factsOfCat(db, model, names, wearings, id, state.key, { before: to })) {
      for (const fact of facts) {
        const evolved = model.evolve(state, fact);
        state = evolved.state;
        const { row } = evolved;
        if (row?.eventType === 'meow' && row.newValue === '1' && row.timestamp >= midnight) meowsToday += 1;
      }
    }
    if (state.name !== null) cats.push(pastRow(state, state.name, meowsToday));
  }
  return cats.sort((a, b) => a.id - b.id);
}

/** Its first collar came later and is taken to have been its own from the beginning: nobody knew that then. */
function reachesBackLater(known: Wearings, catId: number, to: string): boolean {
  return known.ofCat(catId).some((wearing) => wearing.from === '' && wearing.assigned >= to);
}

async function meowsBetween(db: Db, tables: ModelTables, catId: number, from: string, upTo: FactKey): Promise<number> {
  if (upTo < from) return 0;
  const { n } = await db
    .selectFrom(tables.meowing)
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('cat_id', '=', catId)
    .where('key', '>=', from)
    .where('key', '<=', upTo)
    .where('event_type', '=', 'meow')
    .where('new_value', '=', '1')
    .executeTakeFirstOrThrow();
  return Number(n);
}

export function pastRow({ catId, key: _key, sightings, ...state }: CatState, name: string, meowsToday: number): CatRow {
  // What agents' health said then is not kept.
  return {
    ...state,
    id: catId,
    name,
    lastHeard: state.lastSeen,
    meowsToday,
    ...confidenceIn(sightings, state.location),
  };
}
