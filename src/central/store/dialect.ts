/**
 * What the store asks of a database, and what its own SQL must know of it. One small file for each database fulfils it; no other
 * file knows which one it is.
 */
import type { Dialect, DialectAdapter, Kysely, Transaction } from 'kysely';
import type { Tables } from './tables.ts';

export interface SqlDialect {
  readonly kysely: Dialect;
  /** For people, without any secret: `sqlite:/var/lib/collard/central.db`. */
  readonly name: string;
  /** The start of the local day as the text of a time, for the view `cat`. */
  readonly dayStart: string;
  /** Ends CREATE TABLE of tables that are read by their primary key. */
  readonly clustered: string;
  /** A statement of `migrations.ts` in the words of this database. Texts compare there byte by byte, whatever its defaults are. */
  ddl(statement: string): string;
  /** Does this error say that what a statement makes is there already? Null: a failed change of the schema is undone as a whole. */
  readonly isMade: ((error: unknown) => boolean) | null;
  /** Begin a transaction that reads one moment and keeps no writer waiting. */
  readonly snapshot: readonly string[];
  /** Changes when the database is another one, as after a restore from a backup. Asked once the schema is there. */
  identity(db: Kysely<Tables>): Promise<string>;
  /** Asked once the schema is there. Rejects with code NOT_DURABLE where a commit that returned might not survive a power cut. */
  prove(db: Kysely<Tables>): Promise<void>;
  /**
   * From now on a new connection to a database of another identity is refused with code STORE_AWAY, and statements must be short.
   * Null: until told again, any will do.
   */
  expect(identity: string | null): void;
  /**
   * Aborted once what lies in the file may be something else than what was committed, with the error of code STORE_FAILED that every
   * statement is rejected with from then on. Servers look after that by themselves: never.
   */
  readonly lost: AbortSignal;
}

/** How the SQL of one database differs. It hangs on kysely's adapter, so that whoever holds the database can ask. */
export interface Words {
  readonly quote: '"' | '`';
  /** The nth parameter of a statement, from 1. */
  parameter(n: number): string;
  /** Ends an INSERT that leaves rows alone whose key is there. Not INSERT IGNORE: that one also cuts what is too long. */
  keep(key: readonly string[]): string;
  /** Rows of one INSERT: few sizes where statements stay prepared. Largest first, 1 at the end. */
  readonly insertSizes: readonly number[];
  /** Writers run side by side, and lock a row before they read what they will change. Else one writer has the whole database. */
  readonly rowLocks: boolean;
  /** A row that is locked and not changed is free on the other nodes of a cluster: what two of them change is found at commit. */
  readonly locksOnOneNode: boolean;
}

export interface StoreAdapter extends DialectAdapter {
  readonly words: Words;
  /** Statements that were put together before. */
  readonly inserts: Map<string, string>;
  /** Told where a transaction is begun again since another program has the whole database. Set by who opens the store. */
  onHeld?: () => void;
}

export function adapterOf(db: Kysely<Tables> | Transaction<Tables>): StoreAdapter {
  return db.getExecutor().adapter as StoreAdapter;
}

export function wordsOf(db: Kysely<Tables> | Transaction<Tables>): Words {
  return adapterOf(db).words;
}
