/** Brings a database to the newest schema, once, whoever starts beside or after. */
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { SqlDialect } from './dialect.ts';
import { runSteps, STEP_TABLE } from './migrate-steps.ts';
import { MIGRATIONS, type SchemaChange } from './migrations.ts';
import type { Tables } from './tables.ts';

/** How often a start waits for another one that is at the schema, each time as long as the driver waits for a lock. */
const TRIES = 15;

/** Told before each change: its name, how many were made before it, and of how many. */
export type OnChange = (name: string, done: number, of: number) => void;

/** A schema change that has not been made. */
export interface PendingChange {
  readonly name: string;
  readonly statements: readonly string[];
}

/**
 * In one transaction where the database can: a start that dies in the middle leaves nothing behind, and of two that start
 * together one waits. Rejects with code `SCHEMA`, also where the schema is newer than this program.
 */
export async function migrate(
  db: Kysely<Tables>,
  dialect: SqlDialect,
  onChange: OnChange = () => undefined,
): Promise<void> {
  if (await isNewest(db)) return;
  const migrator = migratorOf(db, dialect, onChange);
  if (dialect.isMade !== null) await sql.raw(dialect.ddl(STEP_TABLE)).execute(db);
  let { error } = await migrator.migrateToLatest();
  for (let tries = 1; isBusy(error) && tries < TRIES; tries += 1) ({ error } = await migrator.migrateToLatest());
  if (error !== undefined) throw asSchemaError(error);
}

/** Most starts find all as it should be: they need neither a lock nor a look at every table. */
async function isNewest(db: Kysely<Tables>): Promise<boolean> {
  const read = sql<{ readonly name: string }>`select name from kysely_migration order by name`.execute(db);
  // It may not be there yet; where it cannot be read, the migrator meets the same and tells. A server that is away is no reason to
  // begin a change of the schema on the next one.
  const made = await read.then(
    ({ rows }) => rows,
    (error: unknown) => {
      if (isAway(error)) throw error;
      return [];
    },
  );
  return made.length === MIGRATIONS.length && made.every(({ name }, i) => name === MIGRATIONS[i]?.name);
}

/** What `migrate` would do now, in order. */
export async function pendingChanges(db: Kysely<Tables>, dialect: SqlDialect): Promise<readonly PendingChange[]> {
  const known = await migratorOf(db, dialect).getMigrations();
  const open = new Set(known.filter(({ executedAt }) => executedAt === undefined).map(({ name }) => name));
  return MIGRATIONS.filter(({ name }) => open.has(name)).map((change) => ({
    name: change.name,
    statements: statementsOf(change, dialect),
  }));
}

function migratorOf(db: Kysely<Tables>, dialect: SqlDialect, onChange: OnChange = () => undefined): Migrator {
  let first: number | null = null;
  const migrations = MIGRATIONS.map((change, i): [string, Migration] => [
    change.name,
    {
      async up(schema: Kysely<Tables>) {
        first ??= i;
        onChange(change.name, i - first, MIGRATIONS.length - first);
        const statements = statementsOf(change, dialect);
        if (dialect.isMade !== null) return runSteps(schema, change.name, statements, dialect.isMade);
        for (const text of statements) await sql.raw(text).execute(schema);
      },
    },
  ]);
  return new Migrator({ db, provider: { getMigrations: async () => Object.fromEntries(migrations) } });
}

function statementsOf(change: SchemaChange, dialect: SqlDialect): readonly string[] {
  return change.statements(dialect).map((statement) => dialect.ddl(statement));
}

function asSchemaError(error: unknown): Error {
  // Nothing of it is about the schema: the database is away, or is not fit to store in.
  if (error instanceof Error && 'code' in error && /^(STORE_|NOT_DURABLE)/.test(String(error.code))) return error;
  const why = error instanceof Error ? error.message : String(error);
  const text = `the schema of the store cannot be brought up to date: ${why}`;
  return Object.assign(new Error(text, { cause: error }), { code: 'SCHEMA' });
}

function isAway(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STORE_AWAY';
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
}
