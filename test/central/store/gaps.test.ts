/** Gaps against a model of them: what is lost, number by number. */
import fc from 'fast-check';
import type { Kysely } from 'kysely';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { addGaps, fillGap, type GapRoom, PAGE_GAPS } from '../../../src/central/store/gaps.ts';
import type { Tables } from '../../../src/central/store/tables.ts';
import { transact } from '../../../src/central/store/transact.ts';
import type { SeqRange } from '../../../src/contract/message.ts';
import { freshUrl, runs, withDatabase } from '../engines/fresh.ts';
import { epochId, meowing, NOW } from './events.ts';
import { countingRows } from './rows-read.ts';

const LAST = 24;
const REASONS = ['disk budget', 'rejected: is no event', 'rejected: no time'];
const LATER = '2026-11-23T13:00:00.000Z';

type Gap = Tables['gap'];
type Act =
  | { readonly type: 'add'; readonly seqs: readonly number[]; readonly reason: string }
  | { readonly type: 'fill'; readonly seq: number };

/** With the number of an epoch that the store knows. */
async function withGaps(work: (db: Kysely<Tables>, epochNo: number) => Promise<void>): Promise<void> {
  const url = await freshUrl();
  const store = await openStore({ url });
  await store.ingest(meowing('porch', epochId(1), 1).batch(1, 1), NOW);
  await store.ingest(meowing('porch', epochId(2), 1).batch(1, 1), NOW);
  await store.close();
  await withDatabase(url, async (db) => {
    const { no } = await db.selectFrom('epoch').select('no').where('epoch', '=', epochId(1)).executeTakeFirstOrThrow();
    const other = await db.selectFrom('epoch').select('no').where('no', '!=', no).executeTakeFirstOrThrow();
    // Of another epoch: nothing here concerns it.
    const theirs = { epoch_no: other.no, from_seq: 1, to_seq: LAST, reason: 'theirs', noted: NOW };
    await db.insertInto('gap').values(theirs).execute();
    await work(db, no);
    const left = await db.selectFrom('gap').selectAll().where('epoch_no', '=', other.no).execute();
    expect(left).toEqual([theirs]);
  });
}

function gapsOf(db: Kysely<Tables>, epochNo: number): Promise<Gap[]> {
  return db.selectFrom('gap').selectAll().where('epoch_no', '=', epochNo).orderBy('from_seq').execute();
}

const spans = async (db: Kysely<Tables>, epochNo: number) =>
  (await gapsOf(db, epochNo)).map(({ from_seq, to_seq, reason }) => [from_seq, to_seq, reason]);

/** Sorted numbers as ranges, as the agent tells them. */
function rangesOf(seqs: readonly number[]): SeqRange[] {
  const ranges: [number, number][] = [];
  for (const seq of seqs) {
    const last = ranges.at(-1);
    if (last?.[1] === seq - 1) last[1] = seq;
    else ranges.push([seq, seq]);
  }
  return ranges;
}

