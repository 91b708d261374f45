/** Looks at a database without changing it. */
import { statSync } from 'node:fs';
import { Kysely } from 'kysely';
import { type PendingChange, pendingChanges } from './migrate.ts';
import { openDialect } from './open-dialect.ts';
import { parseStoreUrl } from './store-url.ts';
import type { Tables } from './tables.ts';

export interface Inspected {
  /** Without any secret. */
  readonly name: string;
  /** What a start would do to the schema, in order. */
  readonly pending: readonly PendingChange[];
  /** A question and its answer took so long. */
  readonly answerMs: number;
}

/** Rejects as `openDialect` does. A file that is not there yet, or is empty, is not made one. */
export async function inspectStore(url: string, password: string | undefined): Promise<Inspected> {
  const address = parseStoreUrl(url);
  const missing = typeof address !== 'string' && address.kind === 'sqlite' && isEmpty(address.path);
  const dialect = await openDialect(missing ? 'sqlite::memory:' : url, password);
  const db = new Kysely<Tables>({ dialect: dialect.kysely });
  try {
    const pending = await pendingChanges(db, dialect);
    const startMs = performance.now();
    await db.selectNoFrom((eb) => eb.lit(1).as('one')).execute();
    return { name: missing ? url : dialect.name, pending, answerMs: performance.now() - startMs };
  } finally {
    await db.destroy();
  }
}

function isEmpty(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0;
}
