/** Transactions, and who comes first in them. */
import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely, Transaction } from 'kysely';
import { adapterOf, wordsOf } from './dialect.ts';
import { insertOnce } from './insert-once.ts';
import type { Tables } from './tables.ts';

/** Of a transaction that was undone in favour of others. */
const TRIES = 20;
const PAUSE_MS = 20;

/** Something of the store that one transaction at a time may change, in all processes. Taken in this order, shards after `models`. */
export type Lock = 'models' | 'registry' | 'quarantine';

/**
 * One transaction, made again as often as it is undone in favour of another one: `work` must leave nothing behind outside of the
 * database before it resolves. Rejects with what `work` rejects with, or the database's error; then nothing is stored. One that is
 * always undone is of a server that cannot store now: STORE_AWAY.
 */
export async function transact<T>(db: Kysely<Tables>, work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await db.transaction().execute(work);
    } catch (error) {
      if (!isUndone(error)) throw error;
      if (tries === TRIES) throw lost(error);
      if (tries === 1 && error.code === 'SQLITE_BUSY') adapterOf(db).onHeld?.();
      // Those that stand in each other's way come back at different times.
      await pause(Math.random() * PAUSE_MS * tries);
    }
  }
}

/** SQLite: others had its one lock in turn, all the time that a driver may wait. */
function isUndone(error: unknown): error is Error & { readonly code: unknown } {
  return error instanceof Error && 'code' in error && /^(STORE_AGAIN|SQLITE_BUSY)$/.test(String(error.code));
}

function lost(cause: Error & { readonly code: unknown }): Error {
  return cause.code === 'STORE_AGAIN'
    ? Object.assign(new Error(cause.message, { cause }), { code: 'STORE_AWAY' })
    : cause;
}

/** Until the end of the transaction. Where one writer has the whole database, it has the lock already. */
export async function takeLock(trx: Transaction<Tables>, lock: Lock): Promise<void> {
  const { rowLocks, locksOnOneNode } = wordsOf(trx);
  if (!rowLocks) return;
  const row = trx.selectFrom('meta').select('name').where('name', '=', rowOf(lock)).forUpdate();
  if ((await row.executeTakeFirst()) === undefined) {
    await insertOnce(trx, 'meta', [{ name: rowOf(lock), value: '' }]);
    await row.executeTakeFirstOrThrow();
  }
  if (!locksOnOneNode) return;
  // Whoever changes it on another node meanwhile is undone, or this one is.
  const value = String(randomInt(2 ** 47));
  await trx.updateTable('meta').set({ value }).where('name', '=', rowOf(lock)).execute();
}

function rowOf(lock: Lock): string {
  return `lock.${lock}`;
}
