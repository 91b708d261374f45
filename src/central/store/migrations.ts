/** The schema, forward only. A migration is never edited after a release: write the next one. */
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { SqlDialect } from './sqlite.ts';
import type { Tables } from './tables.ts';

/** How often a start waits for another one that is at the schema, each time as long as the driver waits for a lock. */
const TRIES = 15;

/**
 * Brings the database to the newest schema, in one transaction: a start that dies in the middle leaves nothing behind, and of
 * two that start together one waits. Rejects with code `SCHEMA`, also where the schema is newer than this program.
 */
export async function migrate(db: Kysely<Tables>, dialect: SqlDialect): Promise<void> {
  const migrations: Record<string, Migration> = {
    '0001_events': { up: (schema) => createEvents(schema, dialect) },
    '0002_models_v1': { up: (schema) => createModels(schema, dialect) },
    '0003_heard': { up: (schema) => createHeard(schema, dialect) },
    '0004_agent_key': { up: (schema) => createKeys(schema, dialect) },
    '0005_quarantine': { up: (schema) => widenQuarantine(schema, dialect) },
    '0006_model_version': { up: createModelVersion },
  };
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  let { error } = await migrator.migrateToLatest();
  for (let tries = 1; isBusy(error) && tries < TRIES; tries += 1) ({ error } = await migrator.migrateToLatest());
  if (error !== undefined) {
    const why = error instanceof Error ? error.message : String(error);
    const text = `the schema of the store cannot be brought up to date: ${why}`;
    throw Object.assign(new Error(text, { cause: error }), { code: 'SCHEMA' });
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
}

async function createEvents(db: Kysely<unknown>, dialect: SqlDialect): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db);
  const clustered = dialect.clustered;
  await run(`create table meta (name varchar(64) not null primary key, value varchar(255) not null)`);
  await run(`create table agent (no integer not null primary key, name varchar(64) not null unique,
    state varchar(16) not null, session bigint not null, version varchar(64) not null,
    last_heard varchar(24), last_stored varchar(24), health text)`);
  await run(`create table epoch (no integer not null primary key, epoch varchar(36) not null unique,
    agent_no integer not null references agent (no), shard integer not null, mark bigint not null,
    mark_chain char(64) not null, highest_seq bigint not null, chain_ok integer not null)`);
  await run(`create index epoch_agent on epoch (agent_no)`);
  await run(`create table event (epoch_no integer not null references epoch (no), seq bigint not null,
    agent_no integer not null, shard integer not null, arrival bigint not null, position bigint,
    type varchar(128) not null, version integer not null, subject varchar(256), cat_id bigint,
    time varchar(24) not null, clock varchar(8) not null, boot varchar(64), mono_ms double precision,
    data text not null, primary key (epoch_no, seq)) ${clustered}`);
  await run(`create unique index event_arrival on event (shard, arrival)`);
  await run(`create unique index event_position on event (shard, position)`);
  await run(`create index event_time on event (time, epoch_no, seq)`);
  await run(`create index event_subject on event (subject, time, epoch_no, seq)`);
  await run(`create index event_cat on event (cat_id, time, epoch_no, seq)`);
  await run(`create index event_type on event (type, time, epoch_no, seq)`);
  await run(`create index event_agent on event (agent_no, time, epoch_no, seq)`);
  await run(`create table shard (shard integer not null primary key, next_arrival bigint not null,
    next_position bigint not null, token bigint not null)`);
  await run(`create table island (epoch_no integer not null, from_seq bigint not null, to_seq bigint not null,
    primary key (epoch_no, from_seq)) ${clustered}`);
  await run(`create table claim (epoch_no integer not null, seq bigint not null, chain char(64) not null,
    primary key (epoch_no, seq)) ${clustered}`);
  await run(`create table gap (epoch_no integer not null, from_seq bigint not null, to_seq bigint not null,
    reason varchar(255) not null, noted varchar(24) not null, primary key (epoch_no, from_seq, to_seq)) ${clustered}`);
  await run(`create table conflict (epoch_no integer not null, seq bigint not null, hash char(64) not null,
    body text not null, noted varchar(24) not null, primary key (epoch_no, seq, hash)) ${clustered}`);
  await run(`create table quarantine (no integer not null primary key, topic varchar(255) not null,
    payload text not null, reason varchar(255) not null, noted varchar(24) not null)`);
  await run(`create table revoked (epoch_no integer not null, seq bigint not null, by_epoch_no integer not null,
    by_seq bigint not null, primary key (epoch_no, seq)) ${clustered}`);
}

