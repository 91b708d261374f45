/** All that is particular to SQLite: the words of its SQL, and what its file is. */
import { statSync } from 'node:fs';
import { SqliteAdapter, SqliteDialect } from 'kysely';
import type { SqlDialect, StoreAdapter, Words } from './dialect.ts';
import { MEMORY, openSqliteFile, provePadding } from './sqlite-file.ts';
import { createStatements } from './sqlite-statements.ts';

const WORDS: Words = {
  quote: '"',
  parameter: () => '?',
  keep: (key) => `on conflict (${key.join(',')}) do nothing`,
  insertSizes: [64, 8, 1],
  rowLocks: false,
  locksOnOneNode: false,
};

/**
 * Opens `sqlite:PATH`. Where commits need not be `durable`, a power cut may take the newest back, in their order: for what can be made
 * anew. Throws with the code of better-sqlite3 (`SQLITE_CANTOPEN`, `SQLITE_READONLY` …), or NOT_DURABLE.
 */
export function openSqlite(path: string, durable = true): SqlDialect {
  const database = openSqliteFile(path, durable);
  const statements = createStatements(database);
  return {
    kysely: new WholeSchemaDialect({ database: statements.database }),
    name: `sqlite:${path}`,
    dayStart: `strftime('%Y-%m-%dT%H:%M:%fZ', 'now', 'localtime', 'start of day', 'utc')`,
    clustered: 'without rowid',
    ddl: withoutTable,
    isMade: null,
    snapshot: ['begin deferred'],
    identity: async () => (path === MEMORY ? 'memory' : String(statSync(path).ino)),
    prove: async (db) => (path === MEMORY ? undefined : provePadding(db, path)),
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
