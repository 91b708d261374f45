/**
 * Builds the models `cat` and `meowing` (tables `…_v1` and on) from what is stored. The state of a cat is the fold of all its facts up to
 * its key. New facts go on from there; when one comes late, the cat goes back to the checkpoint before it and folds on.
 * So the order of arrival does not matter.
 */
import type { Transaction } from 'kysely';
import { fullType } from '../../contract/event.ts';
import type { CatModel, Wearings } from '../models/model.ts';
import { deriveCat } from './derive-cat.ts';
import { dirtyCats, type FoldPolicy } from './dirty.ts';
import { readWearings } from './facts.ts';
import { insertOnce } from './insert-once.ts';
import { liveTables, type ModelTables, skippedName } from './model-tables.ts';
import { type EpochNames, selectEvents } from './rows.ts';
import type { CentralEvent, Cursor, Projected } from './store.ts';
import type { Tables } from './tables.ts';

type Trx = Transaction<Tables>;

/** A version that is not live, and how far it may go. */
export interface Aside {
  readonly tables: ModelTables;
  readonly upTo: Cursor;
}

export interface Deriver {
  /** Folds events that the model has not seen into the live version, or into the one aside. */
  slice(trx: Trx, limit: number, aside?: Aside): Promise<Projected>;
  /** What was read in a transaction that was rolled back must be read again. */
  forget(): void;
}

export function createDeriver(model: CatModel, names: EpochNames, policy: FoldPolicy): Deriver {
  let wearings: Wearings | null = null;
  return {
    async slice(trx, limit, aside) {
      const tables = aside?.tables ?? (await liveTables(trx));
      const events = await nextEvents(trx, tables, names, limit, aside?.upTo);
      if (events.length === 0) return { events: 0, changedCats: [], meows: [] };
      if (wearings === null || events.some((event) => mayChangeWearings(event))) {
        wearings = await readWearings(trx, model, names);
      }
      const { dirty, skipped } = await dirtyCats(trx, model, names, wearings, events, policy);
      const shaken = new Map<string, number>();
      for (const [catId, from] of dirty) {
        for (const id of await deriveCat(trx, tables, model, names, wearings, catId, from)) shaken.set(id, catId);
      }
      await countSkipped(trx, tables, skipped);
      const meows = events.flatMap((event) => {
        const catId = shaken.get(`${event.epoch}/${event.seq}`);
        return catId === undefined ? [] : [{ catId, event }];
      });
      return { events: events.length, changedCats: [...dirty.keys()].sort((a, b) => a - b), meows };
    },
    forget: () => {
      wearings = null;
    },
  };
}

function mayChangeWearings(event: CentralEvent): boolean {
  return event.type === fullType('collar.assigned') || event.type === fullType('event.revoked');
}

/** Events that the model has not seen, by arrival; moves its cursor past them. */
async function nextEvents(
  trx: Trx,
  { name }: ModelTables,
  names: EpochNames,
  limit: number,
  upTo: Cursor | undefined,
): Promise<CentralEvent[]> {
  const behind = await trx
    .selectFrom('shard')
    .leftJoin('model_cursor', (join) =>
      join.onRef('model_cursor.shard', '=', 'shard.shard').on('model_cursor.model', '=', name),
    )
    .select(['shard.shard', 'shard.next_arrival', 'model_cursor.arrival'])
    .execute();
  const events: CentralEvent[] = [];
  for (const { shard, next_arrival, arrival } of behind) {
    const room = limit - events.length;
    const end = upTo === undefined ? next_arrival - 1 : (upTo.get(shard) ?? 0);
    if (room <= 0 || (arrival ?? 0) >= end) continue;
    const rows = await selectEvents(trx)
      .where('shard', '=', shard)
      .where('arrival', '>', arrival ?? 0)
      .where('arrival', '<=', end)
      .orderBy('arrival')
      .limit(room)
      .execute();
    const last = rows.at(-1);
    if (last === undefined) continue;
    events.push(...(await names.events(trx, rows)));
    await insertOnce(trx, 'model_cursor', [{ model: name, shard, arrival: last.arrival }]);
    await trx
      .updateTable('model_cursor')
      .set({ arrival: last.arrival })
      .where('model', '=', name)
      .where('shard', '=', shard)
      .execute();
  }
  return events;
}

export async function countSkipped(trx: Trx, tables: ModelTables, skipped: number): Promise<void> {
  if (skipped === 0) return;
  const name = skippedName(tables);
  await insertOnce(trx, 'meta', [{ name, value: '0' }]);
  const { value } = await trx.selectFrom('meta').select('value').where('name', '=', name).executeTakeFirstOrThrow();
  await trx
    .updateTable('meta')
    .set({ value: String(Number(value) + skipped) })
    .where('name', '=', name)
    .execute();
}
