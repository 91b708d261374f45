/**
 * Events in the order of positions: each shard's own order, merged by time. Who follows by a cursor of this order misses nothing,
 * however late it comes. Filters are checked along the way, window by window.
 */
import { setImmediate } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import type { CatModel, Wearings } from '../models/model.ts';
import { encodeCursor, refuseAhead } from './cursor.ts';
import { belongs } from './facts.ts';
import { type EpochNames, type EventSelect, isGivenTo, selectEvents } from './rows.ts';
import type { CentralEvent, Cursor, EventFilter, EventPage, EventQuery } from './store.ts';
import type { Tables } from './tables.ts';

/** Positions that are looked through at once where few events are wanted: others wait no longer than this takes. */
export const WINDOW_POSITIONS = 5_000;

/** `wearings` are needed where a cat is asked for. */
export async function readByPosition(
  db: Kysely<Tables>,
  names: EpochNames,
  model: CatModel,
  query: EventQuery,
  wearings: Wearings | null,
): Promise<EventPage> {
  const after = query.after ?? new Map<number, number>();
  // Read before the events: all up to here is looked through.
  const heads = await shardHeads(db);
  const ends = new Map(heads.map((row) => [row.shard, row.next_position - 1]));
  refuseAhead(after, ends);
  const pages: (readonly CentralEvent[])[] = [];
  for (const [shard, end] of ends) {
    const seen = after.get(shard) ?? 0;
    pages.push(await readShard(db, names, model, { ...query, shard, seen, end }, wearings));
  }
  const { events, next } = merge(pages, after, query.limit, (event) => event.position ?? 0);
  return { events, next: encodeCursor(events.length < query.limit ? atLeast(next, ends) : next) };
}

interface ShardQuery extends EventQuery {
  readonly shard: number;
  readonly seen: number;
  readonly end: number;
}

async function readShard(
  db: Kysely<Tables>,
  names: EpochNames,
  model: CatModel,
  query: ShardQuery,
  wearings: Wearings | null,
): Promise<readonly CentralEvent[]> {
  const { shard, end, limit, types, catId, collar, agent, from, to } = query;
  const whole = [types, catId, collar, agent, from, to].every((condition) => condition === undefined);
  const found: CentralEvent[] = [];
  let seen = Math.max(query.seen, (await firstPosition(db, shard, query.seen)) - 1);
  while (found.length < limit && seen < end) {
    const until = whole ? end : Math.min(end, seen + WINDOW_POSITIONS);
    const left = limit - found.length;
    const window = selectEvents(db)
      .where('shard', '=', shard)
      .where('position', '>', seen)
      .where('position', '<=', until);
    const rows = await filtered(window, query, wearings).orderBy('position').limit(left).execute();
    const events = await names.events(db, rows);
    found.push(...events.filter((event) => belongs(event, query, model, wearings)));
    seen = rows.length < left ? until : (rows.at(-1)?.position ?? until);
    if (seen < end && found.length < limit) await setImmediate();
  }
  return found;
}

/** What is old may have been deleted. */
async function firstPosition(db: Kysely<Tables>, shard: number, after: number): Promise<number> {
  const row = await db
    .selectFrom('event')
    .select('position')
    .where('shard', '=', shard)
    .where('position', '>', after)
    .orderBy('position')
    .limit(1)
    .executeTakeFirst();
  return row?.position ?? after + 1;
}

/**
 * The conditions of a query on rows of a window; for a cat those of its collars, at the edges a little more. Written so that no
 * engine takes one of them for the way in, and sorts what it finds there.
 */
function filtered(window: EventSelect, query: EventFilter, wearings: Wearings | null): EventSelect {
  let select = window;
  const { types, catId, collar, agent, from, to } = query;
  if (types !== undefined) select = select.where(TYPE, 'in', types.length === 0 ? [''] : types);
  if (collar !== undefined) select = select.where(SUBJECT, '=', `collar/${collar}`);
  if (agent !== undefined) {
    const wanted = sql<number>`event.agent_no + 0`;
    select = select.where(wanted, '=', (eb) => eb.selectFrom('agent').select('no').where('name', '=', agent));
  }
  if (from !== undefined) select = select.where(TIME, '>=', from);
  if (to !== undefined) select = select.where(TIME, '<', to);
  if (catId !== undefined) {
    select = select.where((eb) =>
      eb.or([
        eb(sql<number>`event.cat_id + 0`, '=', catId),
        isGivenTo(eb, catId),
        ...(wearings?.ofCat(catId) ?? []).map((worn) =>
          eb.and([
            eb('event.cat_id', 'is', null),
            eb(SUBJECT, '=', `collar/${worn.collar}`),
            eb(TIME, '>=', worn.fromTime),
            ...(worn.toTime === null ? [] : [eb(TIME, '<=', worn.toTime)]),
          ]),
        ),
      ]),
    );
  }
  return select;
}

const TYPE = sql<string>`coalesce(event.type, '')`;
const SUBJECT = sql<string>`coalesce(event.subject, '')`;
const TIME = sql<string>`coalesce(event.time, '')`;

/** In the order of arrival, of all shards. */
export async function readArrivals(db: Kysely<Tables>, names: EpochNames, after: Cursor, limit: number) {
  const pages: (readonly CentralEvent[])[] = [];
  for (const { shard } of await shardHeads(db)) {
    const arrived = selectEvents(db)
      .where('shard', '=', shard)
      .where('arrival', '>', after.get(shard) ?? 0);
    pages.push(await names.events(db, await arrived.orderBy('arrival').limit(limit).execute()));
  }
  return merge(pages, after, limit, (event) => event.arrival);
}

/** The shards that hold events, with the numbers that come next in each. */
export function shardHeads(db: Kysely<Tables>) {
  return db.selectFrom('shard').select(['shard', 'next_arrival', 'next_position']).orderBy('shard').execute();
}

/** Up to `ends` nothing is left of what was asked for: who asks on need not look through it again. */
function atLeast(cursor: Cursor, ends: Cursor): Cursor {
  const next = new Map(cursor);
  for (const [shard, end] of ends) if (end > (next.get(shard) ?? 0)) next.set(shard, end);
  return next;
}

/** Takes the earliest of the shards' next events, again and again: each shard's own order stays. */
function merge(
  pages: readonly (readonly CentralEvent[])[],
  after: Cursor,
  limit: number,
  numberOf: (event: CentralEvent) => number,
): { readonly events: readonly CentralEvent[]; readonly next: Cursor } {
  const next = new Map(after);
  const events: CentralEvent[] = [];
  const at = pages.map(() => 0);
  while (events.length < limit) {
    let first: CentralEvent | undefined;
    let from = -1;
    for (const [i, page] of pages.entries()) {
      const head = page[at[i] ?? 0];
      if (head !== undefined && (first === undefined || head.time < first.time)) [first, from] = [head, i];
    }
    if (first === undefined) break;
    events.push(first);
    next.set(first.shard, numberOf(first));
    at[from] = (at[from] ?? 0) + 1;
  }
  return { events, next };
}
