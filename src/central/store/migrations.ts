/**
 * The schema as a list of statements, forward only. A migration is never edited after a release: write the next one.
 * They are in SQLite's words; `ddl` of a dialect says them in another's. Names that are words of SQL stand in double quotes.
 */
import type { SqlDialect } from './dialect.ts';

export interface SchemaChange {
  readonly name: string;
  statements(dialect: Pick<SqlDialect, 'dayStart' | 'clustered'>): readonly string[];
}

export const MIGRATIONS: readonly SchemaChange[] = [
  { name: '0001_events', statements: ({ clustered }) => createEvents(clustered) },
  { name: '0002_models_v1', statements: createModels },
  { name: '0003_heard', statements: ({ clustered }) => createHeard(clustered) },
  { name: '0004_agent_key', statements: ({ clustered }) => createKeys(clustered) },
  { name: '0005_quarantine', statements: ({ clustered }) => widenQuarantine(clustered) },
  { name: '0006_model_version', statements: createModelVersion },
  { name: '0007_subject_index', statements: widenSubjectIndex },
  { name: '0008_corrections', statements: ({ clustered }) => createCorrections(clustered) },
  { name: '0009_segments', statements: ({ clustered }) => createSegments(clustered) },
  { name: '0010_type_index', statements: widenTypeIndex },
  { name: '0011_collar_type_index', statements: addCollarTypeIndex },
  { name: '0012_workers', statements: ({ clustered }) => createWorkers(clustered) },
  { name: '0013_cat_check', statements: createCatCheck },
  { name: '0014_notices', statements: ({ clustered }) => createNotices(clustered) },
  { name: '0015_access', statements: createAccess },
  { name: '0016_clocks', statements: ({ clustered }) => createClocks(clustered) },
];

function createEvents(clustered: string): readonly string[] {
  return [
    `create table meta (name varchar(64) not null primary key, value varchar(255) not null)`,
    `create table agent (no integer not null primary key, name varchar(64) not null unique,
    state varchar(16) not null, session bigint not null, version varchar(64) not null,
    last_heard varchar(24), last_stored varchar(24), health text)`,
    `create table epoch (no integer not null primary key, epoch varchar(36) not null unique,
    agent_no integer not null references agent (no), shard integer not null, mark bigint not null,
    mark_chain char(64) not null, highest_seq bigint not null, chain_ok integer not null)`,
    `create index epoch_agent on epoch (agent_no)`,
    `create table event (epoch_no integer not null references epoch (no), seq bigint not null,
    agent_no integer not null, shard integer not null, arrival bigint not null, position bigint,
    type varchar(128) not null, version integer not null, subject varchar(256), cat_id bigint,
    time varchar(24) not null, clock varchar(8) not null, boot varchar(64), mono_ms double precision,
    data text not null, primary key (epoch_no, seq)) ${clustered}`,
    `create unique index event_arrival on event (shard, arrival)`,
    `create unique index event_position on event (shard, position)`,
    `create index event_time on event (time, epoch_no, seq)`,
    `create index event_subject on event (subject, time, epoch_no, seq)`,
    `create index event_cat on event (cat_id, time, epoch_no, seq)`,
    `create index event_type on event (type, time, epoch_no, seq)`,
    `create index event_agent on event (agent_no, time, epoch_no, seq)`,
    `create table shard (shard integer not null primary key, next_arrival bigint not null,
    next_position bigint not null, token bigint not null)`,
    `create table island (epoch_no integer not null, from_seq bigint not null, to_seq bigint not null,
    primary key (epoch_no, from_seq)) ${clustered}`,
    `create table claim (epoch_no integer not null, seq bigint not null, chain char(64) not null,
    primary key (epoch_no, seq)) ${clustered}`,
    `create table gap (epoch_no integer not null, from_seq bigint not null, to_seq bigint not null,
    reason varchar(255) not null, noted varchar(24) not null, primary key (epoch_no, from_seq, to_seq)) ${clustered}`,
    `create table conflict (epoch_no integer not null, seq bigint not null, hash char(64) not null,
    body text not null, noted varchar(24) not null, primary key (epoch_no, seq, hash)) ${clustered}`,
    `create table quarantine (no integer not null primary key, topic varchar(255) not null,
    payload text not null, reason varchar(255) not null, noted varchar(24) not null)`,
    `create table revoked (epoch_no integer not null, seq bigint not null, by_epoch_no integer not null,
    by_seq bigint not null, primary key (epoch_no, seq)) ${clustered}`,
  ];
}

