CREATE TABLE "kysely_migration" ("name" varchar(255) not null primary key, "timestamp" varchar(255) not null);
CREATE TABLE "kysely_migration_lock" ("id" varchar(255) not null primary key, "is_locked" integer default 0 not null);
CREATE TABLE meta (name varchar(64) not null primary key, value varchar(255) not null);
CREATE TABLE agent (no integer not null primary key, name varchar(64) not null unique,
    state varchar(16) not null, session bigint not null, version varchar(64) not null,
    last_heard varchar(24), last_stored varchar(24), health text);
CREATE TABLE epoch (no integer not null primary key, epoch varchar(36) not null unique,
    agent_no integer not null references agent (no), shard integer not null, mark bigint not null,
    mark_chain char(64) not null, highest_seq bigint not null, chain_ok integer not null);
CREATE INDEX epoch_agent on epoch (agent_no);
CREATE TABLE event (epoch_no integer not null references epoch (no), seq bigint not null,
    agent_no integer not null, shard integer not null, arrival bigint not null, position bigint,
    type varchar(128) not null, version integer not null, subject varchar(256), cat_id bigint,
    time varchar(24) not null, clock varchar(8) not null, boot varchar(64), mono_ms double precision,
    data text not null, primary key (epoch_no, seq)) without rowid;
CREATE UNIQUE INDEX event_arrival on event (shard, arrival);
CREATE UNIQUE INDEX event_position on event (shard, position);
CREATE INDEX event_time on event (time, epoch_no, seq);
CREATE INDEX event_subject on event (subject, time, epoch_no, seq);
CREATE INDEX event_cat on event (cat_id, time, epoch_no, seq);
CREATE INDEX event_type on event (type, time, epoch_no, seq);
CREATE INDEX event_agent on event (agent_no, time, epoch_no, seq);
CREATE TABLE shard (shard integer not null primary key, next_arrival bigint not null,
    next_position bigint not null, token bigint not null);
CREATE TABLE island (epoch_no integer not null, from_seq bigint not null, to_seq bigint not null,
    primary key (epoch_no, from_seq)) without rowid;
CREATE TABLE claim (epoch_no integer not null, seq bigint not null, chain char(64) not null,
    primary key (epoch_no, seq)) without rowid;
CREATE TABLE gap (epoch_no integer not null, from_seq bigint not null, to_seq bigint not null,
    reason varchar(255) not null, noted varchar(24) not null, primary key (epoch_no, from_seq, to_seq)) without rowid;
CREATE TABLE conflict (epoch_no integer not null, seq bigint not null, hash char(64) not null,
    body text not null, noted varchar(24) not null, primary key (epoch_no, seq, hash)) without rowid;
CREATE TABLE quarantine (no integer not null primary key, topic varchar(255) not null,
    payload text not null, reason varchar(255) not null, noted varchar(24) not null);
CREATE TABLE revoked (epoch_no integer not null, seq bigint not null, by_epoch_no integer not null,
    by_seq bigint not null, primary key (epoch_no, seq)) without rowid;
CREATE TABLE model_cursor (model varchar(32) not null, shard integer not null, arrival bigint not null,
    primary key (model, shard));
CREATE TABLE cat_v1 (id bigint not null primary key, name varchar(255), is_meowed integer not null,
    location varchar(255), location_since varchar(24), collar varchar(255), last_seen varchar(255),
    battery_low integer not null, silent integer not null, key varchar(160) not null, state text not null);
CREATE TABLE meowing_v1 (cat_id bigint not null, key varchar(160) not null, id varchar(64) not null,
    timestamp varchar(24) not null, location varchar(255), event_type varchar(16) not null,
    old_value varchar(255), new_value varchar(255), primary key (cat_id, key)) without rowid;
CREATE TABLE checkpoint_v1 (cat_id bigint not null, key varchar(160) not null, state text not null,
    primary key (cat_id, key)) without rowid;
CREATE TABLE heard (agent_no integer not null references agent (no), collar varchar(64) not null,
    last_heard varchar(24) not null, primary key (agent_no, collar)) without rowid;
CREATE INDEX heard_collar on heard (collar, last_heard);
CREATE INDEX heard_time on heard (last_heard);
CREATE VIEW cat as select c.id, c.name, c.is_meowed, c.location, c.collar, c.last_seen,
    (select count(*) from meowing_v1 m where m.cat_id = c.id and m.key >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', 'localtime', 'start of day', 'utc')
      and m.event_type = 'meow' and m.new_value = '1') as meows_today,
    c.location_since, c.battery_low, c.silent from cat_v1 c where c.name is not null;
CREATE VIEW meowing as select id, timestamp, cat_id, location, event_type, old_value, new_value
    from meowing_v1;
