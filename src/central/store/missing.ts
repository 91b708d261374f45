/** How many events are missing of each epoch: of all epochs in few queries, a page of runs at a time. */
import type { SeqRange } from '../../contract/message.ts';
import type { Db } from './agents.ts';
import type { EpochTable } from './tables.ts';
import { MAX_RUNS, missingAmong } from './walk.ts';

/** Runs of one query. */
export const PAGE_RUNS = 4_000;

type OfEpoch = readonly [epochNo: number, runs: readonly SeqRange[]];

/** By the number of the epoch, as `missingRanges` tells it of one; an epoch that knows of no more than its mark is not there. */
export async function countMissing(db: Db, epochs: readonly EpochTable[]): Promise<ReadonlyMap<number, number>> {
  const missing = new Map<number, number>();
  const behind = epochs.filter((epoch) => epoch.highest_seq > epoch.mark).sort((a, b) => a.no - b.no);
  if (behind.length === 0) return missing;
  const [islands, gaps] = [inStep(runsAboveMarks(db, 'island')), inStep(runsAboveMarks(db, 'gap'))];
  for (const epoch of behind) {
    const ranges = missingAmong(epoch, [await islands(epoch.no), await gaps(epoch.no)]);
    missing.set(
      epoch.no,
      ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0),
    );
  }
  return missing;
}

/** Of all epochs that know of more than their mark, in the order of their numbers; of one of them the first MAX_RUNS. */
async function* runsAboveMarks(db: Db, table: 'island' | 'gap'): AsyncGenerator<OfEpoch> {
  let epochNo = 0;
  let runs: SeqRange[] = [];
  for (let after = -1; ; ) {
    const rows = await page(db, table, epochNo, after);
    for (const row of rows) {
      if (row.epoch_no !== epochNo) {
        yield [epochNo, runs];
        [epochNo, runs] = [row.epoch_no, []];
      }
      if (runs.length < MAX_RUNS) runs.push([row.from_seq, row.to_seq]);
    }
    if (rows.length < PAGE_RUNS) break;
    // Of one that is full the rest is passed over.
    after = runs.length < MAX_RUNS ? (rows.at(-1)?.from_seq ?? after) : Number.MAX_SAFE_INTEGER;
  }
  yield [epochNo, runs];
}

function page(db: Db, table: 'island' | 'gap', epochNo: number, after: number) {
  return db
    .selectFrom(table)
    .innerJoin('epoch', 'epoch.no', 'epoch_no')
    .select(['epoch_no', 'from_seq', 'to_seq'])
    .whereRef('highest_seq', '>', 'mark')
    .whereRef('to_seq', '>', 'mark')
    .where('epoch_no', '>=', epochNo)
    .where((eb) => eb.or([eb('epoch_no', '>', epochNo), eb('from_seq', '>', after)]))
    .orderBy('epoch_no')
    .orderBy('from_seq')
    .limit(PAGE_RUNS)
    .execute();
}

/** For who asks for epochs in the order in which the source tells of them. */
function inStep(source: AsyncGenerator<OfEpoch>): (epochNo: number) => Promise<readonly SeqRange[]> {
  let [at, runs]: OfEpoch = [0, []];
  return async (epochNo) => {
    while (at < epochNo) {
      const next = await source.next();
      [at, runs] = next.done === true ? [Number.POSITIVE_INFINITY, []] : next.value;
    }
    return at === epochNo ? runs : [];
  };
}