/** What comes out of an event's data is as long as it is. SQLite takes no notice of lengths; others do. */
function createModels({ dayStart, clustered }: Pick<SqlDialect, 'dayStart' | 'clustered'>): readonly string[] {
  return [
    `create table model_cursor (model varchar(32) not null, shard integer not null, arrival bigint not null,
    primary key (model, shard))`,
    `create table cat_v1 (id bigint not null primary key, name text, is_meowed integer not null,
    location text, location_since varchar(24), collar text, last_seen text,
    battery_low integer not null, silent integer not null, "key" varchar(160) not null, state text not null)`,
    `create table meowing_v1 (cat_id bigint not null, "key" varchar(160) not null, id varchar(64) not null,
    timestamp varchar(24) not null, location text, event_type varchar(16) not null,
    old_value text, new_value text, primary key (cat_id, "key")) ${clustered}`,
    `create table checkpoint_v1 (cat_id bigint not null, "key" varchar(160) not null, state text not null,
    primary key (cat_id, "key")) ${clustered}`,
    `create view cat as select c.id, c.name, c.is_meowed, c.location, c.collar, c.last_seen,
    (select count(*) from meowing_v1 m where m.cat_id = c.id and m."key" >= ${dayStart}
      and m.event_type = 'meow' and m.new_value = '1') as meows_today,
    c.location_since, c.battery_low, c.silent from cat_v1 c where c.name is not null`,
    `create view meowing as select id, timestamp, cat_id, location, event_type, old_value, new_value
    from meowing_v1`,
  ];
}

function createHeard(clustered: string): readonly string[] {
  return [
    `create table heard (agent_no integer not null references agent (no), collar varchar(64) not null,
    last_heard varchar(24) not null, primary key (agent_no, collar)) ${clustered}`,
    `create index heard_collar on heard (collar, last_heard)`,
    `create index heard_time on heard (last_heard)`,
  ];
}

/** Whole messages with what is known of them; the payload last, so that a list need not read it. Rows of before are kept. */
function widenQuarantine(clustered: string): readonly string[] {
  return [
    `create table quarantine_tally (agent varchar(64) not null, kind varchar(16) not null,
    noted bigint not null, dropped bigint not null, primary key (agent, kind)) ${clustered}`,
    `insert into quarantine_tally select '', 'unreadable', coalesce(max(no), 0), coalesce(max(no), 0) - count(*)
    from quarantine`,
    `insert into meta select 'quarantine.last', cast(coalesce(max(no), 0) as char(20)) from quarantine`,
    `alter table quarantine rename to quarantine_v1`,
    `create table quarantine (no integer not null primary key, agent varchar(64) not null,
    topic varchar(255) not null, kind varchar(16) not null, reason varchar(255) not null, noted varchar(24) not null,
    last_noted varchar(24) not null, times bigint not null, bytes bigint not null, kept bigint not null,
    hash varchar(64) not null unique, epoch_no integer, seq bigint, payload text not null)`,
    // Longer ones were cut: 5464 is the length of 4096 bytes in base64.
    `insert into quarantine select no, '', topic, 'unreadable',
    case when length(payload) < 5464 then reason else substr('cut to 4096 bytes; ' || reason, 1, 255) end,
    noted, noted, 1, length(payload) * 3 / 4, length(payload) * 3 / 4, cast(no as char(20)), null, null, payload
    from quarantine_v1`,
    `drop table quarantine_v1`,
    `create index quarantine_agent on quarantine (agent, kind, no, kept)`,
  ];
}

/** Which version of the models is read; see `model-tables.ts`. */
function createModelVersion(): readonly string[] {
  return [
    `create table model_version (model varchar(32) not null primary key, live integer not null,
    previous integer, building integer, owner varchar(36), progress text)`,
    `insert into model_version values ('cat', 1, null, null, null, null)`,
  ];
}

function createKeys(clustered: string): readonly string[] {
  return [
    `create table agent_key (agent_no integer not null references agent (no), public_key varchar(43) not null,
    how varchar(16) not null, since varchar(24) not null, revoked_at varchar(24),
    primary key (agent_no, public_key)) ${clustered}`,
  ];
}

/** With the type at the end, so that one type of one collar is found without the rows of the others. */
function widenSubjectIndex(): readonly string[] {
  return [
    `create index event_subject_type on event (subject, time, epoch_no, seq, type)`,
    `drop index event_subject on event`,
  ];
}

