/** The database that a URL names. */
import type { SqlDialect } from './dialect.ts';
import { openMysql } from './mysql.ts';
import { openPostgres } from './postgres.ts';
import { openSqlite } from './sqlite.ts';
import { parseStoreUrl } from './store-url.ts';

/**
 * `password` where it does not stand in the URL. Rejects with code STORE_URL, STORE_AWAY, NOT_DURABLE or STORE_SETTING, or with those of SQLite
 * (`SQLITE_CANTOPEN` …).
 * Not `durable`: see `openSqlite`; servers are so always.
 */
export async function openDialect(url: string, password: string | undefined, durable = true): Promise<SqlDialect> {
  const address = parseStoreUrl(url);
  if (typeof address === 'string')
    throw Object.assign(new Error(`the store must be ${address}`), { code: 'STORE_URL' });
  if (address.kind === 'sqlite') return openSqlite(address.path, durable);
  const full = { ...address, password: address.password ?? password ?? null };
  return address.kind === 'mysql' ? openMysql(full) : openPostgres(full);
}
