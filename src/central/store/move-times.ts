/** Moves rows of `event` to the times that hold now, once an agent has said what its clock was (`clocks.ts`). A piece at a time. */
import { type RawBuilder, sql, type Transaction } from 'kysely';
import { unsetOf } from '../../contract/clock.ts';
import { corrected, offsetOf, type Times } from './clocks.ts';
import { openShard } from './shard.ts';
import type { Tables } from './tables.ts';

type Trx = Transaction<Tables>;

/** Rows that one transaction looks at: others wait no longer than it takes. */
export const MOVED_ROWS = 2_000;
/** Rows of one statement. */
const UPDATED_ROWS = 100;

/** False: nothing is due. Else a piece was done, and there may be more. */
export async function moveTimes(trx: Trx): Promise<boolean> {
  const due = await trx
    .selectFrom('unset_clock')
    .innerJoin('epoch', 'epoch.no', 'unset_clock.epoch_no')
    .select(['unset_clock.epoch_no', 'unset_clock.boot', 'epoch.shard'])
    .where('unset_clock.due_seq', 'is not', null)
    .orderBy('unset_clock.epoch_no')
    .orderBy('unset_clock.boot')
    .limit(1)
    .executeTakeFirst();
  if (due === undefined) return false;
  // Nobody else stores events of it, or says something of its clock.
  await openShard(trx, due.shard);
  const { epoch_no, boot } = due;
  const run = trx.selectFrom('unset_clock').selectAll().where('epoch_no', '=', epoch_no).where('boot', '=', boot);
  const { agent_no: agentNo, due_seq, to_seq } = await run.executeTakeFirstOrThrow();
  if (due_seq === null) return true;
  const offsetMs = await offsetOf(trx, { agentNo, boot });
  const rows = await trx
    .selectFrom('event')
    .select(['seq', 'time', 'original_time', 'mono_ms'])
    .where('epoch_no', '=', epoch_no)
    .where('seq', '>=', due_seq)
    .where('seq', '<=', to_seq)
    .where('boot', '=', boot)
    .where('clock', '=', 'unsynced')
    .orderBy('seq')
    .limit(MOVED_ROWS)
    .execute();
  const moved = rows.flatMap(({ seq, time, original_time, mono_ms }) => {
    const unset = unsetOf({ clock: 'unsynced', boot, monoMs: mono_ms });
    const times = corrected(original_time ?? time, unset, offsetMs);
    return times.time === time && times.original_time === original_time ? [] : [{ seq, times }];
  });
  for (let at = 0; at < moved.length; at += UPDATED_ROWS)
    await update(trx, epoch_no, moved.slice(at, at + UPDATED_ROWS));
  const last = rows.at(-1)?.seq;
  const next = rows.length < MOVED_ROWS || last === undefined || last >= to_seq ? null : last + 1;
  const done = trx.updateTable('unset_clock').set({ due_seq: next }).where('epoch_no', '=', epoch_no);
  await done.where('boot', '=', boot).execute();
  return true;
}

interface Move {
  readonly seq: number;
  readonly times: Times;
}

async function update(trx: Trx, epochNo: number, moves: readonly Move[]): Promise<void> {
  const bySeq = (value: (times: Times) => string | null): RawBuilder<string> => {
    const cases = moves.map(({ seq, times }) => sql`when ${seq} then ${value(times)}`);
    return sql<string>`case seq ${sql.join(cases, sql` `)} end`;
  };
  await trx
    .updateTable('event')
    .set({ original_time: bySeq((times) => times.original_time), time: bySeq((times) => times.time) })
    .where('epoch_no', '=', epochNo)
    .where(
      'seq',
      'in',
      moves.map(({ seq }) => seq),
    )
    .execute();
}
