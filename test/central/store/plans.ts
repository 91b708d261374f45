/** What a database says it will do to answer a query, and what of it must not be. One entry for each engine. */
import { CompiledQuery, type Kysely } from 'kysely';
import type { Tables } from '../../../src/central/store/tables.ts';
import type { engine } from '../engines/fresh.ts';

export interface Explainer {
  /** A table of the numbers `n` from 1; null where none are needed. */
  readonly series: ((count: number) => string) | null;
  /** So that it plans by what is there, not by what it assumes of a new table. */
  readonly analyze: string;
  /** The steps of the plan, as the database words them. */
  steps(db: Kysely<Tables>, query: CompiledQuery): Promise<readonly string[]>;
  /** Steps that read more rows than are wanted, or sort them. `first`: the query takes the first of all in an order. */
  faults(steps: readonly string[], first: boolean): readonly string[];
  /** A step that finds what is asked for in an index alone. */
  readonly inIndexAlone: RegExp;
}

export const PLANS: { readonly [E in typeof engine]: Explainer } = {
  sqlite: {
    series: null,
    analyze: 'select 1',
    async steps(db, query) {
      const rows = await explain<{ readonly detail: string }>(db, 'explain query plan', query);
      return rows.map(({ detail }) => detail);
    },
    faults: (steps, first) =>
      steps.filter(
        (step) =>
          /TEMP B-TREE|AUTOMATIC/.test(step) ||
          // The beginning of an index is no full scan where it is all that is asked for.
          (/^SCAN event/.test(step) && !(first && /USING (COVERING )?INDEX/.test(step))),
      ),
    inIndexAlone: /USING COVERING INDEX event_/,
  },
  mariadb: {
    series: null,
    analyze: 'analyze table event',
    // Not as JSON: with names in double quotes it writes none that can be read.
    async steps(db, query) {
      const rows = await explain<Readonly<Record<string, string | null>>>(db, 'explain', query);
      return rows.map(({ table, type, key, Extra }) => `${table} ${type} ${key} ${Extra}`);
    },
    faults: (steps, first) =>
      steps.filter(
        (step) =>
          /Using (filesort|temporary)/.test(step) || /^event ALL/.test(step) || (/^event index /.test(step) && !first),
      ),
    inIndexAlone: /^event (ref|range) event_\w+ .*Using index$/,
  },
  postgres: {
    series: (count) => `generate_series(1, ${count}) n`,
    analyze: 'vacuum analyze event',
    async steps(db, query) {
      const [row] = await explain<{ readonly 'QUERY PLAN': string }>(db, 'explain (format json)', query);
      const plans = JSON.parse(row?.['QUERY PLAN'] ?? '[]') as readonly { readonly Plan: PostgresNode }[];
      return plans.flatMap(({ Plan }) => postgresSteps(Plan));
    },
    faults: (steps, first) => {
      // A window of positions holds few enough to be sorted.
      const inWindow = steps.includes('Bitmap Index Scan event_position');
      return steps.filter(
        (step) =>
          (/^(Incremental )?Sort/.test(step) && !inWindow) ||
          /^Seq Scan event/.test(step) ||
          (/^Index.* event whole/.test(step) && !first),
      );
    },
    inIndexAlone: /^Index Only Scan.* event_/,
  },
};

async function explain<R>(db: Kysely<Tables>, how: string, query: CompiledQuery): Promise<readonly R[]> {
  return (await db.executeQuery<R>(CompiledQuery.raw(`${how} ${query.sql}`, [...query.parameters]))).rows;
}

interface PostgresNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PostgresNode[];
}

function postgresSteps(node: PostgresNode): string[] {
  const { 'Node Type': type, 'Relation Name': table, 'Index Name': index, 'Index Cond': condition } = node;
  const whole = type.startsWith('Index') && condition === undefined ? 'whole' : undefined;
  const own = [type, table, whole, index].filter((word) => word !== undefined).join(' ');
  return [own, ...(node.Plans ?? []).flatMap(postgresSteps)];
}
