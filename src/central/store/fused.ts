/**
 * Places that the sightings of several agents gave. They are no events, but what the models make of them, so each is shown with the
 * sighting that decided it. How sure it was, and who heard the cat, is in the state that was kept with it (`isFused`).
 */
import { collarOf, fullType } from '../../contract/event.ts';
import type { CatModel, CatState, FactKey, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { comparePlaces, type TimePlace } from './cursor.ts';
import { catsOf } from './facts.ts';
import { liveTables, type ModelTables } from './model-tables.ts';
import { confidenceIn } from './read-models.ts';
import type { AgentEpochs } from './runs.ts';
import type { CentralEvent, EventFilter, FusedPlace } from './store.ts';

const SIGHTED = fullType('collar.sighted');

interface Wanted {
  /** Only what is older. */
  readonly beyond: TimePlace | null;
  readonly limit: number;
}

/** Where the sightings lie that decided a place, newest first: as many as are wanted of each cat. */
export async function fusedPlaces(
  db: Db,
  filter: EventFilter,
  agent: AgentEpochs | null | undefined,
  wanted: Wanted,
): Promise<readonly TimePlace[]> {
  if (agent === null) return [];
  const tables = await liveTables(db);
  // Of most cats no agents have told sightings, and the others are few.
  let cats = db.selectFrom(tables.cat).select('id').where('state', 'like', '%"sightings"%');
  if (filter.catId !== undefined) cats = cats.where('id', '=', filter.catId);
  const places: TimePlace[] = [];
  for (const { id } of await cats.execute()) places.push(...(await placesOf(db, tables, id, filter, agent, wanted)));
  return places;
}

async function placesOf(
  db: Db,
  tables: ModelTables,
  catId: number,
  { from, to, collar }: EventFilter,
  agent: AgentEpochs | undefined,
  { beyond, limit }: Wanted,
): Promise<readonly TimePlace[]> {
  const found: TimePlace[] = [];
  // A key is longer than the time that it begins with: `!` lies behind all keys of that time.
  const ends = [to, beyond === null ? undefined : `${beyond.time}!`].filter((end) => end !== undefined).sort();
  for (let [end] = ends; found.length < limit; ) {
    let query = db
      .selectFrom(`${tables.meowing} as m`)
      .innerJoin(`${tables.checkpoint} as c`, (join) =>
        join.onRef('c.cat_id', '=', 'm.cat_id').onRef('c.key', '=', 'm.key'),
      )
      .select(['m.id', 'm.key'])
      .where('m.cat_id', '=', catId)
      .where('m.event_type', '=', 'location');
    if (from !== undefined) query = query.where('m.key', '>=', from);
    if (end !== undefined) query = query.where('m.key', '<', end);
    const rows = await query.orderBy('m.key', 'desc').limit(limit).execute();
    for (const { subject, ...place } of await sightingsOf(
      db,
      rows.map(({ id }) => id),
    )) {
      const isOlder = beyond === null || comparePlaces(place, beyond) < 0;
      const isAsked = collar === undefined || subject === `collar/${collar}`;
      if (isOlder && isAsked && (agent === undefined || agent.epochs.includes(place.epochNo))) found.push(place);
    }
    if (rows.length < limit) break;
    end = rows.at(-1)?.key;
  }
  return found;
}

/** Those of `EPOCH/SEQ` that are sightings and are still there. */
async function sightingsOf(
  db: Db,
  ids: readonly string[],
): Promise<readonly (TimePlace & { readonly subject: string | null })[]> {
  const found: (TimePlace & { readonly subject: string | null })[] = [];
  for (const [epoch, wanted] of Map.groupBy(ids, (id) => id.split('/')[0] ?? '')) {
    const seqs = wanted.map((id) => Number(id.split('/')[1]));
    const rows = await db
      .selectFrom('event')
      .innerJoin('epoch', 'epoch.no', 'event.epoch_no')
      .select(['event.time', 'event.epoch_no', 'event.seq', 'event.subject'])
      .where('epoch.epoch', '=', epoch)
      .where('event.seq', 'in', seqs)
      .where('event.type', '=', SIGHTED)
      .execute();
    found.push(...rows.map(({ time, epoch_no: epochNo, seq, subject }) => ({ time, epochNo, seq, subject })));
  }
  return found;
}

/** Sightings that decided a place say so. */
export async function withFused(
  db: Db,
  model: CatModel,
  wearings: Wearings | null,
  events: readonly CentralEvent[],
): Promise<readonly CentralEvent[]> {
  const tables = await liveTables(db);
  const keys = new Map<number, FactKey[]>();
  for (const event of events) {
    if (event.type !== SIGHTED || event.revoked || collarOf(event) === null) continue;
    for (const catId of catsOf(event, model, wearings)) keys.set(catId, [...(keys.get(catId) ?? []), model.key(event)]);
  }
  const found = new Map<FactKey, FusedRow>();
  for (const [catId, wanted] of keys) {
    for (const row of await rowsOf(db, tables, catId, wanted)) found.set(row.key, row);
  }
  return events.map((event) => {
    const row = event.type === SIGHTED && !event.revoked ? found.get(model.key(event)) : undefined;
    return row === undefined ? event : { ...event, fused: fusedPlace(model, event, row) };
  });
}

function rowsOf(db: Db, tables: ModelTables, catId: number, keys: readonly FactKey[]) {
  return db
    .selectFrom(`${tables.meowing} as m`)
    .innerJoin(`${tables.checkpoint} as c`, (join) =>
      join.onRef('c.cat_id', '=', 'm.cat_id').onRef('c.key', '=', 'm.key'),
    )
    .select(['m.cat_id', 'm.key', 'm.old_value', 'm.new_value', 'c.state'])
    .where('m.cat_id', '=', catId)
    .where('m.event_type', '=', 'location')
    .where('m.key', 'in', keys)
    .execute();
}

type FusedRow = Awaited<ReturnType<typeof rowsOf>>[number];

function fusedPlace(model: CatModel, event: CentralEvent, row: FusedRow): FusedPlace {
  const state = JSON.parse(row.state) as CatState;
  const meaning = model.meaning(event);
  const wasSeen = meaning.type === 'fact' && meaning.fact.change.type === 'sighted' && meaning.fact.change.dbm === null;
  return {
    catId: row.cat_id,
    from: row.old_value,
    to: row.new_value ?? '',
    ...(wasSeen ? {} : confidenceIn(state.sightings, row.new_value)),
    agents: wasSeen ? [event.agent] : model.heardBy(state),
  };
}
