/** All that is particular to SQLite: opening, durability, and the words of its SQL. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { SqliteAdapter, type SqliteDatabase, SqliteDialect } from 'kysely';
import type { SqlDialect, StoreAdapter, Words } from './dialect.ts';

/**
 * A waiting writer blocks the whole process, one after the other: each loop that writes so long, in turn. What is asked of us is answered
 * between two of them, and a keepalive bears some.
 */
const BUSY_TIMEOUT_MS = 2_000;
/** Prepared statements that are kept. */
const MAX_STATEMENTS = 256;
const WORDS: Words = {
  quote: '"',
  parameter: () => '?',
  keep: (key) => `on conflict (${key.join(',')}) do nothing`,
  insertSizes: [64, 8, 1],
  rowLocks: false,
  locksOnOneNode: false,
};

/** A reader that is not done keeps the write-ahead log from its checkpoint; after it, it is cut to this. */
const WAL_BYTES = 8 * 1024 * 1024;

/**
 * Opens `sqlite:PATH`. Where commits need not be `durable`, a power cut may take the newest back, in their order: for what can be made
 * anew. Throws with the code of better-sqlite3 (`SQLITE_CANTOPEN`, `SQLITE_READONLY` …). */
export function openSqlite(path: string, durable = true): SqlDialect {
  const folder = dirname(path);
  if (!existsSync(folder)) {
    throw Object.assign(new Error(`there is no folder ${folder}`), { code: 'SQLITE_CANTOPEN' });
  }
  const database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    database.pragma('journal_mode = WAL');
    database.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`);
    database.pragma('foreign_keys = ON');
    database.pragma(`journal_size_limit = ${WAL_BYTES}`);
    // Pages that a statement may have to take back: they are few.
    database.pragma('temp_store = MEMORY');
    const synchronous = database.pragma('synchronous', { simple: true });
    if (durable && synchronous !== 2) {
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
    name: `sqlite:${path}`,
    dayStart: `strftime('%Y-%m-%dT%H:%M:%fZ', 'now', 'localtime', 'start of day', 'utc')`,
    clustered: 'without rowid',
    ddl: withoutTable,
    isMade: null,
    snapshot: ['begin deferred'],
    identity: async () => (path === ':memory:' ? 'memory' : String(statSync(path).ino)),
    // The file that is open stays the same one.
    expect: () => undefined,
  };
}

/** The table of an index need not be named here. */
function withoutTable(statement: string): string {
  return statement.replace(/^(drop index \w+) on \w+$/, '$1');
}

/** SQLite rolls back CREATE TABLE too; kysely takes it for a database that cannot, and would leave half a schema behind. */
class WholeSchemaDialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new WholeSchemaAdapter();
  }
}

class WholeSchemaAdapter extends SqliteAdapter implements StoreAdapter {
  readonly words = WORDS;
  readonly inserts = new Map<string, string>();

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
