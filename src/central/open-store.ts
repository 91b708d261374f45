/** The central store with the models that this program builds. */
import { catModel } from './models/cat-model.ts';
import { openSqlStore, type SqlStoreOptions } from './store/sql-store.ts';
import type { Store } from './store/store.ts';

/** Opens the store at `sqlite:PATH`; see `openSqlStore` for the errors. */
export function openStore(options: Omit<SqlStoreOptions, 'model'>): Promise<Store> {
  return openSqlStore({ ...options, model: catModel });
}
