/** A version that is not live: brought on to where the live one is, each piece in a short transaction, so that no writer waits. */

import { setTimeout as pause } from 'node:timers/promises';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { CatModel } from '../models/model.ts';
import type { Db } from './agents.ts';
import { lastOf, mayChangeWearings, moveCursor, nextEvents, seenUpTo } from './derive.ts';
import { type Access, deriveCat, within } from './derive-cat.ts';
import type { SqlDialect } from './dialect.ts';
import { dirtyCats } from './dirty.ts';
import { readWearings } from './facts.ts';
import { liveTables, type ModelTables, modelCursor } from './model-tables.ts';
import type { EpochNames } from './rows.ts';
import { noteSkipped } from './skipped.ts';
import type { FoldPolicy } from './stopped.ts';
import type { CentralEvent } from './store.ts';
import type { Tables } from './tables.ts';
import { transact } from './transact.ts';

type Trx = Transaction<Tables>;

const SLICE_EVENTS = 2_000;
/** So few are taken in within the transaction that swaps. */
const LAST_EVENTS = 500;
/** How often a transaction is begun again when another process keeps the database, each time as long as the driver waits. */
const BUSY_TRIES = 15;
const BUSY_PAUSE_MS = 50;

export interface AsideParts {
  readonly db: Kysely<Tables>;
  readonly dialect: SqlDialect;
  readonly model: CatModel;
  readonly names: EpochNames;
  readonly policy: FoldPolicy;
  /** The folder of segments. */
  readonly segments?: string | undefined;
  /** Events of one step of a build. */
  readonly stepEvents?: number | undefined;
}

type FoldParts = Pick<AsideParts, 'db' | 'model' | 'names' | 'policy'>;

/** Rejects where the version is no longer ours to write. */
export type Guard = (trx: Trx) => Promise<void>;

/** One short transaction, begun again while another process has the database. */
export async function write<T>(db: Kysely<Tables>, work: (trx: Trx) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await transact(db, work);
    } catch (error) {
      const isBusy = error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
      if (!isBusy || tries === BUSY_TRIES) throw error;
      await pause(BUSY_PAUSE_MS);
    }
  }
}

/** Reads one moment; writers go on meanwhile. `work` must not write. */
export function atOneMoment<T>(
  { db, dialect }: Pick<AsideParts, 'db' | 'dialect'>,
  work: (db: Db) => Promise<T>,
): Promise<T> {
  return db.connection().execute(async (connection) => {
    for (const statement of dialect.snapshot) await sql.raw(statement).execute(connection);
    try {
      return await work(connection);
    } finally {
      await sql.raw('rollback').execute(connection);
    }
  });
}

/** Takes in what the live version has seen since. Resolves to the number of events. */
export async function catchUp(parts: FoldParts, tables: ModelTables, guard: Guard): Promise<number> {
  const { db, names } = parts;
  const upTo = await modelCursor(db, await liveTables(db));
  const access: Access = {
    read: db,
    inPieces: true,
    write: (work) =>
      write(db, async (trx) => {
        await guard(trx);
        return work(trx);
      }),
  };
  for (let total = 0; ; ) {
    const events = await nextEvents(db, tables, names, SLICE_EVENTS, upTo);
    if (events.length === 0) return total;
    await foldIn(parts, access, tables, events);
    total += events.length;
  }
}

/** Within a transaction: the last few. False: there are too many, or they may take long. */
export async function catchUpAtOnce(parts: FoldParts, trx: Trx, tables: ModelTables): Promise<boolean> {
  const upTo = await modelCursor(trx, await liveTables(trx));
  const events = await nextEvents(trx, tables, parts.names, LAST_EVENTS + 1, upTo);
  if (events.length > LAST_EVENTS || events.some(mayChangeWearings)) return false;
  await foldIn(parts, within(trx), tables, events);
  return true;
}

async function foldIn(
  { model, names, policy }: Omit<FoldParts, 'db'>,
  access: Access,
  tables: ModelTables,
  events: readonly CentralEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const { read } = access;
  const cursor = lastOf(events);
  const passed = new Map([...(await modelCursor(read, tables)), ...cursor]);
  const scope = policy === 'stop' ? { isSeen: seenUpTo(passed) } : {};
  const wearings = await readWearings(read, model, names, scope);
  const { cats, skipped } = await dirtyCats(read, model, names, wearings, events);
  for (const [catId, from] of cats) await deriveCat(access, tables, model, names, wearings, catId, from, scope);
  // Last: what was broken off before is done again from the same events.
  await access.write(async (trx) => {
    await noteSkipped(trx, tables.name, skipped);
    await moveCursor(trx, tables, cursor);
  });
}
