/** One cat: folded on from its newest state, or, when something came late, from the checkpoint before it. */
import { setImmediate } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { CatFact, CatModel, CatState, FactKey, Wearings } from '../models/model.ts';
import { factsOfCat, type IsSeen } from './facts.ts';
import { insertOnce } from './insert-once.ts';
import type { ModelTables } from './model-tables.ts';
import type { EpochNames } from './rows.ts';
import type { MeowingRow } from './store.ts';
import type { CatTable, MeowingTable, Tables } from './tables.ts';

/** A cat's state is kept after so many facts: a late fact costs at most so many again. */
export const CHECKPOINT_FACTS = 256;

type Trx = Transaction<Tables>;

/** Folds a cat from the last state before `from` to its newest fact. Resolves to the ids of the events that began a meow. */
export async function deriveCat(
  trx: Trx,
  tables: ModelTables,
  model: CatModel,
  names: EpochNames,
  wearings: Wearings,
  catId: number,
  from: FactKey,
  isSeen?: IsSeen,
): Promise<readonly string[]> {
  let state = await stateBefore(trx, tables, model, catId, from);
  await trx.deleteFrom(tables.checkpoint).where('cat_id', '=', catId).where('key', '>', state.key).execute();
  await trx.deleteFrom(tables.meowing).where('cat_id', '=', catId).where('key', '>', state.key).execute();
  const meows: string[] = [];
  let sinceCheckpoint = 0;
  for await (const facts of factsOfCat(trx, model, names, wearings, catId, state.key, isSeen)) {
    const rows: MeowingTable[] = [];
    for (const fact of facts) {
      const evolved = model.evolve(state, fact);
      state = evolved.state;
      if (evolved.row !== null) rows.push(meowingRow(evolved.row, fact));
      if (evolved.row?.eventType === 'meow' && evolved.row.newValue === '1') meows.push(evolved.row.id);
      sinceCheckpoint += 1;
      if (sinceCheckpoint % CHECKPOINT_FACTS === 0) await saveCheckpoint(trx, tables, state);
    }
    await insertOnce(trx, tables.meowing, rows);
    // A long history must not keep the process from its keepalives.
    await setImmediate();
  }
  await saveCat(trx, tables, state);
  return meows;
}

async function stateBefore(
  trx: Trx,
  tables: ModelTables,
  model: CatModel,
  catId: number,
  key: FactKey,
): Promise<CatState> {
  const cat = await trx.selectFrom(tables.cat).select(['key', 'state']).where('id', '=', catId).executeTakeFirst();
  if (cat !== undefined && cat.key < key) {
    const state = JSON.parse(cat.state) as CatState;
    await thinCheckpoints(trx, tables, state);
    return state;
  }
  const checkpoint = await trx
    .selectFrom(tables.checkpoint)
    .select('state')
    .where('cat_id', '=', catId)
    .where('key', '<', key)
    .orderBy('key', 'desc')
    .limit(1)
    .executeTakeFirst();
  return checkpoint === undefined ? model.start(catId) : (JSON.parse(checkpoint.state) as CatState);
}

/** Facts come a few at a time: the state between two slices is a checkpoint too, when the last one is far behind. */
async function thinCheckpoints(trx: Trx, tables: ModelTables, state: CatState): Promise<void> {
  const last = await trx
    .selectFrom(tables.checkpoint)
    .select('key')
    .where('cat_id', '=', state.catId)
    .orderBy('key', 'desc')
    .limit(1)
    .executeTakeFirst();
  const { count } = await trx
    .selectFrom(tables.meowing)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('cat_id', '=', state.catId)
    .where('key', '>', last?.key ?? '')
    .executeTakeFirstOrThrow();
  if (count >= CHECKPOINT_FACTS) await saveCheckpoint(trx, tables, state);
}

export async function saveCheckpoint(trx: Trx, tables: ModelTables, state: CatState): Promise<void> {
  await insertOnce(trx, tables.checkpoint, [{ cat_id: state.catId, key: state.key, state: JSON.stringify(state) }]);
}

export async function saveCat(trx: Trx, tables: ModelTables, state: CatState): Promise<void> {
  const row: CatTable = {
    id: state.catId,
    name: state.name,
    is_meowed: state.isMeowed ? 1 : 0,
    location: state.location,
    location_since: state.locationSince,
    collar: state.collar,
    last_seen: state.lastSeen,
    battery_low: state.batteryLow ? 1 : 0,
    silent: state.silent ? 1 : 0,
    key: state.key,
    state: JSON.stringify(state),
  };
  if ((await insertOnce(trx, tables.cat, [row])) === 0) {
    await trx.updateTable(tables.cat).set(row).where('id', '=', state.catId).execute();
  }
}

export function meowingRow(row: MeowingRow, fact: CatFact): MeowingTable {
  return {
    cat_id: row.catId,
    key: fact.key,
    id: row.id,
    timestamp: row.timestamp,
    location: row.location,
    event_type: row.eventType,
    old_value: row.oldValue,
    new_value: row.newValue,
  };
}
