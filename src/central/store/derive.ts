/**
 * Builds the models `cat` and `meowing` (tables `…_v1` and on) from what is stored. The state of a cat is the fold of all its facts up to
 * its key. New facts go on from there; when one comes late, the cat goes back to the checkpoint before it and folds on.
 * So the order of arrival does not matter, and what this program reads at last, where another skipped it, is only late.
 */
import type { Transaction } from 'kysely';
import { fullType } from '../../contract/event.ts';
import type { CatModel, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { deriveCat, within } from './derive-cat.ts';
import { dirtyCats } from './dirty.ts';
import { type IsSeen, readWearings } from './facts.ts';
import { insertOnce } from './insert-once.ts';
import { liveTables, type ModelTables, modelCursor } from './model-tables.ts';
import { moveTimes } from './move-times.ts';
import { asReceived, type EpochNames, selectEvents } from './rows.ts';
import { sideEffects } from './side-effects.ts';
import { forgetSkipped, nextReadable, noteSkipped, type SkippedPlace } from './skipped.ts';
import { type FoldPolicy, saveStopped, stoppedAt, stoppedBy } from './stopped.ts';
import type { CentralEvent, Cursor, Projected } from './store.ts';
import type { Tables } from './tables.ts';

type Trx = Transaction<Tables>;

export interface Deriver {
  /** Folds events that the live version has not seen. None, and `stopped`: it stands still. */
  slice(trx: Trx, limit: number): Promise<Projected>;
  /** Is there anything left to look through? Asked before a transaction is begun for it. */
  readonly relearning: boolean;
  /** Folds into the live version what an older program skipped and this one reads. Null once all of it is looked through. */
  relearn(trx: Trx, limit: number, now: string): Promise<Projected | null>;
  /** What was read in a transaction that was rolled back must be read again. */
  forget(): void;
}

/** Nothing was folded; asked again it goes on. */
const MOVING: Projected = { events: 0, changedCats: [], meows: [], movingTimes: true };

export function createDeriver(model: CatModel, names: EpochNames, policy: FoldPolicy): Deriver {
  const begin: SkippedPlace = { epochNo: 0, seq: 0 };
  /** Replaced when it is forgotten: a fold that is under way goes on with what it has read, and leaves none of it to the next. */
  let known: { wearings: Wearings | null } = { wearings: null };
  /** Where the live version stood after our last slice. Elsewhere since: another process has folded what we have not seen. */
  let left = '';
  let relearnt: SkippedPlace | null = begin;
  const derive = async (trx: Trx, tables: ModelTables, events: readonly CentralEvent[]) => {
    const scope = policy === 'stop' ? { isSeen: seenUpTo(await modelCursor(trx, tables)) } : {};
    const own = known;
    const isOld = own.wearings === null || events.some((event) => mayChangeWearings(event));
    const wearings = isOld ? await readWearings(trx, model, names, scope) : (own.wearings as Wearings);
    own.wearings = wearings;
    const { cats, skipped } = await dirtyCats(trx, model, names, wearings, events);
    const shaken = new Map<string, number>();
    for (const [catId, from] of cats) {
      for (const id of await deriveCat(within(trx), tables, model, names, wearings, catId, from, scope))
        shaken.set(id, catId);
    }
    return { skipped, changedCats: [...cats.keys()].sort((a, b) => a - b), meows: meowsOf(events, shaken) };
  };
  return {
    async slice(trx, limit) {
      // What is folded has the times that hold now.
      if (await moveTimes(trx)) return MOVING;
      const tables = await liveTables(trx);
      const mayStop = policy === 'stop';
      const before = mayStop ? await stoppedAt(trx, tables.name, names) : null;
      const still = before === null ? null : stoppedBy(model, before);
      if (still !== null) return { events: 0, changedCats: [], meows: [], stopped: still };
      const next = await nextEvents(trx, tables, names, limit);
      const end = mayStop ? next.findIndex((event) => stoppedBy(model, event) !== null) : -1;
      const events = end < 0 ? next : next.slice(0, end);
      const blocking = next[end];
      await saveStopped(trx, tables.name, blocking ?? null);
      const stopped = blocking === undefined ? null : stoppedBy(model, blocking);
      if (events.length === 0) return { events: 0, changedCats: [], meows: [], stopped };
      if ((await standOf(trx, tables)) !== left) known = { wearings: null };
      await moveCursor(trx, tables, lastOf(events));
      left = await standOf(trx, tables);
      const { skipped, changedCats, meows } = await derive(trx, tables, events);
      await noteSkipped(trx, tables.name, skipped);
      return { events: events.length, changedCats, meows, stopped };
    },
    get relearning() {
      return relearnt !== null;
    },
    async relearn(trx, limit, now) {
      const before = relearnt;
      if (before === null) return null;
      const tables = await liveTables(trx);
      const { events, last } = await nextReadable(trx, names, tables.name, before, limit);
      relearnt = last;
      if (last === null) return null;
      const read = events.filter((event) => model.meaning(event).type !== 'skipped');
      const isMoving = await takeEffect(trx, read, now);
      if (isMoving) relearnt = before;
      if (isMoving) return MOVING;
      await forgetSkipped(trx, tables.name, read);
      const { changedCats } = await derive(trx, tables, read);
      // What began long ago is no news: nobody is told of these meows.
      return { events: events.length, changedCats, meows: [] };
    },
    forget: () => {
      known = { wearings: null };
      if (relearnt !== null) relearnt = begin;
    },
  };
}

function meowsOf(events: readonly CentralEvent[], shaken: ReadonlyMap<string, number>): Projected['meows'] {
  return events.flatMap((event) => {
    const catId = shaken.get(`${event.epoch}/${event.seq}`);
    return catId === undefined ? [] : [{ catId, event }];
  });
}

async function standOf(trx: Trx, tables: ModelTables): Promise<string> {
  return JSON.stringify([tables.name, [...(await modelCursor(trx, tables))].sort(([a], [b]) => a - b)]);
}

/** They change who wore what, or when. */
const WEARING_TYPES: readonly string[] = (['collar.assigned', 'event.revoked', 'clock.synced'] as const).map(fullType);

/** What these events say of others, which nobody could read when they came. True: times are being moved, and it is to be asked again. */
async function takeEffect(trx: Trx, events: readonly CentralEvent[], now: string): Promise<boolean> {
  for (const event of events) {
    const own = await trx.selectFrom('epoch').selectAll().where('epoch', '=', event.epoch).executeTakeFirstOrThrow();
    await sideEffects(trx, own, event.agent, [asReceived(event)], now);
  }
  return moveTimes(trx);
}

export function mayChangeWearings(event: CentralEvent): boolean {
  return WEARING_TYPES.includes(event.type);
}

/** Events that a version has not seen, by arrival, up to the end given or to all there are. */
export async function nextEvents(
  db: Db,
  { name }: ModelTables,
  names: EpochNames,
  limit: number,
  upTo?: Cursor,
): Promise<readonly CentralEvent[]> {
  const behind = await db
    .selectFrom('shard')
    .select((eb) => [
      'shard.shard',
      'shard.next_arrival',
      // A join would be planned anew each time by SQLite.
      eb
        .selectFrom('model_cursor')
        .select('model_cursor.arrival')
        .whereRef('model_cursor.shard', '=', 'shard.shard')
        .where('model_cursor.model', '=', name)
        .as('arrival'),
    ])
    .execute();
  const events: CentralEvent[] = [];
  for (const { shard, next_arrival, arrival } of behind) {
    const room = limit - events.length;
    const end = upTo === undefined ? next_arrival - 1 : (upTo.get(shard) ?? 0);
    if (room <= 0 || (arrival ?? 0) >= end) continue;
    const rows = await selectEvents(db)
      .where('shard', '=', shard)
      .where('arrival', '>', arrival ?? 0)
      .where('arrival', '<=', end)
      .orderBy('arrival')
      .limit(room)
      .execute();
    events.push(...(await names.events(db, rows)));
  }
  return events;
}

/** What lies behind an event that a model stands before is none of its business yet, though it is stored. */
export function seenUpTo(cursor: Cursor): IsSeen {
  return ({ shard, arrival }) => arrival <= (cursor.get(shard) ?? 0);
}

/** Where events end that follow a cursor. */
export function lastOf(events: readonly CentralEvent[]): Cursor {
  return new Map(events.map(({ shard, arrival }) => [shard, arrival]));
}

export async function moveCursor(trx: Trx, { name }: ModelTables, cursor: Cursor): Promise<void> {
  for (const [shard, arrival] of cursor) {
    await insertOnce(trx, 'model_cursor', [{ model: name, shard, arrival }]);
    const row = trx.updateTable('model_cursor').set({ arrival }).where('model', '=', name);
    await row.where('shard', '=', shard).execute();
  }
}
