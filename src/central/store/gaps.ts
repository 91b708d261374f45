/** What will never come. The rows of an epoch do not overlap, so that one look-up tells whether a seq is lost. */
import type { Transaction } from 'kysely';
import type { SeqRange } from '../../contract/message.ts';
import { insertOnce } from './insert-once.ts';
import type { Tables } from './tables.ts';

type Trx = Transaction<Tables>;
type Gap = Tables['gap'];

/** How the reason of a gap begins whose event is in quarantine. */
export const REJECTED = 'rejected: ';

const BEYOND_ALL = { from_seq: Number.POSITIVE_INFINITY, to_seq: Number.POSITIVE_INFINITY };

/** Notes what of `ranges` (sorted) is not noted yet. What goes on where a gap of the same reason ends makes that one longer. */
export async function addGaps(
  trx: Trx,
  epochNo: number,
  ranges: readonly SeqRange[],
  reason: string,
  now: string,
): Promise<void> {
  const first = ranges[0];
  const last = ranges.at(-1);
  if (first === undefined || last === undefined) return;
  const known = await gapsNear(trx, epochNo, first[0], last[1]);
  const fresh = subtract(ranges, known);
  const start = fresh[0];
  const before = known.find((gap) => gap.to_seq + 1 === start?.[0] && gap.reason === reason);
  if (start !== undefined && before !== undefined) {
    await trx.deleteFrom('gap').where('epoch_no', '=', epochNo).where('from_seq', '=', before.from_seq).execute();
    fresh[0] = [before.from_seq, start[1]];
  }
  const rows = fresh.map(([from_seq, to_seq]) => ({ epoch_no: epochNo, from_seq, to_seq, reason, noted: now }));
  await insertOnce(trx, 'gap', rows);
}

/** One event of a gap has come after all. Gaps of other reasons stay as they were told. */
export async function fillGap(trx: Trx, epochNo: number, seq: number, reasonStart: string): Promise<void> {
  const gap = (await gapsNear(trx, epochNo, seq, seq)).find((one) => one.from_seq <= seq && seq <= one.to_seq);
  if (gap?.reason.startsWith(reasonStart) !== true) return;
  await trx.deleteFrom('gap').where('epoch_no', '=', epochNo).where('from_seq', '=', gap.from_seq).execute();
  const left = { ...gap, to_seq: seq - 1 };
  const right = { ...gap, from_seq: seq + 1 };
  await insertOnce(
    trx,
    'gap',
    [left, right].filter((one) => one.from_seq <= one.to_seq),
  );
}

/** The gaps within [from, to], and the one before them. */
export async function gapsNear(trx: Trx, epochNo: number, from: number, to: number): Promise<Gap[]> {
  const ofEpoch = trx.selectFrom('gap').selectAll().where('epoch_no', '=', epochNo);
  const before = await ofEpoch.where('from_seq', '<', from).orderBy('from_seq', 'desc').limit(1).execute();
  const within = await ofEpoch.where('from_seq', '>=', from).where('from_seq', '<=', to).orderBy('from_seq').execute();
  return [...before, ...within];
}

/** Both are sorted: one pass. */
function subtract(ranges: readonly SeqRange[], gaps: readonly Gap[]): SeqRange[] {
  const left: SeqRange[] = [];
  const gapAt = (i: number) => gaps[i] ?? BEYOND_ALL;
  let at = 0;
  for (const [from, to] of ranges) {
    let next = from;
    while (gapAt(at).to_seq < from) at += 1;
    for (let i = at; gapAt(i).from_seq <= to; i += 1) {
      const gap = gapAt(i);
      if (gap.from_seq > next) left.push([next, gap.from_seq - 1]);
      next = Math.max(next, gap.to_seq + 1);
    }
    if (next <= to) left.push([next, to]);
  }
  return left;
}
