/** All that is particular to PostgreSQL: its driver and its durability, the words of its SQL, and what its errors mean. */
import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from 'kysely';
import type { ClientBase, CustomTypesConfig } from 'pg';
import type { SqlDialect, StoreAdapter, Words } from './dialect.ts';
import {
  type Ask,
  badSetting,
  CONNECT_MS,
  createGuard,
  LOCK_SECONDS,
  MAX_CONNECTIONS,
  notDurable,
  tlsFiles,
} from './server-dialect.ts';
import { createServerDriver, type Server } from './server-driver.ts';
import { type ServerAddress, storeName } from './store-url.ts';

const WORDS: Words = {
  quote: '"',
  parameter: (n) => `$${n}`,
  keep: (key) => `on conflict (${key.join(',')}) do nothing`,
  insertSizes: [500, 100, 16, 4, 1],
  rowLocks: true,
  locksOnOneNode: false,
};

class PostgresStoreAdapter extends PostgresAdapter implements StoreAdapter {
  readonly words = WORDS;
  readonly inserts = new Map<string, string>();
}

/** Nothing is connected yet. Throws the disk's error for a certificate that cannot be read. */
export async function openPostgres(address: ServerAddress): Promise<SqlDialect> {
  const { default: pg } = await import('pg');
  const name = storeName(address);
  const guard = createGuard(name, { prepare: (ask) => prepare(name, ask), identity });
  const { hosts, socket, user, password, database, tls } = address;
  const [{ host, port }] = hosts;
  const pool = new pg.Pool({
    host: socket ?? host,
    port,
    user,
    database,
    ...(password === null ? {} : { password }),
    ssl: tls === null ? false : { ...tlsFiles(address), rejectUnauthorized: true },
    application_name: 'collard',
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    types: TYPES,
    verify: (client: ClientBase, done: (error?: Error) => void) => {
      guard.admit(async (text) => (await client.query<Record<string, unknown>>(text)).rows).then(() => done(), done);
    },
  });
  // A connection that broke while nobody asked is gone from the pool; whoever asks next is told how it is then. The pool listens to
  // idle ones alone, and a server that ends may tell so between two statements of a transaction.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const server: Server = {
    name,
    hurried: guard.hurried,
    meaningOf,
    wires: {
      async take() {
        const client = await pool.connect();
        return {
          async run(text, parameters) {
            const result = await client.query(text, parameters.map(encoded));
            const counts = /^(INSERT|UPDATE|DELETE)$/.test(result.command);
            return { rows: result.rows, affected: counts ? result.rowCount : null, tag: result.command };
          },
          release: (cut) => client.release(cut),
        };
      },
      end: () => pool.end(),
    },
  };
  return {
    name,
    kysely: {
      createDriver: () => createServerDriver(server),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createAdapter: () => new PostgresStoreAdapter(),
      createIntrospector: (db) => new PostgresIntrospector(db),
    },
    dayStart: `to_char(date_trunc('day', now()) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
    clustered: '',
    // Twice as long: a NUL, which PostgreSQL holds in no text, is written as two characters.
    ddl: (statement) =>
      statement
        .replace(/^(drop index \w+) on \w+$/, '$1')
        .replaceAll(/\bvarchar\((\d+)\)/g, (_, length) => `varchar(${Number(length) * 2}) collate "C"`)
        .replaceAll(/\bchar\(64\)|\btext\b(?= not null|,|\))/g, (type) => `${type} collate "C"`),
    isMade: null,
    snapshot: ['begin isolation level repeatable read read only'],
    identity: (db) => identity(async (text) => (await sql.raw<Record<string, unknown>>(text).execute(db)).rows),
    // Each connection is asked when it is made.
    prove: async () => undefined,
    expect: guard.expect,
    lost: new AbortController().signal,
  };
}

async function prepare(name: string, ask: Ask): Promise<void> {
  await ask(`set session characteristics as transaction isolation level read committed`);
  await ask(`set lock_timeout = '${LOCK_SECONDS}s'`);
  await ask(`set idle_in_transaction_session_timeout = '60s'`);
  const [is = {}] = await ask(`select current_setting('server_encoding') as encoding, current_setting('fsync') as fsync,
    current_setting('synchronous_commit') as synchronous_commit, current_setting('transaction_read_only') as read_only`);
  if (is.encoding !== 'UTF8')
    throw badSetting(name, `its encoding is ${String(is.encoding)}: create the database with UTF8`);
  if (is.fsync !== 'on') throw notDurable(name, 'fsync', is.fsync, 'on');
  // The other values wait for this server's disk at least.
  if (is.synchronous_commit === 'off') await ask(`set synchronous_commit = on`);
  // After a failover: the one that writes is another.
  if (is.read_only === 'on') throw Object.assign(new Error(`${name}: it only reads now`), { code: 'STORE_AWAY' });
}

/**
 * The cluster and its timeline, which a recovery to an earlier moment changes, and the database in it, which is another one when it
 * was dropped and loaded from a dump. A folder of files that was put back as it was looks the same.
 */
async function identity(ask: Ask): Promise<string> {
  const [is = {}] = await ask(`select oid::text as oid from pg_database where datname = current_database()`);
  const [may = {}] = await ask(`select has_function_privilege('pg_control_system()', 'execute') as asked,
    has_function_privilege('pg_walfile_name(pg_lsn)', 'execute') as named`);
  const [system = {}] =
    may.asked === true ? await ask(`select system_identifier::text as id from pg_control_system()`) : [];
  const [wal = {}] =
    may.named === true ? await ask(`select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline`) : [];
  return `postgres ${String(system.id ?? '')} ${String(wal.timeline ?? '')} ${String(is.oid)}`;
}

/** SQLSTATE tells; what has none did not come from the server. */
function meaningOf(error: Error): 'away' | 'again' | 'other' {
  if (!('severity' in error)) return error instanceof TypeError || error instanceof RangeError ? 'other' : 'away';
  const state = 'code' in error ? String(error.code) : '';
  // Serialisation failure, deadlock, lock time-out.
  if (/^(40001|40P01|55P03)$/.test(state)) return 'again';
  // Connection, refused log-in, no such database, read-only, out of disk, memory or connections, shut down, idle too long.
  return /^(08|28|3D|25006|25P03|53|57P)/.test(state) ? 'away' : 'other';
}

/** Keeps order and equality: NUL becomes 01 01, and 01 becomes 01 02. */
function encoded(value: unknown): unknown {
  if (typeof value !== 'string' || !NUL_OR_MARK.test(value)) return value;
  return value.replaceAll(MARK, `${MARK}\u0002`).replaceAll('\0', MARK + MARK);
}

function decoded(text: string): string {
  return text.includes(MARK) ? text.replaceAll(ENCODED, (pair) => (pair[1] === MARK ? '\0' : MARK)) : text;
}

const MARK = '\u0001';
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const NUL_OR_MARK = /[\0\u0001]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const ENCODED = /\u0001[\u0001\u0002]/g;

/** Numbers of the store are whole and safe, so they come back as numbers, also sums and counts. */
const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === 't',
  20: Number,
  21: Number,
  23: Number,
  26: Number,
  700: Number,
  701: Number,
  1700: Number,
};

const TYPES: CustomTypesConfig = {
  getTypeParser: (oid: number) => PARSERS[oid] ?? decoded,
};
