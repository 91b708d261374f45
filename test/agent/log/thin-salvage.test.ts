/** A log that was thinned is read as before, and what is damaged in it costs no more than it would cost elsewhere. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { NewEvent } from '../../../src/contract/event.ts';
import { event, levels, openLog, readAll, T0, tempFolder, tempPath } from './log-fixture.ts';

const pad = 'x'.repeat(600);
const KINDS = {
  sensor: (i: number) => event('sensor.failed', { source: 's', reason: `${i} ${pad}` }, i),
  battery: (i: number) => event('battery.low', { percent: i }, i),
  started: (i: number) => event('meow.started', { level: i }, i),
  moved: (i: number) => event('cat.moved', { from: null, to: `${i} ${pad}` }, i),
  ended: (i: number) => event('meow.ended', { durationMs: i, peakG: 1, readings: 9, place: pad }, i),
};
type Run = readonly [kind: keyof typeof KINDS, times: number];

const run = fc.tuple(
  fc.constantFrom(...(Object.keys(KINDS) as (keyof typeof KINDS)[])),
  fc.integer({ min: 1, max: 40 }),
);
const commits = fc.array(fc.array(run, { minLength: 1, maxLength: 6 }), { minLength: 20, maxLength: 40 });

const eventsOf = (runs: readonly Run[], first: number): NewEvent[] =>
  runs.flatMap(([kind, times]) => Array.from({ length: times }, () => kind)).map((kind, i) => KINDS[kind](first + i));

it('is read as before where what was given up later lies right before what was given up first', async () => {
  const log = await openLog(tempPath(), { budgetBytes: 100_000 });
  for (let i = 0; i < 60; i += 1) {
    const runs: Run[] = [
      ['moved', 1],
      ['battery', 20],
      ['sensor', 20],
    ];
    await log.append(eventsOf(runs, i * 41));
  }
  await log.trim(T0);
  const left = await readAll(log);
  const types = new Set(left.map(({ type }) => type));
  expect([...types].sort()).toEqual(['collard.cat.moved', 'collard.history.lost']);
  await log.close();
});

it('loses by damage what lies between two kept hashes, and nothing behind a hole', async () => {
  const folder = tempFolder();
  let files = 0;
  await fc.assert(
    fc.asyncProperty(
      commits,
      fc.integer({ min: 100, max: 400 }),
      fc.integer({ min: 2, max: 20 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.boolean(),
      async (groups, budgetKb, trimEvery, where, isConfirmed) => {
        const path = join(folder, `${++files}.db`);
        const log = await openLog(path, { budgetBytes: budgetKb * 1_000, keepDays: 0 });
        const epoch = log.epochs()[0]?.epoch ?? '';
        for (const [i, group] of groups.entries()) {
          const { lastSeq } = await log.append(eventsOf(group, i * 1_000));
          if (i % trimEvery > 0) continue;
          if (isConfirmed) log.saveMark(epoch, Math.floor(lastSeq / 3), 'incarnation');
          await log.trim(T0);
        }
        await log.trim(T0);
        await log.append(levels(1));
        const seqs = (await readAll(log)).map(({ seq }) => seq);
        await log.close();
        const victim = seqs[Math.floor((seqs.length - 1) * where)] ?? 1;
        const db = new Database(path);
        const kept = db.prepare<[], number>('SELECT pos FROM chain ORDER BY pos').pluck().all();
        db.prepare('DELETE FROM event WHERE pos = ?').run(victim);
        db.close();
        writeFileSync(`${path}.suspect`, '');
        const again = await openLog(path);
        const left = new Set((await readAll(again)).filter((one) => one.epoch === epoch).map(({ seq }) => seq));
        await again.close();
        const after = Math.max(0, ...kept.filter((pos) => pos < victim));
        const through = kept.find((pos) => pos >= victim) ?? victim;
        expect(seqs.filter((seq) => !left.has(seq))).toEqual(seqs.filter((seq) => seq > after && seq <= through));
      },
    ),
    { numRuns: 6 },
  );
}, 60_000);
