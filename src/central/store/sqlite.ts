/** All that is particular to SQLite: opening, durability, and the words of its SQL. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { SqliteAdapter, SqliteDialect } from 'kysely';
import type { SqlDialect, StoreAdapter, Words } from './dialect.ts';
import { createStatements } from './sqlite-statements.ts';

/**
 * A waiting writer blocks the whole process, one after the other: each loop that writes so long, in turn. What is asked of us is answered
 * between two of them, and a keepalive bears some.
 */
const BUSY_TIMEOUT_MS = 2_000;
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
  const statements = createStatements(database);
  return {
    kysely: new WholeSchemaDialect({ database: statements.database }),
    name: `sqlite:${path}`,
    dayStart: `strftime('%Y-%m-%dT%H:%M:%fZ', 'now', 'localtime', 'start of day', 'utc')`,
    clustered: 'without rowid',
    ddl: withoutTable,
    isMade: null,
    snapshot: ['begin deferred'],
    identity: async () => (path === ':memory:' ? 'memory' : String(statSync(path).ino)),
    // The file that is open stays the same one.
    expect: () => undefined,
    lost: statements.lost,
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
