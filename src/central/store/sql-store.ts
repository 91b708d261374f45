/** Puts the central store together. Everything below this file works in one process on one database. */
import { setImmediate } from 'node:timers/promises';
import { Kysely, type Transaction } from 'kysely';
import type { CatModel } from '../models/model.ts';
import { createAccess } from './access.ts';
import { createGapReader } from './agent-gaps.ts';
import { createChecks } from './checks.ts';
import { type CommandParts, createCommands } from './command.ts';
import { createDeriver } from './derive.ts';
import { adapterOf } from './dialect.ts';
import { expire } from './expire.ts';
import { segmentRows } from './expired.ts';
import { checkLead, type Holdings } from './fence.ts';
import { identity } from './identity.ts';
import { createIngest } from './ingest.ts';
import { createKeys } from './keys.ts';
import { migrate, type OnChange } from './migrate.ts';
import { createNotices } from './notices.ts';
import { openDialect } from './open-dialect.ts';
import { createQuarantine } from './quarantine.ts';
import { createReader } from './read.ts';
import { createEpochNames } from './rows.ts';
import { settle } from './settle.ts';
import { createShared } from './shared.ts';
import type { FoldPolicy } from './stopped.ts';
import type { Projected, Store } from './store.ts';
import type { Tables } from './tables.ts';
import { createTold } from './told.ts';
import { takeLock, transact } from './transact.ts';
import { takeUntold } from './untold.ts';

export interface SqlStoreOptions {
  /** `sqlite:PATH`, `mysql://…` or `postgres://…`: see `store-url.ts`. */
  readonly url: string;
  /** Where it does not stand in the URL. */
  readonly password?: string | undefined;
  readonly model: CatModel;
  /** What to do with an event that the models need and cannot read: leave it out and note it, or stand still before it. */
  readonly fold?: FoldPolicy;
  readonly now?: () => Date;
  /** Told of each change of the schema. */
  readonly onChange?: OnChange;
  /** Told at each transaction that is begun again since another program holds the file: none has been given up yet. */
  readonly onHeld?: () => void;
  /** Other centrals write to it too, each to the shards that it has taken: see `ofShard`. What a person asks for needs none. */
  readonly shared?: boolean;
}

/**
 * Opens the store, makes it at the first time, brings its schema up to date.
 * Codes: those of `openDialect`, `SCHEMA`, STORE_FAILED, or the driver's own.
 */
export async function openSqlStore(options: SqlStoreOptions): Promise<Store> {
  const { model, fold = 'quarantine', now = () => new Date() } = options;
  const dialect = await openDialect(options.url, options.password);
  const db = new Kysely<Tables>({ dialect: dialect.kysely });
  if (options.onHeld !== undefined) adapterOf(db).onHeld = options.onHeld;
  try {
    await migrate(db, dialect, options.onChange);
    await dialect.prove(db);
    let self = await identity(db, dialect, now());
    const names = createEpochNames();
    await settle(db, model, names, now().toISOString());
    const tokens = new Map<number, number>();
    const holdings: Holdings | null = options.shared === true ? null : { owner: null, tokens };
    const deriver = createDeriver(model, names, fold);
    const commands = createCommands({ db, names, deriver, now });
    const incarnation = () => self.incarnation;
    const lead = (token: number | null): Pick<Store, 'project' | 'expire'> => ({
      project: (limit) => project({ db, names, deriver, now }, token, limit),
      expire: (options) => expire({ db, model, names, policy: fold, token }, options),
    });
    return {
      get incarnation() {
        return self.incarnation;
      },
      ...createIngest(db, holdings, incarnation),
      ...createShared(db, incarnation),
      asLeader: lead,
      ...createKeys(db),
      ...createAccess(db),
      ...createChecks(db),
      ...createNotices(db),
      ...createTold(db),
      ...commands,
      ...createReader(db, model, names),
      ...createGapReader(db),
      ...createQuarantine(db),
      ...lead(null),
      segments: () => segmentRows(db),
      lost: dialect.lost,
      async recover() {
        // It may be another one, or the same as it was last week: nothing that was read from it holds.
        dialect.expect(null);
        names.forget();
        deriver.forget();
        tokens.clear();
        await migrate(db, dialect);
        await settle(db, model, names, now().toISOString());
        self = await identity(db, dialect, now());
      },
      async restored() {
        self = await identity(db, dialect, now(), true);
        return self.incarnation;
      },
      close: () => db.destroy(),
    };
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

/** Of what is to be folded, and of what was folded by commands. */
async function project(
  { db, names, deriver, now }: Pick<CommandParts, 'db' | 'names' | 'deriver' | 'now'>,
  token: number | null,
  limit: number,
): Promise<Projected> {
  const alone = <T>(work: (trx: Transaction<Tables>) => Promise<T>) =>
    transact(db, async (trx) => {
      await takeLock(trx, 'models');
      await checkLead(trx, token);
      return work(trx);
    });
  try {
    const slice = async (trx: Transaction<Tables>) => {
      const folded = await deriver.slice(trx, limit);
      return folded.movingTimes === true ? folded : takeUntold(trx, names, folded);
    };
    const relearn = (trx: Transaction<Tables>) => deriver.relearn(trx, limit, now().toISOString());
    for (;;) {
      const learnt = deriver.relearning ? await alone(relearn) : null;
      const result = learnt ?? (await alone(slice));
      if (result.movingTimes !== true) return result;
      // Times are moved in short transactions.
      await setImmediate();
    }
  } catch (error) {
    deriver.forget();
    throw error;
  }
}
