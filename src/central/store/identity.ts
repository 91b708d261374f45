/** Who a store is: the incarnation that agents know it by, and the epoch of central's own log. */
import { randomUUID } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import { v7 } from 'uuid';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import { claimEpoch } from './agents.ts';
import type { SqlDialect } from './dialect.ts';
import { insertOnce } from './insert-once.ts';
import type { Tables } from './tables.ts';
import { takeLock, transact } from './transact.ts';

/**
 * Another file under it means that it was restored: then it must not pass for the one before. `isRestored`: a person says so, where the
 * database's own marks do not tell. A restored store goes on in a new epoch of central's own: what it has lost of the one before was
 * heard by others, and the same keys must not come to be of other events. A second process on the same store finds all as it is.
 */
export async function identity(
  db: Kysely<Tables>,
  dialect: SqlDialect,
  now: Date,
  isRestored = false,
): Promise<{ readonly incarnation: string }> {
  const file = await dialect.identity(db);
  const self = await transact(db, async (trx) => {
    await takeLock(trx, 'registry');
    const rows = await trx.selectFrom('meta').selectAll().execute();
    const meta = new Map(rows.map((row) => [row.name, row.value]));
    const same = meta.get('file') === file && !isRestored;
    const begun = same ? meta.get('epoch') : undefined;
    const epoch = begun ?? v7({ msecs: now.getTime() });
    const incarnation = same ? (meta.get('incarnation') ?? randomUUID()) : randomUUID();
    for (const [name, value] of Object.entries({ epoch, incarnation, file })) {
      if (meta.get(name) === value) continue;
      await insertOnce(trx, 'meta', [{ name, value }]);
      await trx.updateTable('meta').set({ value }).where('name', '=', name).execute();
    }
    // The first is known before all agents. A later one is once it holds an event: a file that looks restored at each start adds none.
    if (!meta.has('epoch')) await claimEpoch(trx, CENTRAL_AGENT, epoch);
    return { incarnation };
  });
  dialect.expect(file);
  return self;
}

/** Of the transaction in which it is used: another process may have said meanwhile that the store was restored. */
export async function ownEpoch(trx: Transaction<Tables>): Promise<string> {
  const { value } = await trx.selectFrom('meta').select('value').where('name', '=', 'epoch').executeTakeFirstOrThrow();
  return value;
}
