/** The central store with the models that this program builds. */
import { catModel } from './models/cat-model.ts';
import { openSqlReplay, type SqlReplayOptions } from './store/open-replay.ts';
import type { ReplayStore } from './store/replay-store.ts';
import { openSqlStore, type SqlStoreOptions } from './store/sql-store.ts';
import type { Store } from './store/store.ts';

/** Opens the store at `sqlite:PATH`; see `openSqlStore` for the errors. */
export function openStore(options: Omit<SqlStoreOptions, 'model'>): Promise<Store> {
  return openSqlStore({ ...options, model: catModel });
}

/** The versions of its models, to make the next one or to go back; same errors. */
export function openReplayStore(options: Omit<SqlReplayOptions, 'model'>): Promise<ReplayStore> {
  return openSqlReplay({ ...options, model: catModel });
}
