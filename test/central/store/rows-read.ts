/** How many rows a piece of work reads from a store. */
import type { Kysely } from 'kysely';
import type { Tables } from '../../../src/central/store/tables.ts';

export interface RowsRead {
  readonly db: Kysely<Tables>;
  of(work: () => Promise<unknown>): Promise<number>;
}

export function countingRows(db: Kysely<Tables>): RowsRead {
  let rows = 0;
  const counting = db.withPlugin({
    transformQuery: ({ node }) => node,
    transformResult: ({ result }) => {
      rows += result.rows.length;
      return Promise.resolve(result);
    },
  });
  return {
    db: counting,
    async of(work) {
      rows = 0;
      await work();
      return rows;
    },
  };
}
