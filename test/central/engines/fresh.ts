/**
 * Empty stores for tests, on the engine that this run is for: SQLite, or the server that `mariadb.ts` or `postgres.ts` has
 * started. Databases are used again by later tests, since a schema takes a server longer than most tests.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompiledQuery, Kysely } from 'kysely';
import { expect, inject } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { migrate } from '../../../src/central/store/migrate.ts';
import { openDialect } from '../../../src/central/store/open-dialect.ts';
import type { Store } from '../../../src/central/store/store.ts';
import type { Tables } from '../../../src/central/store/tables.ts';
import { FOLDERS } from '../../folders.ts';
import type { ServerKind } from './paths.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** With `{}` for the name of a database; none for SQLite. */
    storeServer: { readonly url: string; readonly admin: string } | undefined;
  }
}

interface Made {
  readonly url: string;
  /** The test that has it; null where it is free. */
  test: string | null;
  /** What the migrations left in the tables. */
  readonly rows: ReadonlyMap<string, readonly Readonly<Record<string, unknown>>[]>;
  /** A test has made or dropped tables, and views with them: no other one gets it. */
  isSpoilt: boolean;
}

const made: Made[] = [];

/** Which engine the tests run on. */
export const engine = engineOf(inject('storeServer')?.url);

/** Runs of a property: on a server each takes long, and there they look for other faults than in the code that all share. */
export function runs(onSqlite: number): number {
  return engine === 'sqlite' ? onSqlite : Math.ceil(onSqlite / 15);
}

/** An empty store; of SQLite in memory. Its database is free again once it is closed. */
export async function freshStore(options: Omit<Parameters<typeof openStore>[0], 'url'> = {}): Promise<Store> {
  if (engine === 'sqlite') return openStore({ ...options, url: 'sqlite::memory:' });
  const one = await take();
  const store = await openStore({ ...options, url: one.url });
  const { close } = store;
  return Object.assign(store, {
    close: async () => {
      await close();
      one.test = null;
    },
  });
}

/** The URL of an empty store. It belongs to the next test once that begins. */
export async function freshUrl(): Promise<string> {
  if (engine !== 'sqlite') return (await take()).url;
  const folder = mkdtempSync(join(tmpdir(), 'collard-store-'));
  FOLDERS.push(folder);
  return `sqlite:${join(folder, 'central.db')}`;
}

async function take(): Promise<Made> {
  const server = inject('storeServer');
  if (server === undefined) throw new Error('no server was started');
  const test = expect.getState().currentTestName ?? '';
  const free = made.find((one) => one.test !== test && !one.isSpoilt);
  if (free !== undefined) {
    free.test = test;
    free.isSpoilt = !(await withDatabase(free.url, (db) => reset(db, free.rows)));
    return free.isSpoilt ? take() : free;
  }
  const name = `t${process.pid}_${made.length}`;
  await rowsOf(server.admin, `create database ${name}`);
  const url = server.url.replace('{}', name);
  const rows = await withDatabase(url, async (db, dialect) => {
    await migrate(db, dialect);
    return contents(db);
  });
  const one = { url, test, rows, isSpoilt: false };
  made.push(one);
  return one;
}

/** What a statement finds, without the store. */
export async function rowsOf(url: string, statement: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return withDatabase(url, async (db) => (await run(db, statement)).rows as Record<string, unknown>[]);
}

/** Rows that it would take the store long to write one by one. */
export async function insertRows(
  url: string,
  table: keyof Tables,
  rows: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  await withDatabase(url, async (db) => {
    for (let at = 0; at < rows.length; at += 500) {
      await db
        .insertInto(table as 'meta')
        .values(rows.slice(at, at + 500) as unknown as Tables['meta'][])
        .execute();
    }
  });
}

function engineOf(url: string | undefined): 'sqlite' | ServerKind {
  if (url === undefined) return 'sqlite';
  return url.startsWith('mysql') ? 'mariadb' : 'postgres';
}

/** Its tables are there where a store has been opened on it. */
export async function withDatabase<T>(
  url: string,
  work: (db: Kysely<Tables>, dialect: Awaited<ReturnType<typeof openDialect>>) => Promise<T>,
): Promise<T> {
  const dialect = await openDialect(url, undefined);
  const db = new Kysely<Tables>({ dialect: dialect.kysely });
  try {
    return await work(db, dialect);
  } finally {
    await db.destroy();
  }
}

/** Children of foreign keys first. */
const ORDER = ['heard', 'agent_key', 'event', 'epoch', 'agent'];

async function tables(db: Kysely<Tables>): Promise<string[]> {
  const all = await db.introspection.getTables();
  const names = all.filter(({ isView }) => !isView).map(({ name }) => name);
  const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return names.filter((name) => !/^(kysely|migration)_/.test(name)).sort((a, b) => rank(a) - rank(b));
}

async function contents(db: Kysely<Tables>): Promise<Made['rows']> {
  const rows = new Map<string, readonly Record<string, unknown>[]>();
  for (const table of await tables(db))
    rows.set(
      table,
      await db
        .selectFrom(table as 'meta')
        .selectAll()
        .execute(),
    );
  return rows;
}

/** False: its tables are others than the migrations made. */
async function reset(db: Kysely<Tables>, rows: Made['rows']): Promise<boolean> {
  const there = await tables(db);
  if (there.length !== rows.size || there.some((table) => !rows.has(table))) return false;
  for (const table of there) await db.deleteFrom(table as 'meta').execute();
  for (const [table, before] of rows) {
    if (before.length > 0)
      await db
        .insertInto(table as 'meta')
        .values(before as unknown as Tables['meta'][])
        .execute();
  }
  return true;
}

function run(db: Kysely<Tables>, statement: string) {
  return db.executeQuery(CompiledQuery.raw(statement));
}