async function createModels(db: Kysely<unknown>, dialect: SqlDialect): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db);
  const clustered = dialect.clustered;
  await run(`create table model_cursor (model varchar(32) not null, shard integer not null, arrival bigint not null,
    primary key (model, shard))`);
  await run(`create table cat_v1 (id bigint not null primary key, name varchar(255), is_meowed integer not null,
    location varchar(255), location_since varchar(24), collar varchar(255), last_seen varchar(255),
    battery_low integer not null, silent integer not null, key varchar(160) not null, state text not null)`);
  await run(`create table meowing_v1 (cat_id bigint not null, key varchar(160) not null, id varchar(64) not null,
    timestamp varchar(24) not null, location varchar(255), event_type varchar(16) not null,
    old_value varchar(255), new_value varchar(255), primary key (cat_id, key)) ${clustered}`);
  await run(`create table checkpoint_v1 (cat_id bigint not null, key varchar(160) not null, state text not null,
    primary key (cat_id, key)) ${clustered}`);
  await run(`create view cat as select c.id, c.name, c.is_meowed, c.location, c.collar, c.last_seen,
    (select count(*) from meowing_v1 m where m.cat_id = c.id and m.key >= ${dialect.dayStart}
      and m.event_type = 'meow' and m.new_value = '1') as meows_today,
    c.location_since, c.battery_low, c.silent from cat_v1 c where c.name is not null`);
  await run(`create view meowing as select id, timestamp, cat_id, location, event_type, old_value, new_value
    from meowing_v1`);
}

async function createHeard(db: Kysely<unknown>, dialect: SqlDialect): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db);
  await run(`create table heard (agent_no integer not null references agent (no), collar varchar(64) not null,
    last_heard varchar(24) not null, primary key (agent_no, collar)) ${dialect.clustered}`);
  await run(`create index heard_collar on heard (collar, last_heard)`);
  await run(`create index heard_time on heard (last_heard)`);
}

/** Whole messages with what is known of them; the payload last, so that a list need not read it. Rows of before are kept. */
async function widenQuarantine(db: Kysely<unknown>, dialect: SqlDialect): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db);
  await run(`create table quarantine_tally (agent varchar(64) not null, kind varchar(16) not null,
    noted bigint not null, dropped bigint not null, primary key (agent, kind)) ${dialect.clustered}`);
  await run(`insert into quarantine_tally select '', 'unreadable', coalesce(max(no), 0), coalesce(max(no), 0) - count(*)
    from quarantine`);
  await run(`insert into meta select 'quarantine.last', cast(coalesce(max(no), 0) as char(20)) from quarantine`);
  await run(`alter table quarantine rename to quarantine_v1`);
  await run(`create table quarantine (no integer not null primary key, agent varchar(64) not null,
    topic varchar(255) not null, kind varchar(16) not null, reason varchar(255) not null, noted varchar(24) not null,
    last_noted varchar(24) not null, times bigint not null, bytes bigint not null, kept bigint not null,
    hash varchar(64) not null unique, epoch_no integer, seq bigint, payload text not null)`);
  // Longer ones were cut: 5464 is the length of 4096 bytes in base64.
  await run(`insert into quarantine select no, '', topic, 'unreadable',
    case when length(payload) < 5464 then reason else substr('cut to 4096 bytes; ' || reason, 1, 255) end,
    noted, noted, 1, length(payload) * 3 / 4, length(payload) * 3 / 4, cast(no as char(20)), null, null, payload
    from quarantine_v1`);
  await run(`drop table quarantine_v1`);
  await run(`create index quarantine_agent on quarantine (agent, kind, no, kept)`);
}

async function createModelVersion(db: Kysely<unknown>): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db);
  await run(`create table model_version (model varchar(32) not null primary key, live integer not null,
    previous integer, building integer, owner varchar(36), progress text)`);
  await run(`insert into model_version values ('cat', 1, null, null, null, null)`);
}

async function createKeys(db: Kysely<unknown>, dialect: SqlDialect): Promise<void> {
  await sql
    .raw(`create table agent_key (agent_no integer not null references agent (no), public_key varchar(43) not null,
    how varchar(16) not null, since varchar(24) not null, revoked_at varchar(24),
    primary key (agent_no, public_key)) ${dialect.clustered}`)
    .execute(db);
}
