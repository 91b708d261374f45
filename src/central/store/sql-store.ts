/** Puts the central store together. Everything below this file works in one process on one database. */
import { randomUUID } from 'node:crypto';
import { Kysely, type Transaction } from 'kysely';
import { v7 } from 'uuid';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import type { CatModel } from '../models/model.ts';
import { claimEpoch, saveHealth, saveState } from './agents.ts';
import { createCommands } from './command.ts';
import { createDeriver } from './derive.ts';
import type { SqlDialect } from './dialect.ts';
import { expire } from './expire.ts';
import { segmentRows } from './expired.ts';
import { createIngest, newOwnership } from './ingest.ts';
import { insertOnce } from './insert-once.ts';
import { createKeys } from './keys.ts';
import { migrate } from './migrate.ts';
import { openDialect } from './open-dialect.ts';
import { createQuarantine } from './quarantine.ts';
import { createReader } from './read.ts';
import { createEpochNames } from './rows.ts';
import { settle } from './settle.ts';
import type { FoldPolicy } from './stopped.ts';
import type { Projected, Store } from './store.ts';
import type { Tables } from './tables.ts';
import { takeLock, transact } from './transact.ts';

/** Meows of commands that wait for the project loop to announce them; the oldest go first. */
const MAX_PENDING_MEOWS = 1_000;

export interface SqlStoreOptions {
  /** `sqlite:PATH`, `mysql://…` or `postgres://…`: see `store-url.ts`. */
  readonly url: string;
  /** Where it does not stand in the URL. */
  readonly password?: string | undefined;
  readonly model: CatModel;
  /** What to do with an event that the models need and cannot read: leave it out and note it, or stand still before it. */
  readonly fold?: FoldPolicy;
  readonly now?: () => Date;
}

/**
 * Opens the store, makes it at the first time, brings its schema up to date.
 * Codes: those of `openDialect`, `SCHEMA`, or the driver's own.
 */
export async function openSqlStore(options: SqlStoreOptions): Promise<Store> {
  const { model, fold = 'quarantine', now = () => new Date() } = options;
  const dialect = await openDialect(options.url, options.password);
  const db = new Kysely<Tables>({ dialect: dialect.kysely });
  try {
    await migrate(db, dialect);
    let self = await identity(db, dialect, now());
    const names = createEpochNames();
    await settle(db, model, names, now().toISOString());
    const own = newOwnership();
    const deriver = createDeriver(model, names, fold);
    const pending = createPending();
    const commands = createCommands({ db, names, deriver, epoch: () => self.epoch, now, projected: pending.add });
    return {
      get incarnation() {
        return self.incarnation;
      },
      ...createIngest(db, own, () => self.incarnation),
      ...createKeys(db),
      ...commands,
      ...createReader(db, model, names),
      saveState: (agent, message, at) => saveState(db, agent, message, at),
      saveHealth: (agent, health, at) => saveHealth(db, agent, health, at, at ?? now().toISOString()),
      ...createQuarantine(db),
      expire: (options) => expire({ db, model, names }, options),
      segments: () => segmentRows(db),
      async project(limit) {
        try {
          const alone = <T>(work: (trx: Transaction<Tables>) => Promise<T>) =>
            transact(db, async (trx) => {
              await takeLock(trx, 'models');
              return work(trx);
            });
          const relearn = (trx: Transaction<Tables>) => deriver.relearn(trx, limit, now().toISOString());
          const learnt = deriver.relearning ? await alone(relearn) : null;
          return pending.take(learnt ?? (await alone((trx) => deriver.slice(trx, limit))));
        } catch (error) {
          deriver.forget();
          throw error;
        }
      },
      async recover() {
        // It may be another one, or the same as it was last week: nothing that was read from it holds.
        dialect.expect(null);
        names.forget();
        deriver.forget();
        own.shards.clear();
        await migrate(db, dialect);
        await settle(db, model, names, now().toISOString());
        self = await identity(db, dialect, now());
      },
      close: () => db.destroy(),
    };
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

/** Who this store is. Another file under it means that it was restored: then it must not pass for the one before. */
async function identity(db: Kysely<Tables>, dialect: SqlDialect, now: Date) {
  const file = await dialect.identity(db);
  const self = await transact(db, async (trx) => {
    await takeLock(trx, 'registry');
    const rows = await trx.selectFrom('meta').selectAll().execute();
    const meta = new Map(rows.map((row) => [row.name, row.value]));
    const epoch = meta.get('epoch') ?? v7({ msecs: now.getTime() });
    const same = meta.get('file') === file;
    const incarnation = same ? (meta.get('incarnation') ?? randomUUID()) : randomUUID();
    for (const [name, value] of Object.entries({ epoch, incarnation, file })) {
      if (meta.get(name) === value) continue;
      await insertOnce(trx, 'meta', [{ name, value }]);
      await trx.updateTable('meta').set({ value }).where('name', '=', name).execute();
    }
    await claimEpoch(trx, CENTRAL_AGENT, epoch);
    return { incarnation, epoch };
  });
  dialect.expect(file);
  return self;
}

/** What commands have folded by the way, until the project loop asks. */
function createPending() {
  let cats = new Set<number>();
  let meows: Projected['meows'] = [];
  return {
    add(result: Projected) {
      for (const cat of result.changedCats) cats.add(cat);
      meows = [...meows, ...result.meows].slice(-MAX_PENDING_MEOWS);
    },
    take(result: Projected): Projected {
      if (cats.size === 0 && meows.length === 0) return result;
      const all: Projected = {
        ...result,
        changedCats: [...new Set([...cats, ...result.changedCats])].sort((a, b) => a - b),
        meows: [...meows, ...result.meows],
      };
      cats = new Set();
      meows = [];
      return all;
    },
  };
}
