/** What a database says it will do to answer a query, and what of it must not be. One entry for each engine. */
import { CompiledQuery, type Kysely } from 'kysely';
import type { Tables } from '../../../src/central/store/tables.ts';

export interface Explainer {
  /** The steps of the plan, as the database words them. */
  steps(db: Kysely<Tables>, query: CompiledQuery): Promise<readonly string[]>;
  /** Steps that read more rows than are wanted, or sort them. `first`: the query takes the first of all in an order. */
  faults(steps: readonly string[], first: boolean): readonly string[];
}

export const sqlitePlans: Explainer = {
  async steps(db, query) {
    const explain = CompiledQuery.raw(`explain query plan ${query.sql}`, [...query.parameters]);
    const { rows } = await db.executeQuery<{ readonly detail: string }>(explain);
    return rows.map(({ detail }) => detail);
  },
  faults: (steps, first) =>
    steps.filter(
      (step) =>
        /TEMP B-TREE|AUTOMATIC/.test(step) ||
        // The beginning of an index is no full scan where it is all that is asked for.
        (/^SCAN event/.test(step) && !(first && /USING (COVERING )?INDEX/.test(step))),
    ),
};
