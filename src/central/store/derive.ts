/**
 * Builds the models `cat` and `meowing` (tables `…_v1`) from what is stored. The state of a cat is the fold of all its facts up to
 * its key. New facts go on from there; when one comes late, the cat goes back to the checkpoint before it and folds on.
 * So the order of arrival does not matter.
 */
import type { Transaction } from 'kysely';
import { fullType } from '../../contract/event.ts';
import type { CatFact, CatModel, CatState, FactKey, Wearings } from '../models/model.ts';
import { factsOfCat, readWearings } from './facts.ts';
import { type EpochNames, selectEvents } from './rows.ts';
import { insertOnce } from './sqlite.ts';
import type { CentralEvent, MeowingRow, Projected } from './store.ts';
import type { CatTable, MeowingTable, Tables } from './tables.ts';

/** A cat's state is kept after so many facts: a late fact costs at most so many again. */
const CHECKPOINT_FACTS = 256;
const MODEL = 'cat_v1';

export type FoldPolicy = 'stop' | 'quarantine';
type Trx = Transaction<Tables>;

export interface Deriver {
  slice(trx: Trx, limit: number): Promise<Projected>;
  /** What was read in a transaction that was rolled back must be read again. */
  forget(): void;
}

export function createDeriver(model: CatModel, names: EpochNames, policy: FoldPolicy): Deriver {
  let wearings: Wearings | null = null;
  return {
    async slice(trx, limit) {
      const events = await nextEvents(trx, names, limit);
      if (events.length === 0) return { events: 0, changedCats: [], meows: [] };
      if (wearings === null || events.some((event) => mayChangeWearings(event))) {
        wearings = await readWearings(trx, model, names);
      }
      const { dirty, skipped } = await dirtyCats(trx, model, names, wearings, events, policy);
      const shaken = new Map<string, number>();
      for (const [catId, from] of dirty) {
        for (const id of await deriveCat(trx, model, names, wearings, catId, from)) shaken.set(id, catId);
      }
      await countSkipped(trx, skipped);
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

/** Events that the model has not seen, by arrival; moves its cursor past them. */
async function nextEvents(trx: Trx, names: EpochNames, limit: number): Promise<CentralEvent[]> {
  const behind = await trx
    .selectFrom('shard')
    .leftJoin('model_cursor', (join) =>
      join.onRef('model_cursor.shard', '=', 'shard.shard').on('model_cursor.model', '=', MODEL),
    )
    .select(['shard.shard', 'shard.next_arrival', 'model_cursor.arrival'])
    .execute();
  const events: CentralEvent[] = [];
  for (const { shard, next_arrival, arrival } of behind) {
    const room = limit - events.length;
    if (room <= 0 || (arrival ?? 0) >= next_arrival - 1) continue;
    const rows = await selectEvents(trx)
      .where('shard', '=', shard)
      .where('arrival', '>', arrival ?? 0)
      .orderBy('arrival')
      .limit(room)
      .execute();
    const last = rows.at(-1);
    if (last === undefined) continue;
    events.push(...(await names.events(trx, rows)));
    await insertOnce(trx, 'model_cursor', [{ model: MODEL, shard, arrival: last.arrival }]);
    await trx
      .updateTable('model_cursor')
      .set({ arrival: last.arrival })
      .where('model', '=', MODEL)
      .where('shard', '=', shard)
      .execute();
  }
  return events;
}

function mayChangeWearings(event: CentralEvent): boolean {
  return event.type === fullType('collar.assigned') || event.type === fullType('event.revoked');
}

/** Which cats must be derived anew, each from which key on. */
async function dirtyCats(
  trx: Trx,
  model: CatModel,
  names: EpochNames,
  wearings: Wearings,
  events: readonly CentralEvent[],
  policy: FoldPolicy,
): Promise<{ readonly dirty: ReadonlyMap<number, FactKey>; readonly skipped: number }> {
  const dirty = new Map<number, FactKey>();
  let skipped = 0;
  const mark = (catId: number | null, key: FactKey) => {
    const earlier = catId === null ? undefined : dirty.get(catId);
    if (catId !== null && (earlier === undefined || key < earlier)) dirty.set(catId, key);
  };
  const visit = async (event: CentralEvent, mayRevoke: boolean): Promise<void> => {
    const meaning = model.meaning(event);
    switch (meaning.type) {
      case 'fact': {
        const { catId, collar, fact } = meaning;
        return mark(catId ?? (collar === null ? null : wearings.wearer(collar, fact.key)), fact.key);
      }
      case 'assigned': {
        const { catId, collar, key } = meaning.assignment;
        mark(catId, key);
        return mark(wearings.wearer(collar, key), key);
      }
      case 'revoked': {
        const target = mayRevoke ? await revokedBy(trx, names, event) : null;
        return target === null ? undefined : visit(target, false);
      }
      case 'skipped':
        if (policy === 'stop') {
          const what = `${event.epoch}/${event.seq} of ${event.agent}`;
          throw Object.assign(new Error(`${what} cannot be folded: ${meaning.reason}`), { code: 'FOLD_FAILED' });
        }
        if (mayRevoke) skipped += 1;
        return;
      case 'other':
        return;
    }
  };
  for (const event of events) await visit(event, true);
  return { dirty, skipped };
}

/** The stored event that this `event.revoked` has taken back, or null. */
async function revokedBy(trx: Trx, names: EpochNames, by: CentralEvent): Promise<CentralEvent | null> {
  const found = await trx
    .selectFrom('revoked')
    .innerJoin('epoch', 'epoch.no', 'revoked.by_epoch_no')
    .select(['revoked.epoch_no', 'revoked.seq'])
    .where('epoch.epoch', '=', by.epoch)
    .where('revoked.by_seq', '=', by.seq)
    .executeTakeFirst();
  if (found === undefined) return null;
  const rows = await selectEvents(trx).where('epoch_no', '=', found.epoch_no).where('seq', '=', found.seq).execute();
  return (await names.events(trx, rows))[0] ?? null;
}

/** Folds a cat from the last state before `from` to its newest fact. Resolves to the ids of the events that began a meow. */
async function deriveCat(
  trx: Trx,
  model: CatModel,
  names: EpochNames,
  wearings: Wearings,
  catId: number,
  from: FactKey,
): Promise<readonly string[]> {
  let state = await stateBefore(trx, model, catId, from);
  await trx.deleteFrom('checkpoint_v1').where('cat_id', '=', catId).where('key', '>', state.key).execute();
  await trx.deleteFrom('meowing_v1').where('cat_id', '=', catId).where('key', '>', state.key).execute();
  const meows: string[] = [];
  let sinceCheckpoint = 0;
  for await (const facts of factsOfCat(trx, model, names, wearings, catId, state.key)) {
    const rows: MeowingTable[] = [];
    for (const fact of facts) {
      const evolved = model.evolve(state, fact);
      state = evolved.state;
      if (evolved.row !== null) rows.push(meowingRow(evolved.row, fact));
      if (evolved.row?.eventType === 'meow' && evolved.row.newValue === '1') meows.push(evolved.row.id);
      sinceCheckpoint += 1;
      if (sinceCheckpoint % CHECKPOINT_FACTS === 0) await saveCheckpoint(trx, state);
    }
    await insertOnce(trx, 'meowing_v1', rows);
  }
  await saveCat(trx, state);
  return meows;
}

async function stateBefore(trx: Trx, model: CatModel, catId: number, key: FactKey): Promise<CatState> {
  const cat = await trx.selectFrom('cat_v1').select(['key', 'state']).where('id', '=', catId).executeTakeFirst();
  if (cat !== undefined && cat.key < key) {
    const state = JSON.parse(cat.state) as CatState;
    await thinCheckpoints(trx, state);
    return state;
  }
  const checkpoint = await trx
    .selectFrom('checkpoint_v1')
    .select('state')
    .where('cat_id', '=', catId)
    .where('key', '<', key)
    .orderBy('key', 'desc')
    .limit(1)
    .executeTakeFirst();
  return checkpoint === undefined ? model.start(catId) : (JSON.parse(checkpoint.state) as CatState);
}

/** Facts come a few at a time: the state between two slices is a checkpoint too, when the last one is far behind. */
async function thinCheckpoints(trx: Trx, state: CatState): Promise<void> {
  const last = await trx
    .selectFrom('checkpoint_v1')
    .select('key')
    .where('cat_id', '=', state.catId)
    .orderBy('key', 'desc')
    .limit(1)
    .executeTakeFirst();
  const { count } = await trx
    .selectFrom('meowing_v1')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('cat_id', '=', state.catId)
    .where('key', '>', last?.key ?? '')
    .executeTakeFirstOrThrow();
  if (count >= CHECKPOINT_FACTS) await saveCheckpoint(trx, state);
}

async function saveCheckpoint(trx: Trx, state: CatState): Promise<void> {
  await insertOnce(trx, 'checkpoint_v1', [{ cat_id: state.catId, key: state.key, state: JSON.stringify(state) }]);
}

async function saveCat(trx: Trx, state: CatState): Promise<void> {
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
  if ((await insertOnce(trx, 'cat_v1', [row])) === 0) {
    await trx.updateTable('cat_v1').set(row).where('id', '=', state.catId).execute();
  }
}

function meowingRow(row: MeowingRow, fact: CatFact): MeowingTable {
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

async function countSkipped(trx: Trx, skipped: number): Promise<void> {
  if (skipped === 0) return;
  const name = `skipped.${MODEL}`;
  await insertOnce(trx, 'meta', [{ name, value: '0' }]);
  const { value } = await trx.selectFrom('meta').select('value').where('name', '=', name).executeTakeFirstOrThrow();
  await trx
    .updateTable('meta')
    .set({ value: String(Number(value) + skipped) })
    .where('name', '=', name)
    .execute();
}
