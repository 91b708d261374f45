/**
 * Statements of a schema change for databases that cannot undo them. Each is whole by itself; that it begins and that it is done
 * is noted, so that where a start has died another one goes on.
 */
import { type Kysely, sql } from 'kysely';
import type { Tables } from './tables.ts';

interface StepTables extends Tables {
  migration_step: { name: string; state: string };
}

/** `isMade`: does this error say that what was to be made is there, or what was to go is gone? */
export async function runSteps(
  database: Kysely<Tables>,
  change: string,
  statements: readonly string[],
  isMade: (error: unknown) => boolean,
): Promise<void> {
  const db = database as unknown as Kysely<StepTables>;
  for (const [index, text] of statements.entries()) {
    const name = `${change}#${index}`;
    const step = await db.selectFrom('migration_step').select('state').where('name', '=', name).executeTakeFirst();
    if (step?.state === 'done') continue;
    const done = (one: Kysely<StepTables>) =>
      one.updateTable('migration_step').set({ state: 'done' }).where('name', '=', name).execute();
    if (step === undefined) await db.insertInto('migration_step').values({ name, state: 'begun' }).execute();
    if (/^(insert|update|delete)\b/.test(text)) {
      await db.transaction().execute(async (trx) => {
        await sql.raw(text).execute(trx);
        await done(trx);
      });
      continue;
    }
    try {
      await sql.raw(text).execute(db);
    } catch (error) {
      if (step === undefined || !isMade(error)) throw error;
    }
    await done(db);
  }
}

/** Where steps are noted. */
export const STEP_TABLE =
  'create table if not exists migration_step (name varchar(64) not null primary key, state varchar(8) not null)';
