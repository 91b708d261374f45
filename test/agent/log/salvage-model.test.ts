/** Whatever groups are damaged, in whatever epochs: what a salvage saves, numbers and tells is worked out here another way. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openHeadWitness } from '../../../src/agent/log/head-witness.ts';
import { openLogReader } from '../../../src/agent/log/open-log-reader.ts';
import { salvage } from '../../../src/agent/log/salvage.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import { lostRanges } from '../../../src/contract/lost.ts';
import { levels, openLog, readAll, T0, tempFolder, timeAt } from './log-fixture.ts';

/** Of an epoch: the events of each group and whether it is damaged, and how far central has confirmed. */
interface Planned {
  readonly groups: readonly (readonly [events: number, isDamaged: boolean])[];
  readonly confirmed: number;
}

const planned: fc.Arbitrary<Planned> = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.boolean()), { maxLength: 5 })
  .chain((groups) => fc.record({ groups: fc.constant(groups), confirmed: fc.nat({ max: sizeOf(groups) }) }));

const sizeOf = (groups: Planned['groups']) => groups.reduce((sum, [events]) => sum + events, 0);
const when = { time: timeAt(T0), clock: 'synced', boot: null, monoMs: null } as const;

/** As it must be afterwards. */
function expected({ groups, confirmed }: Planned, onlyUnconfirmed: boolean) {
  const size = sizeOf(groups);
  const kept: number[] = [];
  const lost: number[] = [];
  let through = 0;
  for (const [events, isDamaged] of groups) {
    const seqs = Array.from({ length: events }, (_, i) => through + 1 + i);
    through += events;
    if (isDamaged) lost.push(...seqs.filter((seq) => seq > confirmed));
    else if (!onlyUnconfirmed || through > confirmed) kept.push(...seqs);
  }
  return { kept, lost, head: { firstSeq: kept[0] ?? size + 1, lastSeq: size, storedSeq: confirmed } };
}

it('saves all whole groups under their numbers, and tells of the others what central does not have', async () => {
  const folder = tempFolder();
  let files = 0;
  const plans = fc.array(planned, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(plans, fc.boolean(), async (epochs, onlyUnconfirmed) => {
      files += 1;
      const [path, target] = [join(folder, `${files}.db`), join(folder, `${files}.saved`)];
      const log = await openLog(path);
      const damaged: number[] = [];
      let pos = 0;
      for (const [i, { groups }] of epochs.entries()) {
        if (i > 0) await log.startEpoch('test');
        for (const [events, isDamaged] of groups) {
          await log.append(levels(events, pos * 1_000));
          if (isDamaged) damaged.push(pos + 1 + (pos % events));
          pos += events;
        }
      }
      const heads = log.epochs();
      for (const [i, { confirmed }] of epochs.entries()) log.saveMark(heads[i]?.epoch ?? '', confirmed, 'central');
      const all = await readAll(log);
      const ends = await Promise.all(heads.map(({ epoch, lastSeq }) => log.chainAt(epoch, lastSeq)));
      await log.close();
      const db = new Database(path);
      db.exec(`UPDATE event SET data = '{"level":0}' WHERE pos IN (${damaged.join()})`);
      db.close();
      const witness = openHeadWitness(path);
      const options = { path, target, agent: 'porch', head: witness.found, onlyUnconfirmed };
      witness.close();
      const outcome = await salvage(options, { when: () => when, newEpochId: () => 'new' });

      const right = epochs.map((plan) => expected(plan, onlyUnconfirmed));
      const named = right.map((one, i) => ({ ...one, epoch: heads[i]?.epoch ?? '' }));
      expect(outcome.saved).toBe(right.reduce((sum, { kept }) => sum + kept.length, 0));
      expect(
        outcome.lost.flatMap((one) => (lostRanges({ ...one }) ?? []).map((range) => [one.epoch, ...range])),
      ).toEqual(named.flatMap(({ epoch, lost }) => rangesOf(lost).map((range) => [epoch, ...range])));
      const reader = openLogReader(target);
      const saved = reader.epochs();
      expect(saved.slice(0, epochs.length)).toMatchObject(named.map(({ epoch, head }) => ({ epoch, ...head })));
      const read = (await readAll(reader)).filter(({ type }) => type !== 'collard.history.lost');
      expect(read).toEqual(
        named.flatMap(({ epoch, kept }) => all.filter((e) => e.epoch === epoch && kept.includes(e.seq))),
      );
      const chains = await Promise.all(heads.map(({ epoch, lastSeq }) => reader.chainAt(epoch, lastSeq)));
      expect(chains.map((hash) => hash && chainHex(hash))).toEqual(ends.map((hash) => hash && chainHex(hash)));
      reader.close();
    }),
    { numRuns: 30 },
  );
});

/** Runs of numbers that follow each other. */
function rangesOf(seqs: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const seq of seqs) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === seq - 1) last[1] = seq;
    else ranges.push([seq, seq]);
  }
  return ranges;
}
