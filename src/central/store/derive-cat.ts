/** One cat: folded on from its newest state, or, when something came late, from the checkpoint before it. */
import { setImmediate } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { CatFact, CatModel, CatState, Evolved, FactKey, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { factsOfCat, type Scope } from './facts.ts';
import { readHorizon } from './horizon.ts';
import { insertOnce } from './insert-once.ts';
import { meowingRow, saveCats, saveCheckpoints } from './model-rows.ts';
import type { ModelTables } from './model-tables.ts';
import type { EpochNames } from './rows.ts';
import type { MeowingTable, Tables } from './tables.ts';

/** Rows that one piece deletes. */
const DELETED_ROWS = 5_000;
/** A cat's state is kept after so many facts: a late fact costs at most so many again. */
export const CHECKPOINT_FACTS = 256;

type Trx = Transaction<Tables>;

/** How the tables of a version are reached: all in one transaction, or in pieces, each with a transaction of its own. */
export interface Access {
  readonly read: Db;
  write<T>(work: (trx: Trx) => Promise<T>): Promise<T>;
  readonly inPieces: boolean;
}

export function within(trx: Trx): Access {
  return { read: trx, write: (work) => work(trx), inPieces: false };
}

/**
 * Folds a cat from the last state before `from` to its newest fact. Resolves to the ids of the events that began a meow. Broken
 * off between two pieces it may be done again from the same key: the state of the cat is saved last.
 */
export async function deriveCat(
  access: Access,
  tables: ModelTables,
  model: CatModel,
  names: EpochNames,
  wearings: Wearings,
  catId: number,
  from: FactKey,
  scope?: Scope,
): Promise<readonly string[]> {
  const horizon = await readHorizon(access.read);
  let state = await stateBefore(access, tables, model, catId, from > horizon ? from : horizon);
  for (const table of [tables.checkpoint, tables.meowing]) await deleteAfter(access, table, catId, state.key);
  const meows: string[] = [];
  let sinceCheckpoint = 0;
  for await (const facts of factsOfCat(access.read, model, names, wearings, catId, state.key, scope)) {
    const rows: MeowingTable[] = [];
    const checkpoints: CatState[] = [];
    for (const fact of facts) {
      const evolved = model.evolve(state, fact);
      state = evolved.state;
      if (evolved.row !== null) rows.push(meowingRow(evolved.row, fact));
      if (evolved.row?.eventType === 'meow' && evolved.row.newValue === '1') meows.push(evolved.row.id);
      sinceCheckpoint += 1;
      if (sinceCheckpoint % CHECKPOINT_FACTS === 0 || isFused(evolved, fact)) checkpoints.push(state);
    }
    await access.write(async (trx) => {
      await saveCheckpoints(trx, tables, checkpoints);
      await insertOnce(trx, tables.meowing, rows);
    });
    // A long history must not keep the process from its keepalives.
    await setImmediate();
  }
  await access.write((trx) => saveCats(trx, tables, [state]));
  return meows;
}

/** A place that sightings gave: the state that they came to is kept, since it says how sure the place was and who heard the cat. */
export function isFused({ row }: Evolved, { change }: CatFact): boolean {
  return change.type === 'sighted' && row?.eventType === 'location';
}

async function stateBefore(
  access: Access,
  tables: ModelTables,
  model: CatModel,
  catId: number,
  key: FactKey,
): Promise<CatState> {
  const saved = await savedBefore(access.read, tables, catId, key);
  if (saved?.isNewest) await thinCheckpoints(access, tables, saved.state);
  return saved?.state ?? model.start(catId);
}

/** The newest state that is kept and lies before `key`, or null. */
export async function savedBefore(
  db: Db,
  tables: ModelTables,
  catId: number,
  key: FactKey,
): Promise<{ readonly state: CatState; readonly isNewest: boolean } | null> {
  const cat = await db.selectFrom(tables.cat).select(['key', 'state']).where('id', '=', catId).executeTakeFirst();
  if (cat !== undefined && cat.key < key) return { state: JSON.parse(cat.state) as CatState, isNewest: true };
  const checkpoint = await db
    .selectFrom(tables.checkpoint)
    .select('state')
    .where('cat_id', '=', catId)
    .where('key', '<', key)
    .orderBy('key', 'desc')
    .limit(1)
    .executeTakeFirst();
  return checkpoint === undefined ? null : { state: JSON.parse(checkpoint.state) as CatState, isNewest: false };
}

/** Facts come a few at a time: the state between two slices is a checkpoint too, when the last one is far behind. */
async function thinCheckpoints(access: Access, tables: ModelTables, state: CatState): Promise<void> {
  const last = await access.read
    .selectFrom(tables.checkpoint)
    .select(['key', 'state'])
    .where('cat_id', '=', state.catId)
    .orderBy('key', 'desc')
    .limit(1)
    .executeTakeFirst();
  // Sightings leave no rows: they are counted in the state.
  const kept = last === undefined ? undefined : (JSON.parse(last.state) as CatState);
  const sighted = Math.abs((state.sightings?.facts ?? 0) - (kept?.sightings?.facts ?? 0));
  const { count } = await access.read
    .selectFrom(tables.meowing)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('cat_id', '=', state.catId)
    .where('key', '>', last?.key ?? '')
    .executeTakeFirstOrThrow();
  if (count + sighted >= CHECKPOINT_FACTS) await access.write((trx) => saveCheckpoints(trx, tables, [state]));
}

/** All rows of a cat above `key`. */
export async function deleteAfter(
  access: Access,
  table: 'checkpoint_v1' | 'meowing_v1',
  catId: number,
  key: FactKey,
): Promise<void> {
  for (;;) {
    const rows = access.read.selectFrom(table).select('key').where('cat_id', '=', catId).where('key', '>', key);
    const end = access.inPieces
      ? await rows.orderBy('key').offset(DELETED_ROWS).limit(1).executeTakeFirst()
      : undefined;
    await access.write(async (trx) => {
      const gone = trx.deleteFrom(table).where('cat_id', '=', catId).where('key', '>', key);
      await (end === undefined ? gone : gone.where('key', '<', end.key)).execute();
    });
    if (end === undefined) return;
  }
}
