/** What is counted for ever of messages and events that were put aside, by agent and kind. */
import { sql, type Transaction } from 'kysely';
import { insertOnce } from './insert-once.ts';
import type { Tables } from './tables.ts';

/** `noted`: came; `dropped`: could not be kept, or had to go for room. Within a transaction. */
export async function countKept(
  trx: Transaction<Tables>,
  agent: string,
  kind: string,
  more: { readonly noted?: number; readonly dropped?: number },
): Promise<void> {
  const { noted = 0, dropped = 0 } = more;
  await insertOnce(trx, 'quarantine_tally', [{ agent, kind, noted: 0, dropped: 0 }]);
  await trx
    .updateTable('quarantine_tally')
    .set({ noted: sql<number>`noted + ${noted}`, dropped: sql<number>`dropped + ${dropped}` })
    .where('agent', '=', agent)
    .where('kind', '=', kind)
    .execute();
}
