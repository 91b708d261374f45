/** The live version against a fold of everything, in segments and in rows, in memory: nothing is written. */
import type { CatState } from '../models/model.ts';
import type { Db } from './agents.ts';
import { type AsideParts, atOneMoment } from './aside.ts';
import { createFold } from './build.ts';
import { firstCat, firstDifference } from './difference.ts';
import {
  type CatHash,
  catHashes,
  createCatHash,
  type Horizon,
  type ModelRows,
  modelDigest,
  tableRows,
} from './digest.ts';
import { readWearings } from './facts.ts';
import { inFlight } from './in-flight.ts';
import { catTableRow } from './model-rows.ts';
import { liveTables, modelCursor } from './model-tables.ts';
import type { Comparison } from './replay-store.ts';
import { openSealedRows, type SealedRows } from './sealed-rows.ts';
import { type TimelinePage, timeline } from './timeline.ts';

export function verifyModels(
  parts: AsideParts,
  onPage: (events: number, of: number) => void,
): Promise<Comparison & { readonly version: number; readonly events: number }> {
  const { model, names } = parts;
  return atOneMoment(parts, async (db) => {
    const sealed = await openSealedRows(db, parts.segments, { from: '', to: null });
    try {
      while (sealed.left > 0) await sealed.loadNext();
      const tables = await liveTables(db);
      const horizon = await inFlight(db, model, names, await modelCursor(db, tables));
      const live = tableRows(db, tables);
      const hashes = await catHashes(live, horizon);
      const shards = await db.selectFrom('shard').select('next_arrival').execute();
      const all = shards.reduce((sum, { next_arrival }) => sum + next_arrival - 1, 0);
      const told = (page: number) => onPage(page, all);
      const { rebuilt, events } = await foldedHashes(parts, db, sealed, horizon, told);
      const catId = firstCat(hashes, rebuilt);
      const folded = foldedRows(parts, db, sealed);
      return {
        version: tables.version,
        events,
        live: modelDigest(hashes),
        rebuilt: modelDigest(rebuilt),
        equal: catId === null,
        inFlight: horizon.size,
        cats: rebuilt.size,
        difference: catId === null ? null : await firstDifference(live, folded, catId, horizon.get(catId)),
      };
    } finally {
      sealed.close();
    }
  });
}

async function* pagesOf({ model, names }: AsideParts, db: Db, sealed: SealedRows): AsyncGenerator<TimelinePage> {
  const wearings = await readWearings(db, model, names);
  yield* timeline({ db, model, names, wearings, scope: {}, sealed }, '');
}

/** One pass in the order of time; of each cat one state and one hash are held. */
async function foldedHashes(
  parts: AsideParts,
  db: Db,
  sealed: SealedRows,
  horizon: Horizon,
  onPage: (events: number) => void,
): Promise<{ readonly rebuilt: ReadonlyMap<number, string>; readonly events: number }> {
  const states = new Map<number, CatState>();
  const fold = createFold(parts.model, states);
  const open = new Map<number, CatHash>();
  const hashOf = (catId: number) => {
    const hash = open.get(catId) ?? createCatHash(horizon.get(catId));
    open.set(catId, hash);
    return hash;
  };
  let events = 0;
  for await (const page of pagesOf(parts, db, sealed)) {
    fold.add(page);
    for (const row of fold.take().rows) hashOf(row.cat_id).add(row);
    events += page.events;
    onPage(page.events);
  }
  const rebuilt = new Map<number, string>();
  for (const [catId, state] of states) {
    const hex = hashOf(catId).end(catTableRow(state));
    if (hex !== null) rebuilt.set(catId, hex);
  }
  return { rebuilt, events };
}

/** A cat as its facts make it, for looking at one whose hash differs: all events are folded once more for it. */
function foldedRows(parts: AsideParts, db: Db, sealed: SealedRows): ModelRows {
  const { model } = parts;
  const pages = async function* (catId: number) {
    const states = new Map<number, CatState>();
    const fold = createFold(model, states);
    for await (const page of pagesOf(parts, db, sealed)) {
      fold.add({ ...page, facts: page.facts.filter((one) => one.catId === catId) });
      yield { rows: fold.take().rows, state: states.get(catId) ?? model.start(catId) };
    }
  };
  return {
    catIds: async () => [],
    async cat(catId) {
      let state = model.start(catId);
      for await (const page of pages(catId)) state = page.state;
      return state.key === '' ? null : catTableRow(state);
    },
    async *meowing(catId) {
      for await (const page of pages(catId)) yield page.rows;
    },
  };
}
