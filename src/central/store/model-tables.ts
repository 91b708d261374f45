/**
 * The versions of the read models. Each has tables of its own; which one is live is a row of `model_version`, read anew in every
 * transaction, so that one update swaps them for all who read,
 * in this process and in others.
 */
import type { Db } from './agents.ts';

/** One fold makes `cat` and `meowing`: they have their version together, under this name. */
export const MODEL = 'cat';

/** All versions have the same columns, so the first stands for the type of each. */
export interface ModelTables {
  readonly version: number;
  /** Its name in `model_cursor`. */
  readonly name: string;
  readonly cat: 'cat_v1';
  readonly meowing: 'meowing_v1';
  readonly checkpoint: 'checkpoint_v1';
}

export function modelTables(version: number): ModelTables {
  return {
    version,
    name: `cat_v${version}`,
    cat: `cat_v${version}` as 'cat_v1',
    meowing: `meowing_v${version}` as 'meowing_v1',
    checkpoint: `checkpoint_v${version}` as 'checkpoint_v1',
  };
}

/** The version that is shown and that the project loop builds on. */
export async function liveTables(db: Db): Promise<ModelTables> {
  const { live } = await db
    .selectFrom('model_version')
    .select('live')
    .where('model', '=', MODEL)
    .executeTakeFirstOrThrow();
  return modelTables(live);
}
