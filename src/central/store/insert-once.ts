/** Inserts that leave alone what is there. The unique key does the deduplication; a value that does not fit is an error. */
import { CompiledQuery, type Kysely, type Transaction } from 'kysely';
import { adapterOf, type StoreAdapter } from './dialect.ts';
import type { Tables } from './tables.ts';

/**
 * The key by which a row of a table is the same as another. Any other key that clashes is a fault, and counts as one.
 * Later versions of the models have the keys of the first.
 */
const KEYS: { readonly [T in keyof Tables]?: readonly (keyof Tables[T] & string)[] } = {
  meta: ['name'],
  event: ['epoch_no', 'seq'],
  shard: ['shard'],
  worker: ['id'],
  untold: ['cat_id', 'epoch_no', 'seq'],
  heard: ['agent_no', 'collar'],
  claim: ['epoch_no', 'seq'],
  gap: ['epoch_no', 'from_seq', 'to_seq'],
  conflict: ['epoch_no', 'seq', 'hash'],
  quarantine_tally: ['agent', 'kind'],
  correction: ['by_epoch_no', 'by_seq'],
  clock_sync: ['epoch_no', 'seq'],
  unset_clock: ['epoch_no', 'boot'],
  skipped: ['model', 'epoch_no', 'seq'],
  model_cursor: ['model', 'shard'],
  segment: ['epoch_no', 'from_seq'],
  cat_check: ['cat_id'],
  notice: ['target', 'epoch_no', 'seq'],
  cat_v1: ['id'],
  meowing_v1: ['cat_id', 'key'],
  checkpoint_v1: ['cat_id', 'key'],
};

/** Resolves to the number of rows that are new. */
export async function insertOnce<T extends keyof Tables & string>(
  db: Kysely<Tables> | Transaction<Tables>,
  table: T,
  rows: readonly Tables[T][],
): Promise<number> {
  const first = rows[0];
  if (first === undefined) return 0;
  const adapter = adapterOf(db);
  const columns = Object.keys(first) as (keyof Tables[T] & string)[];
  let inserted = 0;
  for (let at = 0; at < rows.length; ) {
    const size = adapter.words.insertSizes.find((n) => n <= rows.length - at) ?? 1;
    const values: unknown[] = [];
    for (const row of rows.slice(at, at + size)) for (const column of columns) values.push(row[column]);
    const result = await db.executeQuery(CompiledQuery.raw(statement(adapter, table, columns, size), values));
    inserted += Number(result.numAffectedRows ?? 0n);
    at += size;
  }
  return inserted;
}

/** Put together once for each table, its columns and number of rows: it is as long as what it inserts. */
function statement(
  { words, inserts }: StoreAdapter,
  table: keyof Tables & string,
  columns: readonly string[],
  size: number,
): string {
  const name = `${table} ${size} ${columns.join()}`;
  const known = inserts.get(name);
  if (known !== undefined) return known;
  const key = KEYS[table.replace(/_v\d+$/, '_v1') as typeof table];
  if (key === undefined) throw new Error(`insert-once.ts names no key of ${table}`);
  const quoted = (name: string) => words.quote + name + words.quote;
  let n = 0;
  const parameter = () => {
    n += 1;
    return words.parameter(n);
  };
  const tuples = Array.from({ length: size }, () => `(${columns.map(parameter).join(',')})`);
  const into = `insert into ${quoted(table)} (${columns.map(quoted).join(',')})`;
  const text = `${into} values ${tuples.join(',')} ${words.keep(key.map(quoted))}`;
  inserts.set(name, text);
  return text;
}
