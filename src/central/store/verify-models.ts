/** The live version against a fold of everything, in memory: nothing is written. */
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
import { factsOfCat, readWearings } from './facts.ts';
import { inFlight } from './in-flight.ts';
import { catTableRow, meowingRow } from './model-rows.ts';
import { liveTables, modelCursor } from './model-tables.ts';
import type { Comparison } from './replay-store.ts';
import { timeline } from './timeline.ts';

export function verifyModels(
  parts: AsideParts,
  onPage: (events: number) => void,
): Promise<Comparison & { readonly version: number; readonly events: number }> {
  const { model, names } = parts;
  return atOneMoment(parts, async (db) => {
    const tables = await liveTables(db);
    const horizon = await inFlight(db, model, names, await modelCursor(db, tables));
    const live = tableRows(db, tables);
    const hashes = await catHashes(live, horizon);
    const { rebuilt, events } = await foldedHashes(parts, db, horizon, onPage);
    const catId = firstCat(hashes, rebuilt);
    const difference =
      catId === null ? null : await firstDifference(live, foldedRows(parts, db), catId, horizon.get(catId));
    return {
      version: tables.version,
      events,
      live: modelDigest(hashes),
      rebuilt: modelDigest(rebuilt),
      equal: catId === null,
      inFlight: horizon.size,
      cats: rebuilt.size,
      difference,
    };
  });
}

/** One pass in the order of time; of each cat one state and one hash are held. */
async function foldedHashes(
  { model, names }: AsideParts,
  db: Db,
  horizon: Horizon,
  onPage: (events: number) => void,
): Promise<{ readonly rebuilt: ReadonlyMap<number, string>; readonly events: number }> {
  const states = new Map<number, CatState>();
  const fold = createFold(model, states);
  const open = new Map<number, CatHash>();
  const hashOf = (catId: number) => {
    const hash = open.get(catId) ?? createCatHash(horizon.get(catId));
    open.set(catId, hash);
    return hash;
  };
  let events = 0;
  const wearings = await readWearings(db, model, names);
  for await (const page of timeline({ db, model, names, wearings, scope: {} }, '')) {
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

/** A cat as its facts make it, for looking at one whose hash differs. */
function foldedRows({ model, names }: AsideParts, db: Db): ModelRows {
  const pages = async function* (catId: number) {
    const wearings = await readWearings(db, model, names);
    let state = model.start(catId);
    for await (const facts of factsOfCat(db, model, names, wearings, catId, '')) {
      const rows = facts.flatMap((fact) => {
        const evolved = model.evolve(state, fact);
        state = evolved.state;
        return evolved.row === null ? [] : [meowingRow(evolved.row, fact)];
      });
      yield { rows, state };
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
