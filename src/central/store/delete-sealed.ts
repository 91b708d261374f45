/** The rows of a sealed segment, deleted in short transactions with others between them: live ingest waits no longer than one takes. */
import { setImmediate } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { KEPT_TYPES } from './expired.ts';
import type { SegmentTable, Tables } from './tables.ts';
import { transact } from './transact.ts';

/** Rows of one transaction. Not seqs: who numbers its events chooses how far they lie apart, and the rows are as many as it has sent. */
export const DELETE_ROWS = 2_000;

/** Goes on where a run before it has ended. Resolves when the segment is noted as done, or earlier once the signal aborts. */
export async function deleteSealed(
  db: Kysely<Tables>,
  segment: SegmentTable,
  signal: AbortSignal,
  step: (name: string) => void,
): Promise<void> {
  const { epoch_no, from_seq } = segment;
  for (let from = from_seq; ; ) {
    if (signal.aborted) return;
    const left = await rowsLeft(db, segment, from);
    const [first, last] = [left.at(0), left.at(-1)];
    if (first === undefined || last === undefined) break;
    await transact(db, async (trx) => {
      const old = trx.deleteFrom('event').where('epoch_no', '=', epoch_no).where('type', 'not in', KEPT_TYPES);
      await old.where('seq', '>=', first.seq).where('seq', '<=', last.seq).execute();
    });
    step('deleted');
    if (left.length < DELETE_ROWS) break;
    from = last.seq + 1;
    await setImmediate();
  }
  const noted = db.updateTable('segment').set({ done: 1 }).where('epoch_no', '=', epoch_no);
  await noted.where('from_seq', '=', from_seq).execute();
  step('done');
}

function rowsLeft(db: Kysely<Tables>, { epoch_no, to_seq }: SegmentTable, from: number) {
  return db
    .selectFrom('event')
    .select('seq')
    .where('epoch_no', '=', epoch_no)
    .where('seq', '>=', from)
    .where('seq', '<=', to_seq)
    .where('type', 'not in', KEPT_TYPES)
    .orderBy('seq')
    .limit(DELETE_ROWS)
    .execute();
}
