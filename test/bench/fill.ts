/**
 * Fills a central store fast: the database makes the rows itself, without indexes, which are built when all is in. What it does not
 * tell: the chain.
 */
import Database from 'better-sqlite3';
import pg from 'pg';
import { openStore } from '../../src/central/open-store.ts';
import { newEvent } from '../../src/contract/event.ts';

export const COLLARS = Array.from({ length: 8 }, (_, n) => `C0FFEE0${n + 1}`);
/** Moves and never shakes. */
export const SILENT_COLLAR = 'C0FFEE08';
export const T0 = Date.parse('2024-01-01T00:00:00.000Z');
export const EVENT_MS = 8_000;
export const BATTERY_EVERY = 1_000;
/** Of the first agent: the names of the cats and their collars. */
const FIRST = COLLARS.length * 2;

/** What differs in the SQL of the databases that can be filled. */
interface Words {
  /** The numbers `n` from 0 up to but without `total`. */
  readonly numbers: (total: number) => string;
  /** Of the moment T0 and so many milliseconds. */
  readonly time: (ms: string) => string;
}

const SQLITE: Words = {
  numbers: (total) =>
    `(with recursive numbers (n) as (select 0 union all select n + 1 from numbers where n < ${total - 1}) select n from numbers)`,
  time: (ms) => `strftime('%Y-%m-%dT%H:%M:%S.000Z', ${T0 / 1_000} + ${ms} / 1000, 'unixepoch')`,
};
const POSTGRES: Words = {
  numbers: (total) => `generate_series(0::bigint, ${total - 1}) as n`,
  time: (ms) =>
    `to_char(to_timestamp(${T0 / 1_000} + ${ms} / 1000) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"')`,
};

/**
 * Two agents; the events of `porch` are numbered 1 to `total` and more in `epoch`, every fourth is of `hall` in another. All are in
 * shard 0 and of the time from T0 on.
 */
export async function fill(url: string, epoch: string, total: number): Promise<void> {
  await (await openStore({ url })).close();
  if (url.startsWith('sqlite:')) return fillSqlite(url.slice('sqlite:'.length), epoch, total);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`set maintenance_work_mem = '512MB'`);
  const { rows } = await client.query<{ readonly name: string; readonly sql: string }>(
    `select indexname as name, indexdef as sql from pg_indexes where tablename = 'event' and indexname <> 'event_pkey'`,
  );
  const run = (statement: string) => client.query(statement);
  await fillWith(run, rows, statements(POSTGRES, epoch, total));
  await client.query('vacuum analyze event');
  await client.end();
}

async function fillSqlite(path: string, epoch: string, total: number): Promise<void> {
  const db = new Database(path);
  db.pragma('journal_mode = DELETE');
  db.pragma('synchronous = OFF');
  db.pragma('cache_size = -400000');
  const sql = `select name, sql from sqlite_master where type = 'index' and tbl_name = 'event' and sql is not null`;
  const indexes = db.prepare<[], { readonly name: string; readonly sql: string }>(sql).all();
  await fillWith(async (statement) => db.exec(statement), indexes, statements(SQLITE, epoch, total));
  db.close();
}

async function fillWith(
  run: (statement: string) => Promise<unknown>,
  indexes: readonly { readonly name: string; readonly sql: string }[],
  rows: readonly string[],
): Promise<void> {
  for (const { name } of indexes) await run(`drop index ${name}`);
  for (const statement of rows) await run(statement);
  for (const { name, sql } of indexes) {
    process.stderr.write(`index ${name}\n`);
    await run(sql);
  }
}

function statements(words: Words, epoch: string, total: number): string[] {
  const zeros = '0'.repeat(64);
  const agents = [
    [11, 'porch', epoch],
    [12, 'hall', epoch.replace(/^0/, '1')],
  ] as const;
  const first = COLLARS.flatMap((collar, i) => {
    const [catId, when] = [i + 1, { time: new Date(T0 - 1).toISOString(), clock: 'synced', boot: null, monoMs: null }];
    const at = when as Parameters<typeof newEvent>[3];
    return [
      newEvent('cat.named', `cat/${catId}`, { catId, oldName: null, newName: `Cat ${catId}` }, at),
      newEvent('collar.assigned', `cat/${catId}`, { catId, collar }, at),
    ].map(({ type, subject, time, data }, k) => {
      const n = 2 * i + k + 1;
      return `(11, ${n}, 11, 0, ${n}, ${n}, '${type}', 1, '${subject}', ${catId}, '${time}', 'synced', '${data}')`;
    });
  });
  const columns =
    'epoch_no, seq, agent_no, shard, arrival, position, type, version, subject, cat_id, time, clock, data';
  return [
    ...agents.map(([no, name]) => `insert into agent values (${no}, '${name}', 'online', 1, '', null, null, null)`),
    ...agents.map(
      ([no, , id]) => `insert into epoch values (${no}, '${id}', ${no}, 0, ${total}, '${zeros}', ${total}, 1)`,
    ),
    `insert into event (${columns}) values ${first.join(', ')}`,
    `insert into event (${columns}) ${madeRows(words, total)}`,
    `insert into shard (shard, next_arrival, next_position, token) values (0, ${total + FIRST + 1}, ${total + FIRST + 1}, 0)`,
  ];
}

/** One in BATTERY_EVERY is of a rare type; of the others a fifth and all of the silent collar are moves. */
function madeRows({ numbers, time }: Words, total: number): string {
  const type = `case when n % ${BATTERY_EVERY} = 0 then 'battery.low' when c = 8 or n % 5 = 0 then 'cat.moved'
    when n % 5 < 3 then 'meow.started' else 'meow.ended' end`;
  const data = `case when n % ${BATTERY_EVERY} = 0 then '{"percent":' || (n % 20) || '}'
    when c = 8 or n % 5 = 0 then '{"from":"kitchen","to":"hall"}' when n % 5 < 3 then '{"level":1.5}'
    else '{"durationMs":' || (100 + n % 900) || ',"peakG":1.84,"readings":17,"place":"kitchen"}' end`;
  return `select 11 + h, case when h = 1 then (n + 1) / 4 else n + 1 - (n + 1) / 4 + ${FIRST} end, 11 + h, 0,
    n + ${FIRST + 1}, n + ${FIRST + 1}, 'collard.' || ${type}, 1, 'collar/C0FFEE0' || c, null,
    ${time(`n * ${EVENT_MS}`)}, 'synced', ${data}
    from (select n, n * 2654435761 / 65536 % 8 + 1 as c, case when n % 4 = 3 then 1 else 0 end as h from ${numbers(total)}) made`;
}
