/**
 * How far back the live models may fold: what is older may have been deleted. Each cat has a checkpoint there, so that what comes late
 * goes back to it and no further. What is older still is kept, and folded by a replay.
 */
import type { Transaction } from 'kysely';
import type { CatModel, CatState, FactKey, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { factsOfCat, readWearings, type Scope } from './facts.ts';
import { insertOnce } from './insert-once.ts';
import type { ModelTables } from './model-tables.ts';
import type { EpochNames } from './rows.ts';
import type { Tables } from './tables.ts';

const HORIZON = 'retention.horizon';

type Trx = Transaction<Tables>;

/** Empty, below every key, where nothing was ever deleted. */
export async function readHorizon(db: Db): Promise<FactKey> {
  const row = await db.selectFrom('meta').select('value').where('name', '=', HORIZON).executeTakeFirst();
  return row?.value ?? '';
}

/** It never goes back: what was deleted stays deleted. */
export async function saveHorizon(trx: Trx, time: string): Promise<void> {
  await insertOnce(trx, 'meta', [{ name: HORIZON, value: time }]);
  await trx.updateTable('meta').set({ value: time }).where('name', '=', HORIZON).where('value', '<', time).execute();
}

/** A checkpoint of every cat with all its facts before `time`, while their events are there. */
export async function pinCats(
  trx: Trx,
  tables: ModelTables,
  model: CatModel,
  names: EpochNames,
  time: string,
): Promise<void> {
  const scope: Scope = { isSeen: await seenBy(trx, tables) };
  const wearings = await readWearings(trx, model, names, scope);
  for (const { id } of await trx.selectFrom(tables.cat).select('id').execute()) {
    const last = await lastCheckpoint(trx, tables, id, time);
    const start = last === undefined ? model.start(id) : (JSON.parse(last.state) as CatState);
    const state = await foldUpTo(trx, model, names, wearings, start, time, scope);
    if (state.key === start.key) continue;
    await insertOnce(trx, tables.checkpoint, [{ cat_id: id, key: state.key, state: JSON.stringify(state) }]);
  }
}

function lastCheckpoint(trx: Trx, tables: ModelTables, catId: number, before: FactKey) {
  const rows = trx.selectFrom(tables.checkpoint).select('state').where('cat_id', '=', catId).where('key', '<', before);
  return rows.orderBy('key', 'desc').limit(1).executeTakeFirst();
}

async function foldUpTo(
  trx: Trx,
  model: CatModel,
  names: EpochNames,
  wearings: Wearings,
  start: CatState,
  time: FactKey,
  scope: Scope,
): Promise<CatState> {
  let state = start;
  for await (const facts of factsOfCat(trx, model, names, wearings, start.catId, start.key, scope)) {
    for (const fact of facts) {
      if (fact.key >= time) return state;
      state = model.evolve(state, fact).state;
    }
  }
  return state;
}

/** What this version has folded: the rest comes to it later, as something late. */
async function seenBy(trx: Trx, { name }: ModelTables): Promise<NonNullable<Scope['isSeen']>> {
  const rows = await trx.selectFrom('model_cursor').select(['shard', 'arrival']).where('model', '=', name).execute();
  const seen = new Map(rows.map(({ shard, arrival }) => [shard, arrival]));
  return ({ shard, arrival }) => arrival <= (seen.get(shard) ?? 0);
}
