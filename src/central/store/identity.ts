/** Who a store is: the incarnation that agents know it by, and the epoch of central's own log. */
import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import { v7 } from 'uuid';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import { claimEpoch } from './agents.ts';
import type { SqlDialect } from './dialect.ts';
import { insertOnce } from './insert-once.ts';
import type { Tables } from './tables.ts';
import { takeLock, transact } from './transact.ts';

/**
 * Another file under it means that it was restored: then it must not pass for the one before. `isRestored`: a person says so, where the
 * database's own marks do not tell.
 */
export async function identity(
  db: Kysely<Tables>,
  dialect: SqlDialect,
  now: Date,
  isRestored = false,
): Promise<{ readonly incarnation: string; readonly epoch: string }> {
  const file = await dialect.identity(db);
  const self = await transact(db, async (trx) => {
    await takeLock(trx, 'registry');
    const rows = await trx.selectFrom('meta').selectAll().execute();
    const meta = new Map(rows.map((row) => [row.name, row.value]));
    const epoch = meta.get('epoch') ?? v7({ msecs: now.getTime() });
    const same = meta.get('file') === file && !isRestored;
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