insert into "kysely_migration" values ('0001_events', '2026-11-26T14:40:46.244Z');
insert into "kysely_migration" values ('0002_models_v1', '2026-11-26T14:40:46.311Z');
insert into "kysely_migration" values ('0003_heard', '2026-11-26T14:40:46.348Z');
insert into "kysely_migration_lock" values ('migration_lock', 0);
insert into "meta" values ('epoch', '01a2184d-4310-767f-98f3-2c2763176c82');
insert into "meta" values ('incarnation', 'a6b5737f-6d24-43b9-bca5-7c3cf9e9dd69');
insert into "meta" values ('file', '2146442');
insert into "agent" values (1, 'central', 'unknown', 0, '', '2026-11-23T12:00:00.000Z', '2026-11-23T12:00:00.000Z', null);
insert into "agent" values (2, 'porch', 'unknown', 0, '', '2026-11-23T12:00:00.000Z', '2026-11-23T12:00:00.000Z', null);
insert into "epoch" values (1, '01a2184d-4310-767f-98f3-2c2763176c82', 1, 35, 2, '4623f545600d3f5f09b05f91d808bab5ca7b7afe03fd75bc3fb5315a560f601f', 2, 1);
insert into "epoch" values (2, '01a20867-068a-70da-b9ee-000000000001', 2, 55, 4, '2718a14faa8cd7ca5ba169f23de745f9d6be04600153c57e84217ca0511fc42f', 4, 1);
insert into "event" values (1, 1, 1, 35, 1, 1, 'collard.cat.named', 1, 'cat/1', 1, '2026-11-23T12:00:00.000Z', 'synced', null, null, '{"catId":1,"oldName":null,"newName":"Minka"}');
insert into "event" values (1, 2, 1, 35, 2, 2, 'collard.collar.assigned', 1, 'cat/1', 1, '2026-11-23T12:00:00.000Z', 'synced', null, null, '{"catId":1,"collar":"C0FFEE01"}');
insert into "event" values (2, 1, 2, 55, 1, 1, 'collard.meow.started', 1, 'collar/C0FFEE01', null, '2026-11-23T12:00:00.000Z', 'synced', null, null, '{"level":1.5}');
insert into "event" values (2, 2, 2, 55, 2, 2, 'collard.meow.ended', 1, 'collar/C0FFEE01', null, '2026-11-23T12:00:01.000Z', 'synced', null, null, '{"durationMs":400,"peakG":1.8,"readings":17,"place":"kitchen"}');
insert into "event" values (2, 3, 2, 55, 3, 3, 'collard.meow.started', 1, 'collar/C0FFEE01', null, '2026-11-23T12:00:02.000Z', 'synced', null, null, '{"level":1.5}');
insert into "event" values (2, 4, 2, 55, 4, 4, 'collard.meow.ended', 1, 'collar/C0FFEE01', null, '2026-11-23T12:00:03.000Z', 'synced', null, null, '{"durationMs":400,"peakG":1.8,"readings":17,"place":"kitchen"}');
insert into "shard" values (35, 3, 3, 0);
insert into "shard" values (55, 5, 5, 90491548214548);
insert into "model_cursor" values ('cat_v1', 55, 4);
insert into "model_cursor" values ('cat_v1', 35, 2);
insert into "cat_v1" values (1, 'Minka', 0, null, null, 'C0FFEE01', '2026-11-23T12:00:03.000Z', 0, 0, '2026-11-23T12:00:03.000Z porch 01a20867-068a-70da-b9ee-000000000001 0000000000000004', '{"catId":1,"name":"Minka","isMeowed":false,"location":null,"locationSince":null,"collar":"C0FFEE01","lastSeen":"2026-11-23T12:00:03.000Z","batteryLow":false,"silent":false,"key":"2026-11-23T12:00:03.000Z porch 01a20867-068a-70da-b9ee-000000000001 0000000000000004"}');
insert into "meowing_v1" values (1, '2026-11-23T12:00:00.000Z central 01a2184d-4310-767f-98f3-2c2763176c82 0000000000000001', '01a2184d-4310-767f-98f3-2c2763176c82/1', '2026-11-23T12:00:00.000Z', null, 'cat_name', null, 'Minka');
insert into "meowing_v1" values (1, '2026-11-23T12:00:00.000Z porch 01a20867-068a-70da-b9ee-000000000001 0000000000000001', '01a20867-068a-70da-b9ee-000000000001/1', '2026-11-23T12:00:00.000Z', null, 'meow', '0', '1');
insert into "meowing_v1" values (1, '2026-11-23T12:00:01.000Z porch 01a20867-068a-70da-b9ee-000000000001 0000000000000002', '01a20867-068a-70da-b9ee-000000000001/2', '2026-11-23T12:00:01.000Z', null, 'meow', '1', '0');
insert into "meowing_v1" values (1, '2026-11-23T12:00:02.000Z porch 01a20867-068a-70da-b9ee-000000000001 0000000000000003', '01a20867-068a-70da-b9ee-000000000001/3', '2026-11-23T12:00:02.000Z', null, 'meow', '0', '1');
insert into "meowing_v1" values (1, '2026-11-23T12:00:03.000Z porch 01a20867-068a-70da-b9ee-000000000001 0000000000000004', '01a20867-068a-70da-b9ee-000000000001/4', '2026-11-23T12:00:03.000Z', null, 'meow', '1', '0');
