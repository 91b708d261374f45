/** States and changes of cats as rows of a version's tables. */
import type { Transaction } from 'kysely';
import type { CatFact, CatState } from '../models/model.ts';
import { insertOnce } from './insert-once.ts';
import type { ModelTables } from './model-tables.ts';
import type { MeowingRow } from './store.ts';
import type { CatTable, MeowingTable, Tables } from './tables.ts';

type Trx = Transaction<Tables>;

/** Ids of one statement. */
const IDS = 100;

export async function saveCats(trx: Trx, tables: ModelTables, states: readonly CatState[]): Promise<void> {
  for (let at = 0; at < states.length; at += IDS) {
    const some = states.slice(at, at + IDS).map(catTableRow);
    const ids = some.map(({ id }) => id);
    await trx.deleteFrom(tables.cat).where('id', 'in', ids).execute();
    await insertOnce(trx, tables.cat, some);
  }
}

export async function saveCheckpoints(trx: Trx, tables: ModelTables, states: readonly CatState[]): Promise<void> {
  const rows = states.map((state) => ({ cat_id: state.catId, key: state.key, state: JSON.stringify(state) }));
  await insertOnce(trx, tables.checkpoint, rows);
}

export function catTableRow(state: CatState): CatTable {
  return {
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