/** Corrections that were noted before are read from their events again: see `settle.ts`. */
function createCorrections(clustered: string): readonly string[] {
  return [
    `create table correction (by_epoch_no integer not null, by_seq bigint not null, epoch_no integer not null,
    seq bigint not null, cat_id bigint, reason varchar(255) not null, sort_key varchar(160) not null,
    in_force integer not null, primary key (by_epoch_no, by_seq)) ${clustered}`,
    `create index correction_target on correction (epoch_no, seq, in_force)`,
    `create index correction_cat on correction (cat_id, in_force)`,
    `drop table revoked`,
    `create table skipped (model varchar(32) not null, epoch_no integer not null, seq bigint not null,
    type varchar(128) not null, version integer not null, needed integer not null, reason varchar(255) not null,
    primary key (model, epoch_no, seq)) ${clustered}`,
    `create index skipped_type on skipped (model, type, version, needed)`,
  ];
}

/** With the subject at the end, so that one collar's events of a rare type are found without the rows of the others. */
function widenTypeIndex(): readonly string[] {
  return [
    `create index event_type_subject on event (type, time, epoch_no, seq, subject)`,
    `drop index event_type on event`,
  ];
}

/**
 * One type of one collar has a stretch of an index to itself, so that the two others need not tell of each other. Few events name a
 * cat: where a database can leave the rest out of that index, it does, which makes up for the new one.
 */
function addCollarTypeIndex(): readonly string[] {
  return [
    `create index event_collar_type on event (subject, type, time, epoch_no, seq)`,
    `create index event_collar on event (subject, time, epoch_no, seq)`,
    `drop index event_subject_type on event`,
    `create index event_kind on event (type, time, epoch_no, seq)`,
    `drop index event_type_subject on event`,
    `create index event_named_cat on event (cat_id, time, epoch_no, seq) where cat_id is not null`,
    `drop index event_cat on event`,
  ];
}

/** When the watchdog last looked at a cat, in milliseconds. */
function createCatCheck(): readonly string[] {
  return [`create table cat_check (cat_id bigint not null primary key, checked_ms bigint not null)`];
}

/** Events that somebody outside is to be told of; see `notices.ts`. */
function createNotices(clustered: string): readonly string[] {
  return [
    `create table notice (target varchar(64) not null, epoch_no integer not null, seq bigint not null,
    attempts integer not null, due_ms bigint not null, dead integer not null, reason varchar(255) not null,
    primary key (target, epoch_no, seq)) ${clustered}`,
    `create index notice_due on notice (dead, due_ms)`,
  ];
}

/** Hashes only, in hex: of what a browser holds, and of a token. The password is a row of `meta`. */
function createAccess(): readonly string[] {
  return [
    `create table login_session (id char(64) not null primary key, opened_ms bigint not null, seen_ms bigint not null)`,
    `create table api_token (hash char(64) not null primary key, name varchar(64) not null unique,
    scope varchar(16) not null, created varchar(24) not null, last_used varchar(24))`,
  ];
}

/** What was deleted and lies in files; see `expire.ts`. */
function createSegments(clustered: string): readonly string[] {
  return [
    `create table segment (epoch_no integer not null, from_seq bigint not null,
    to_seq bigint not null, events bigint not null, chain char(64), sha256 char(64) not null,
    file varchar(128) not null, done integer not null, primary key (epoch_no, from_seq)) ${clustered}`,
  ];
}

/** Who has which shard, who is there, and what is still to be told of the cats by the one that tells. */
function createWorkers(clustered: string): readonly string[] {
  return [
    `alter table shard add column owner varchar(64)`,
    `create table worker (id varchar(64) not null primary key, host varchar(255) not null, pid integer not null,
    http varchar(255) not null, version varchar(64) not null, started varchar(24) not null, heard varchar(24) not null)`,
    `create table untold (cat_id bigint not null, epoch_no integer not null, seq bigint not null,
    primary key (cat_id, epoch_no, seq)) ${clustered}`,
  ];
}

/** Times of clocks that were not set, and what is known of them: see `clocks.ts`. What was said before is taken in by `settle.ts`. */
function createClocks(clustered: string): readonly string[] {
  return [
    `alter table event add column original_time varchar(24)`,
    `create table clock_sync (epoch_no integer not null, seq bigint not null, agent_no integer not null,
    boot varchar(64) not null, offset_ms double precision not null, primary key (epoch_no, seq)) ${clustered}`,
    `create index clock_sync_boot on clock_sync (agent_no, boot)`,
    `create table unset_clock (epoch_no integer not null, boot varchar(64) not null, agent_no integer not null,
    from_seq bigint not null, to_seq bigint not null, due_seq bigint, primary key (epoch_no, boot)) ${clustered}`,
    `create index unset_clock_boot on unset_clock (agent_no, boot)`,
    `create index unset_clock_due on unset_clock (due_seq)`,
    `insert into unset_clock select epoch_no, boot, min(agent_no), min(seq), max(seq), null from event
    where clock = 'unsynced' and boot is not null and mono_ms is not null group by epoch_no, boot`,
  ];
}
