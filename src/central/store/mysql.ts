/** All that is particular to MariaDB and MySQL: the driver, strictness and durability, the words of the SQL, the errors. */
import { MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler, sql } from 'kysely';
import type { SqlDialect, StoreAdapter, Words } from './dialect.ts';
import { clusterIdentity, isGalera, prepareNode } from './galera.ts';
import { openPools } from './mysql-pools.ts';
import { type Ask, badSetting, createGuard, LOCK_SECONDS, notDurable } from './server-dialect.ts';
import { askOnce, createServerDriver, type Server } from './server-driver.ts';
import { type ServerAddress, storeName } from './store-url.ts';

/** What does not fit is an error, text in double quotes is a name, and || joins texts: as in the other databases. */
const SQL_MODE =
  'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,ONLY_FULL_GROUP_BY,ANSI_QUOTES,PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION';

const WORDS: Words = {
  quote: '`',
  parameter: () => '?',
  // A change of nothing: such a row counts for none, since the driver is told not to count rows that were merely found.
  keep: ([first = '']) => `on duplicate key update ${first} = ${first}`,
  insertSizes: [500, 100, 16, 4, 1],
  rowLocks: true,
  locksOnOneNode: false,
};

class MysqlStoreAdapter extends MysqlAdapter implements StoreAdapter {
  readonly words = WORDS;
  readonly inserts = new Map<string, string>();
}

/** Rejects with code STORE_AWAY, NOT_DURABLE or STORE_SETTING, or the disk's error for a certificate that cannot be read. */
export async function openMysql(address: ServerAddress): Promise<SqlDialect> {
  const name = storeName(address);
  const guard = createGuard(name, { prepare: (ask) => prepare(name, ask), identity });
  const wires = await openPools(address, guard, isAway);
  const server: Server = { name, hurried: guard.hurried, meaningOf, wires };
  const [{ version } = {}] = await askOnce(server, 'select version() as version');
  const words = { ...WORDS, locksOnOneNode: await isGalera((text) => askOnce(server, text)) };
  // Neither pads texts with blanks when it compares them.
  const collation = String(version).includes('MariaDB') ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin';
  return {
    name,
    kysely: {
      createDriver: () => createServerDriver(server),
      createQueryCompiler: () => new MysqlQueryCompiler(),
      createAdapter: () => Object.assign(new MysqlStoreAdapter(), { words }),
      createIntrospector: (db) => new MysqlIntrospector(db),
    },
    dayStart: `date_format(timestampadd(second, unix_timestamp(curdate()), '1970-01-01'), '%Y-%m-%dT%H:%i:%s.000Z')`,
    clustered: '',
    ddl: ddlWith(collation),
    isMade: (error) => error instanceof Error && 'errno' in error && MADE.includes(Number(error.errno)),
    snapshot: [
      'set transaction isolation level repeatable read',
      'start transaction with consistent snapshot, read only',
    ],
    identity: (db) => identity(async (text) => (await sql.raw<Record<string, unknown>>(text).execute(db)).rows),
    // Each connection is asked when it is made.
    prove: async () => undefined,
    expect: guard.expect,
    lost: new AbortController().signal,
  };
}

async function prepare(name: string, ask: Ask): Promise<void> {
  if (await isGalera(ask)) await prepareNode(name, ask);
  await ask(`set session sql_mode = '${SQL_MODE}', innodb_lock_wait_timeout = ${LOCK_SECONDS}`);
  await ask(`set session transaction isolation level read committed`);
  const [is = {}] = await ask(`select @@session.sql_mode as mode, @@innodb_flush_log_at_trx_commit as flush_log,
    @@log_bin as log_bin, @@sync_binlog as sync_binlog, @@global.read_only as read_only`);
  if (!String(is.mode).includes('STRICT_ALL_TABLES'))
    throw badSetting(name, `sql_mode ${String(is.mode)} is not strict`);
  if (is.flush_log !== 1) throw notDurable(name, 'innodb_flush_log_at_trx_commit', is.flush_log, '1');
  // With a binary log, what is not in it is undone after a crash.
  if (is.log_bin === 1 && is.sync_binlog !== 1) throw notDurable(name, 'sync_binlog', is.sync_binlog, '1');
  // After a failover: the one that writes is another.
  if (is.read_only === 1) throw Object.assign(new Error(`${name}: it only reads now`), { code: 'STORE_AWAY' });
}

/**
 * The server, and when the tables were made: others after a dump was loaded. A folder of files that was put back with its times
 * looks the same.
 */
async function identity(ask: Ask): Promise<string> {
  if (await isGalera(ask)) return clusterIdentity(ask);
  const servers = await ask(`show global variables where variable_name in ('server_uid', 'server_uuid')`);
  const [made = {}] = await ask(`select cast(unix_timestamp(create_time) as char) as at from information_schema.tables
    where table_schema = database() and table_name = 'meta'`);
  return `mysql ${servers.map((row) => String(row.Value)).join(' ')} ${String(made.at)}`;
}

function ddlWith(collation: string): (statement: string) => string {
  return (statement) => {
    // An index is of all rows here.
    const whole = statement.replace(/^(create index .*) where .*$/, '$1');
    const text = whole.replaceAll(/\btext\b(?= not null|,|\))/g, 'mediumtext');
    return /^create table/.test(text)
      ? `${text} engine=InnoDB default character set utf8mb4 collate ${collation}`
      : text;
  };
}

/** Would another node of its cluster do? */
function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === 'STORE_AWAY') || meaningOf(error) !== 'other';
}

/** Errors of the server by number; those of the way to it have none of its states. */
function meaningOf(error: Error): 'away' | 'again' | 'other' {
  const {
    errno = 0,
    sqlState,
    fatal,
  } = error as Partial<Record<'errno', number> & Record<'sqlState', string> & { fatal: boolean }>;
  if (AGAIN.includes(errno)) return 'again';
  // 08: something is wrong with the connection, not with the statement.
  if (fatal === true || AWAY.includes(errno) || sqlState?.startsWith('08') === true) return 'away';
  return sqlState === undefined && 'code' in error && /^(E[A-Z]+|PROTOCOL_)/.test(String(error.code))
    ? 'away'
    : 'other';
}

/** Table, column or index is there; table or column is gone. */
const MADE: readonly number[] = [1050, 1060, 1061, 1051, 1091, 1146];
/** Row changed since it was read, lock wait time-out, deadlock. */
const AGAIN: readonly number[] = [1020, 1205, 1213];
/**
 * No log-in or no such database, node not ready, too many connections, out of disk or memory, shut down, commit cut short, read-only,
 * killed.
 */
const AWAY: readonly number[] = [
  1180, 1044, 1045, 1047, 1049, 1021, 1037, 1040, 1041, 1053, 1077, 1114, 1129, 1130, 1203, 1290, 1317, 1836, 1927,
];
