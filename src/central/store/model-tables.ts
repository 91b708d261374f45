/**
 * The versions of the read models. Each has tables of its own; which one is live is a row of `model_version`, read anew in every
 * transaction, so that one update swaps them for all who read, in this process and in others. The views follow that row too.
 */
import { sql, type Transaction } from 'kysely';
import type { Db } from './agents.ts';
import type { SqlDialect } from './dialect.ts';
import { saveStopped } from './stopped.ts';
import type { Cursor } from './store.ts';
import type { Tables } from './tables.ts';

type Trx = Transaction<Tables>;

/** One fold makes `cat` and `meowing`: they have their version together, under this name. */
export const MODEL = 'cat';

/** All versions have the same columns, so the first stands for the type of each. */
export interface ModelTables {
  readonly version: number;
  /** Its name in `model_cursor`. */
  readonly name: string;
  readonly cat: 'cat_v1';
  readonly meowing: 'meowing_v1';
  readonly checkpoint: 'checkpoint_v1';
}

export function modelTables(version: number): ModelTables {
  return {
    version,
    name: `cat_v${version}`,
    cat: `cat_v${version}` as 'cat_v1',
    meowing: `meowing_v${version}` as 'meowing_v1',
    checkpoint: `checkpoint_v${version}` as 'checkpoint_v1',
  };
}

export function modelVersions(db: Db) {
  return db.selectFrom('model_version').selectAll().where('model', '=', MODEL).executeTakeFirstOrThrow();
}

/** The version that is shown and that the project loop builds on. */
export async function liveTables(db: Db): Promise<ModelTables> {
  return modelTables((await modelVersions(db)).live);
}

/** How far a version has come, by arrival. */
export async function modelCursor(db: Db, { name }: ModelTables): Promise<Cursor> {
  const rows = await db.selectFrom('model_cursor').selectAll().where('model', '=', name).execute();
  return new Map(rows.map(({ shard, arrival }) => [shard, arrival]));
}

/** Makes the tables of a version and views that show whichever of `versions` is live. */
export async function createVersion(
  trx: Trx,
  dialect: SqlDialect,
  version: number,
  versions: readonly number[],
): Promise<void> {
  const { cat, meowing, checkpoint } = modelTables(version);
  const run = (text: string) => sql.raw(dialect.ddl(text)).execute(trx);
  const { clustered } = dialect;
  await run(`create table if not exists ${cat} (id bigint not null primary key, name text, is_meowed integer not null,
    location text, location_since varchar(24), collar text, last_seen text,
    battery_low integer not null, silent integer not null, "key" varchar(160) not null, state text not null)`);
  await run(`create table if not exists ${meowing} (cat_id bigint not null, "key" varchar(160) not null,
    id varchar(64) not null, timestamp varchar(24) not null, location text, event_type varchar(16) not null,
    old_value text, new_value text, primary key (cat_id, "key")) ${clustered}`);
  await run(`create table if not exists ${checkpoint} (cat_id bigint not null, "key" varchar(160) not null,
    state text not null, primary key (cat_id, "key")) ${clustered}`);
  await createViews(trx, dialect, versions);
}

/** Its tables go, and with them all that is known of it. */
export async function dropVersion(
  trx: Trx,
  dialect: SqlDialect,
  version: number,
  versions: readonly number[],
): Promise<void> {
  await createViews(trx, dialect, versions);
  const tables = modelTables(version);
  for (const table of [tables.cat, tables.meowing, tables.checkpoint]) {
    await sql.raw(dialect.ddl(`drop table if exists ${table}`)).execute(trx);
  }
  await trx.deleteFrom('model_cursor').where('model', '=', tables.name).execute();
  await trx.deleteFrom('skipped').where('model', '=', tables.name).execute();
  await saveStopped(trx, tables.name, null);
}

/** Views over all of `versions`, of which only the live one gives rows. */
async function createViews(trx: Trx, dialect: SqlDialect, versions: readonly number[]): Promise<void> {
  const isLive = (version: number) => `(select v.live from model_version v where v.model = '${MODEL}') = ${version}`;
  const cats = versions.map((version) => {
    const { cat, meowing } = modelTables(version);
    return `select c.id, c.name, c.is_meowed, c.location, c.collar, c.last_seen,
      (select count(*) from ${meowing} m where m.cat_id = c.id and m."key" >= ${dialect.dayStart}
        and m.event_type = 'meow' and m.new_value = '1') as meows_today,
      c.location_since, c.battery_low, c.silent from ${cat} c where c.name is not null and ${isLive(version)}`;
  });
  const changes = versions.map(
    (version) => `select id, timestamp, cat_id, location, event_type, old_value, new_value
      from ${modelTables(version).meowing} where ${isLive(version)}`,
  );
  for (const [view, parts] of Object.entries({ cat: cats, meowing: changes })) {
    await sql.raw(dialect.ddl(`drop view if exists ${view}`)).execute(trx);
    await sql.raw(dialect.ddl(`create view ${view} as ${parts.join(' union all ')}`)).execute(trx);
  }
}
