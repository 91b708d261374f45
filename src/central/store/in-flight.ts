/** What is stored and a version has not seen: up to there it can be compared and built on. */
import type { CatModel, FactKey } from '../models/model.ts';
import type { Db } from './agents.ts';
import { dirtyCats } from './dirty.ts';
import { readWearings } from './facts.ts';
import { type EpochNames, selectEvents } from './rows.ts';
import type { Cursor } from './store.ts';

const PAGE_ROWS = 2_000;

/** The cats of which something is stored that has arrived after `after`, each with the key from which on it counts. */
export async function inFlight(
  db: Db,
  model: CatModel,
  names: EpochNames,
  after: Cursor,
): Promise<ReadonlyMap<number, FactKey>> {
  const wearings = await readWearings(db, model, names);
  const earliest = new Map<number, FactKey>();
  for (const { shard } of await db.selectFrom('shard').select('shard').execute()) {
    for (let arrival = after.get(shard) ?? 0; ; ) {
      const page = selectEvents(db).where('shard', '=', shard).where('arrival', '>', arrival).orderBy('arrival');
      const rows = await page.limit(PAGE_ROWS).execute();
      const events = await names.events(db, rows);
      const { cats } = await dirtyCats(db, model, names, wearings, events);
      for (const [catId, key] of cats) {
        const before = earliest.get(catId);
        if (before === undefined || key < before) earliest.set(catId, key);
      }
      if (rows.length < PAGE_ROWS) break;
      arrival = rows.at(-1)?.arrival ?? arrival;
    }
  }
  return earliest;
}

/** The place up to which both have come. */
export function earlier(a: Cursor, b: Cursor): Cursor {
  const least = new Map<number, number>();
  for (const [shard, arrival] of a) least.set(shard, Math.min(arrival, b.get(shard) ?? 0));
  return least;
}
