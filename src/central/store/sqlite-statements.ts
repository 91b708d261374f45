/**
 * The statements of one SQLite database, as kysely asks for them. Here it is found out that its file cannot be trusted any more: after a
 * failed flush the system may call clean what never reached the disk, so that the same commit tried again returns and is not durable.
 */
import type Database from 'better-sqlite3';
import type { SqliteDatabase } from 'kysely';
import { storeFailed } from './store-failed.ts';

/** Prepared statements that are kept. */
const MAX_STATEMENTS = 256;
/** A full disk is none of these: SQLite has rolled back before anything was flushed. */
const UNTRUSTED = /^SQLITE_(IOERR|CORRUPT|NOTADB)/;

type Statement = ReturnType<SqliteDatabase['prepare']>;

export interface Statements {
  readonly database: SqliteDatabase;
  /** Aborted, with what every statement is rejected with from then on: code STORE_FAILED. */
  readonly lost: AbortSignal;
}

/**
 * Keeps statements prepared, and lets a transaction take the write lock at once: an upgrade would ignore the time-out. A full disk has
 * rolled back by itself: to do it again would fail, and hide why.
 */
export function createStatements(database: Database.Database): Statements {
  const statements = new Map<string, Statement>();
  const loss = new AbortController();
  const trusting = <T>(work: () => T): T => {
    loss.signal.throwIfAborted();
    try {
      return work();
    } catch (error) {
      if (!isUntrusted(error)) throw error;
      const failure = storeFailed(error);
      loss.abort(failure);
      throw failure;
    }
  };
  const prepare = (text: string): Statement => {
    const statement = trusting(() => database.prepare<unknown[]>(text));
    const all: Statement['all'] = (parameters) => trusting(() => statement.all(parameters));
    return {
      reader: statement.reader,
      all,
      run: (parameters) => trusting(() => statement.run(parameters)),
      // Nothing of the store is read in this way.
      iterate: (parameters) => all(parameters)[Symbol.iterator](),
    };
  };
  return {
    lost: loss.signal,
    database: {
      close: () => {
        database.close();
      },
      prepare: (sql) => {
        if (sql === 'rollback' && !database.inTransaction) return nothingToDo;
        const text = sql === 'begin' ? 'begin immediate' : sql;
        let statement = statements.get(text);
        if (statement === undefined) {
          if (statements.size >= MAX_STATEMENTS) statements.clear();
          statement = prepare(text);
          statements.set(text, statement);
        }
        return statement;
      },
    },
  };
}

const nothingToDo: Statement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};

function isUntrusted(error: unknown): boolean {
  return error instanceof Error && 'code' in error && UNTRUSTED.test(String(error.code));
}
