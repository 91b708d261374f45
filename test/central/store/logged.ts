/** A reader of a store that tells which queries it makes. */
import { type CompiledQuery, Kysely } from 'kysely';
import { catModel } from '../../../src/central/models/cat-model.ts';
import { openDialect } from '../../../src/central/store/open-dialect.ts';
import { createReader } from '../../../src/central/store/read.ts';
import { createEpochNames } from '../../../src/central/store/rows.ts';
import type { ReadStore } from '../../../src/central/store/store.ts';
import type { Tables } from '../../../src/central/store/tables.ts';

export interface LoggedReader {
  readonly db: Kysely<Tables>;
  readonly reader: ReadStore;
  /** Of `work`, in order. */
  queriesOf(work: () => Promise<unknown>): Promise<readonly CompiledQuery[]>;
  close(): Promise<void>;
}

export async function openLogged(url: string): Promise<LoggedReader> {
  const queries: CompiledQuery[] = [];
  const db = new Kysely<Tables>({
    dialect: (await openDialect(url, undefined)).kysely,
    log: (event) => void queries.push(event.query),
  });
  return {
    db,
    reader: createReader(db, catModel, createEpochNames()),
    async queriesOf(work) {
      queries.length = 0;
      await work();
      return [...queries];
    },
    close: () => db.destroy(),
  };
}
