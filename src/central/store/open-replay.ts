/** A connection of its own to the store, for versions of the models: beside a central that runs, in another process. */
import { Kysely } from 'kysely';
import { migrate } from './migrate.ts';
import { openDialect } from './open-dialect.ts';
import { createReplay } from './replay.ts';
import type { ReplayStore } from './replay-store.ts';
import { createEpochNames } from './rows.ts';
import { settle } from './settle.ts';
import type { SqlStoreOptions } from './sql-store.ts';
import type { Tables } from './tables.ts';

export interface SqlReplayOptions extends Omit<SqlStoreOptions, 'now'> {
  /** The folder of segments: needed once there are some. */
  readonly segments?: string | undefined;
  /** Events that are folded in at once, in one transaction. */
  readonly stepEvents?: number;
}

/** Rejects as `openSqlStore` does. What it commits may be lost in a power cut, newest first: all of it can be made anew. */
export async function openSqlReplay(options: SqlReplayOptions): Promise<ReplayStore> {
  const { model, fold = 'quarantine' } = options;
  const dialect = await openDialect(options.url, options.password, false);
  const db = new Kysely<Tables>({ dialect: dialect.kysely });
  try {
    await migrate(db, dialect);
    const names = createEpochNames();
    await settle(db, model, names, new Date().toISOString());
    const parts = {
      db,
      dialect,
      model,
      names,
      policy: fold,
      segments: options.segments,
      stepEvents: options.stepEvents,
    };
    return { ...createReplay(parts), close: () => db.destroy() };
  } catch (error) {
    await db.destroy();
    throw error;
  }
}
