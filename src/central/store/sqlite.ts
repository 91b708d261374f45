/** All that is particular to SQLite: opening, durability, insert-once, and the words of its SQL. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import {
  CompiledQuery,
  type Kysely,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  type Transaction,
} from 'kysely';
import type { Tables } from './tables.ts';

/** A waiting writer blocks the whole process, so it must be shorter than half of any keepalive. */
const BUSY_TIMEOUT_MS = 2_000;
/** Prepared statements that are kept. */
const MAX_STATEMENTS = 256;
/** Rows of one INSERT: few sizes, so that every statement stays prepared. */
const INSERT_SIZES = [64, 8, 1] as const;

export interface SqlDialect {
  readonly kysely: SqliteDialect;
  /** Changes when the file is another one, as after a restore from a backup. */
  readonly fileIdentity: string;
  /** The start of the local day as the text of a time, for the view `cat`. */
  readonly dayStart: string;
  /** Ends CREATE TABLE of tables that are read by their primary key. */
  readonly clustered: string;
}

/** Opens `sqlite:PATH`. Throws with the code of better-sqlite3 (`SQLITE_CANTOPEN`, `SQLITE_READONLY` …). */
export function openSqlite(path: string): SqlDialect {
  const folder = dirname(path);
  if (!existsSync(folder)) {
    throw Object.assign(new Error(`there is no folder ${folder}`), { code: 'SQLITE_CANTOPEN' });
  }
  const database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    const synchronous = database.pragma('synchronous', { simple: true });
    if (synchronous !== 2) {
      throw Object.assign(new Error(`${path}: synchronous is ${String(synchronous)}, not FULL`), {
        code: 'NOT_DURABLE',
      });
    }
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    kysely: new WholeSchemaDialect({ database: withStatements(database) }),
    fileIdentity: path === ':memory:' ? 'memory' : String(statSync(path).ino),
    dayStart: `strftime('%Y-%m-%dT%H:%M:%fZ', 'now', 'localtime', 'start of day', 'utc')`,
    clustered: 'without rowid',
  };
}

/** SQLite rolls back CREATE TABLE too; kysely takes it for a database that cannot, and would leave half a schema behind. */
class WholeSchemaDialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new WholeSchemaAdapter();
  }
}

class WholeSchemaAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * Keeps statements prepared, and lets a transaction take the write lock at once: an upgrade would ignore the time-out. A full or
 * failing disk has rolled back by itself: to do it again would fail, and hide why.
 */
function withStatements(database: Database.Database): SqliteDatabase {
  const statements = new Map<string, Database.Statement>();
  return {
    close: () => {
      database.close();
    },
    prepare: (sql) => {
      if (sql === 'rollback' && !database.inTransaction) return nothingToDo;
      const text = sql === 'begin' ? 'begin immediate' : sql;
      let statement = statements.get(text);
      if (statement === undefined) {
        if (statements.size >= MAX_STATEMENTS) statements.clear();
        statement = database.prepare(text);
        statements.set(text, statement);
      }
      return statement as unknown as ReturnType<SqliteDatabase['prepare']>;
    },
  };
}

const nothingToDo: ReturnType<SqliteDatabase['prepare']> = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};

/** Inserts rows whose key is not there yet and leaves the others alone. Resolves to the number of those that are new. */
export async function insertOnce<T extends keyof Tables & string>(
  db: Kysely<Tables> | Transaction<Tables>,
  table: T,
  rows: readonly Tables[T][],
): Promise<number> {
  const first = rows[0];
  if (first === undefined) return 0;
  const columns = Object.keys(first) as (keyof Tables[T] & string)[];
  const tuple = `(${columns.map(() => '?').join(',')})`;
  let inserted = 0;
  for (let at = 0; at < rows.length; ) {
    const size = INSERT_SIZES.find((n) => n <= rows.length - at) ?? 1;
    const values = rows.slice(at, at + size).flatMap((row) => columns.map((column) => row[column]));
    const tuples = Array.from({ length: size }, () => tuple).join(',');
    const text = `insert into ${table} (${columns.join(',')}) values ${tuples} on conflict do nothing`;
    const result = await db.executeQuery(CompiledQuery.raw(text, values));
    inserted += Number(result.numAffectedRows ?? 0n);
    at += size;
  }
  return inserted;
}
