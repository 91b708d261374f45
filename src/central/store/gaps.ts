/** What will never come. The rows of an epoch do not overlap, so that one look-up tells whether a seq is lost. */
import type { Transaction } from 'kysely';
import type { SeqRange } from '../../contract/message.ts';
import { refused } from './agents.ts';
import { insertOnce } from './insert-once.ts';
import type { Tables } from './tables.ts';

type Trx = Transaction<Tables>;
type Gap = Tables['gap'];

/** How the reason of a gap begins whose event is in quarantine. */
export const REJECTED = 'rejected: ';

/**
 * Rows of gaps that the events of one batch may have read and added. A full batch of full `history.lost` events adds an eighth of it,
 * and an agent that tells what it has thinned passes few that it told before: beyond it is who has all of them read again and again.
 */
export const MAX_GAP_ROWS = 2_000_000;
/** Read at once: where losses lie far apart, what is told already between them is passed over. */
export const PAGE_GAPS = 250;

const BEYOND_ALL = { from_seq: Number.POSITIVE_INFINITY, to_seq: Number.POSITIVE_INFINITY };

/** What is left of MAX_GAP_ROWS; `addGaps` takes from it. */
export interface GapRoom {
  rows: number;
}

export function gapRoom(): GapRoom {
  return { rows: MAX_GAP_ROWS };
}

/**
 * Notes what of `ranges` (sorted) is not noted yet. What goes on where a gap of the same reason ends makes that one longer. Rejects
 * with code REFUSED where that takes more than there is room for.
 */
export async function addGaps(
  trx: Trx,
  epochNo: number,
  ranges: readonly SeqRange[],
  reason: string,
  now: string,
  room = gapRoom(),
): Promise<void> {
  const fresh = await unnoted(trx, epochNo, ranges, room);
  const start = fresh[0];
  if (start === undefined) return;
  take(room, fresh.length);
  const [before] = await gapsBefore(trx, epochNo, start[0]);
  if (before?.to_seq === start[0] - 1 && before.reason === reason) {
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
  const within = ofEpoch.where('from_seq', '>=', from).where('from_seq', '<=', to).orderBy('from_seq');
  return [...(await gapsBefore(trx, epochNo, from)), ...(await within.execute())];
}

/** The one that begins below `seq` and is nearest to it, where there is one. */
function gapsBefore(trx: Trx, epochNo: number, seq: number): Promise<Gap[]> {
  const below = trx.selectFrom('gap').selectAll().where('epoch_no', '=', epochNo).where('from_seq', '<', seq);
  return below.orderBy('from_seq', 'desc').limit(1).execute();
}

/** Both are sorted: one pass. */
async function unnoted(trx: Trx, epochNo: number, ranges: readonly SeqRange[], room: GapRoom): Promise<SeqRange[]> {
  const left: SeqRange[] = [];
  const gapFrom = gapsAhead(trx, epochNo, ranges.at(-1)?.[1] ?? 0, room);
  for (const [from, to] of ranges) {
    for (let next = from; next <= to; ) {
      const gap = await gapFrom(next);
      if (gap.from_seq > next) left.push([next, Math.min(to, gap.from_seq - 1)]);
      next = gap.to_seq + 1;
    }
  }
  return left;
}

type Span = Pick<Gap, 'from_seq' | 'to_seq'>;

/** Tells the first gap that ends at or behind a number, which rises from call to call up to `last`. */
function gapsAhead(trx: Trx, epochNo: number, last: number, room: GapRoom): (seq: number) => Promise<Span> {
  let page: readonly Span[] = [];
  let [at, readTo] = [0, 0];
  const gapAt = (i: number) => page[i] ?? BEYOND_ALL;
  const read = async (seq: number) => {
    const ofEpoch = trx.selectFrom('gap').select(['from_seq', 'to_seq']).where('epoch_no', '=', epochNo);
    const behind = ofEpoch.where('from_seq', '>=', seq).where('from_seq', '<=', last).orderBy('from_seq');
    const rows = await behind.limit(PAGE_GAPS).execute();
    take(room, rows.length + 1);
    page = [...(await gapsBefore(trx, epochNo, seq)), ...rows];
    [at, readTo] = [0, rows.length < PAGE_GAPS ? last : gapAt(page.length - 1).to_seq];
  };
  return async (seq) => {
    if (seq > readTo) await read(seq);
    while (gapAt(at).to_seq < seq) at += 1;
    return gapAt(at);
  };
}

function take(room: GapRoom, rows: number): void {
  room.rows -= rows;
  if (room.rows < 0) throw refused(`what it tells as lost takes more than ${MAX_GAP_ROWS} rows of gaps to be noted`);
}