describe('gaps', () => {
  it('hold each lost number once, with the reason that was told first, whatever is told and comes after all', async () => {
    const seq = fc.integer({ min: 1, max: LAST });
    const seqs = fc.uniqueArray(seq, { maxLength: 12 }).map((all) => all.sort((a, b) => a - b));
    const act: fc.Arbitrary<Act> = fc.oneof(
      fc.record({ type: fc.constant('add' as const), seqs, reason: fc.constantFrom(...REASONS) }),
      fc.record({ type: fc.constant('fill' as const), seq }),
    );
    await withGaps(async (db, epochNo) => {
      const property = fc.asyncProperty(fc.array(act, { maxLength: 12 }), async (acts) => {
        await db.deleteFrom('gap').where('epoch_no', '=', epochNo).execute();
        const model = new Map<number, string>();
        for (const one of acts) {
          await transact(db, (trx) =>
            one.type === 'add'
              ? addGaps(trx, epochNo, rangesOf(one.seqs), one.reason, NOW)
              : fillGap(trx, epochNo, one.seq, 'rejected: '),
          );
          if (one.type === 'add') {
            for (const lost of one.seqs) if (!model.has(lost)) model.set(lost, one.reason);
          } else if (model.get(one.seq)?.startsWith('rejected: ') === true) model.delete(one.seq);
          const rows = await gapsOf(db, epochNo);
          const held = rows.flatMap(({ from_seq, to_seq, reason }) =>
            Array.from({ length: to_seq - from_seq + 1 }, (_, i) => [from_seq + i, reason] as const),
          );
          expect(rows.every(({ from_seq, to_seq }) => from_seq <= to_seq)).toBe(true);
          expect(held).toEqual([...model].sort(([a], [b]) => a - b));
        }
      });
      await fc.assert(property, { numRuns: runs(150) });
    });
  });

  it('grow where the same is told of what follows, so that a loss a number at a time is one row', async () => {
    await withGaps(async (db, epochNo) => {
      const add = (ranges: readonly SeqRange[], reason: string, now = NOW) =>
        transact(db, (trx) => addGaps(trx, epochNo, ranges, reason, now));
      await add([[3, 4]], 'a');
      await add([[5, 5]], 'a', LATER);
      expect(await gapsOf(db, epochNo)).toMatchObject([{ from_seq: 3, to_seq: 5, reason: 'a', noted: LATER }]);
      // Another reason, or not the next number: a gap of its own.
      await add([[6, 6]], 'b');
      await add([[8, 9]], 'b');
      expect(await spans(db, epochNo)).toEqual([
        [3, 5, 'a'],
        [6, 6, 'b'],
        [8, 9, 'b'],
      ]);
      // What is known already makes none longer, and what lies between is told of it.
      await add([[3, 9]], 'b');
      await add([], 'b');
      expect(await spans(db, epochNo)).toEqual([
        [3, 5, 'a'],
        [6, 7, 'b'],
        [8, 9, 'b'],
      ]);
    });
  });

  it('are told exactly over many pages of them, and what lies between what is told is passed over', async () => {
    await withGaps(async (db, epochNo) => {
      // Every second number up to the end, and in the last page as many as fit.
      const count = 4 * PAGE_GAPS;
      const end = 2 * count;
      const singles = Array.from({ length: count }, (_, i): SeqRange => [2 + 2 * i, 2 + 2 * i]);
      const { db: counted, of } = countingRows(db);
      const add = (ranges: readonly SeqRange[], reason: string, room?: GapRoom) =>
        of(() => transact(counted, (trx) => addGaps(trx, epochNo, ranges, reason, NOW, room)));
      await add(singles, 'a');
      const far: readonly SeqRange[] = [
        [1, 1],
        [2 * PAGE_GAPS + 1, 2 * PAGE_GAPS + 4],
        [end - 1, end + 3],
      ];
      expect(await add(far, 'b')).toBeLessThan(3 * (PAGE_GAPS + 3));
      const told = async () => (await spans(db, epochNo)).filter(([, , reason]) => reason !== 'a');
      const some = [
        [1, 1, 'b'],
        [2 * PAGE_GAPS + 1, 2 * PAGE_GAPS + 1, 'b'],
        [2 * PAGE_GAPS + 3, 2 * PAGE_GAPS + 3, 'b'],
        [end - 1, end - 1, 'b'],
        [end + 1, end + 3, 'b'],
      ] as const;
      expect(await told()).toEqual(some);
      // Without room for all of it nothing is noted.
      const seen = new Set(some.map(([from]) => from));
      const rest = singles.map(([from]) => from - 1).filter((seq) => !seen.has(seq));
      const pages = 5;
      const needed = count + some.length + pages + rest.length;
      const refusal = { code: 'REFUSED' };
      await expect(add([[1, end]], 'c', { rows: needed - 2 * PAGE_GAPS })).rejects.toMatchObject(refusal);
      await expect(add([[1, end]], 'c', { rows: PAGE_GAPS })).rejects.toMatchObject(refusal);
      expect(await told()).toEqual(some);
      const room = { rows: needed };
      await add([[1, end]], 'c', room);
      expect(room.rows).toBeGreaterThanOrEqual(0);
      expect((await told()).filter(([, , reason]) => reason === 'c')).toEqual(rest.map((seq) => [seq, seq, 'c']));
    });
  });

  it('lose only what has come, and only where the reason is one that an event may mend', async () => {
    await withGaps(async (db, epochNo) => {
      const fill = (seq: number) => transact(db, (trx) => fillGap(trx, epochNo, seq, 'rejected: '));
      await transact(db, (trx) => addGaps(trx, epochNo, [[2, 6]], 'rejected: x', NOW));
      await transact(db, (trx) => addGaps(trx, epochNo, [[8, 9]], 'told', NOW));
      for (const seq of [1, 7, 8, 9, 10]) await fill(seq);
      expect(await spans(db, epochNo)).toEqual([
        [2, 6, 'rejected: x'],
        [8, 9, 'told'],
      ]);
      for (const seq of [4, 2, 6]) await fill(seq);
      expect(await gapsOf(db, epochNo)).toMatchObject([
        { from_seq: 3, to_seq: 3, reason: 'rejected: x', noted: NOW },
        { from_seq: 5, to_seq: 5, reason: 'rejected: x', noted: NOW },
        { from_seq: 8, to_seq: 9 },
      ]);
      await fill(3);
      await fill(5);
      expect(await spans(db, epochNo)).toEqual([[8, 9, 'told']]);
    });
  });
});
