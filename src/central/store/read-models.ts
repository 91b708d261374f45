/** Rows of the read models `cat` and `meowing`. */
import type { CatState } from '../models/model.ts';
import type { Db } from './agents.ts';
import { liveTables, type ModelTables } from './model-tables.ts';
import type { CatRow, MeowingRow } from './store.ts';
import type { CatTable } from './tables.ts';

export type CatTodayRow = Omit<CatTable, 'key'> & {
  readonly meows_today: number;
  /** By the health of any agent. */
  readonly last_heard: string | null;
};

/** Cats that have a name, by number. `now` says which day is today, by the clock of this machine. */
export async function readCats(
  db: Db,
  now: Date,
  where: { readonly id?: number; readonly name?: string } = {},
  tables?: ModelTables,
): Promise<readonly CatTodayRow[]> {
  const day = new Date(now.getFullYear(), now.getMonth(), now.getDate()).toISOString();
  const { cat, meowing } = tables ?? (await liveTables(db));
  let query = db
    .selectFrom(`${cat} as c`)
    .select([
      'id',
      'name',
      'is_meowed',
      'location',
      'location_since',
      'collar',
      'last_seen',
      'battery_low',
      'silent',
      'state',
    ])
    .select((eb) =>
      eb
        .selectFrom(`${meowing} as m`)
        .select((m) => m.fn.countAll<number>().as('n'))
        .whereRef('m.cat_id', '=', 'c.id')
        .where('m.key', '>=', day)
        .where('m.event_type', '=', 'meow')
        .where('m.new_value', '=', '1')
        .as('meows_today'),
    )
    .select((eb) =>
      eb
        .selectFrom('heard')
        .select((h) => h.fn.max('last_heard').as('last'))
        .whereRef('heard.collar', '=', 'c.collar')
        .as('last_heard'),
    )
    .where('name', 'is not', null)
    .orderBy('id');
  if (where.id !== undefined) query = query.where('id', '=', where.id);
  if (where.name !== undefined) query = query.where('name', '=', where.name);
  return query.$castTo<CatTodayRow>().execute();
}

export function catRow(row: CatTodayRow): CatRow {
  return {
    id: row.id,
    name: row.name ?? '',
    isMeowed: row.is_meowed === 1,
    location: row.location,
    locationSince: row.location_since,
    collar: row.collar,
    lastSeen: row.last_seen,
    lastHeard: newer(row.last_seen, row.last_heard),
    meowsToday: row.meows_today,
    batteryLow: row.battery_low === 1,
    silent: row.silent === 1,
    ...confidenceOf(row),
  };
}

/** Most states have no sightings: they are not parsed. */
function confidenceOf({ state, location }: CatTodayRow): Pick<CatRow, 'confidence'> {
  if (!state.includes('"sightings"')) return {};
  return confidenceIn((JSON.parse(state) as CatState).sightings, location);
}

/** To a hundredth, of the place that it is said to be in, whoever said so. */
export function confidenceIn(sightings: CatState['sightings'], location: string | null): Pick<CatRow, 'confidence'> {
  const share = sightings?.belief.find(([place]) => place === location)?.[1];
  return share === undefined ? {} : { confidence: Math.round(100 * share) / 100 };
}

function newer(a: string | null, b: string | null): string | null {
  return a === null || (b !== null && b > a) ? b : a;
}

/** The newest changes of a cat, newest first. */
export async function catHistory(db: Db, catId: number, limit: number): Promise<readonly MeowingRow[]> {
  const { meowing } = await liveTables(db);
  const rows = await db
    .selectFrom(meowing)
    .selectAll()
    .where('cat_id', '=', catId)
    .orderBy('key', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    timestamp: row.timestamp,
    catId: row.cat_id,
    location: row.location,
    eventType: row.event_type as MeowingRow['eventType'],
    oldValue: row.old_value,
    newValue: row.new_value,
  }));
}
