import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dueSyncs, openPlan, step, take } from '../../../src/agent/publisher/plan.ts';
import type { Plan, PlanInput, PlanRules } from '../../../src/agent/publisher/plan-state.ts';

/** What a broker does with a message above its limit. */
type Manner = 'refuses' | 'drops' | 'closes';

interface House {
  readonly manner: Manner;
  readonly limitBytes: number;
  readonly sizes: readonly number[];
}

const EPOCH = 'e';
const rules: PlanRules = {
  confirm: 'store',
  batchEvents: 64,
  window: 3,
  unconfirmedEvents: 200,
  syncAnswerMs: 300,
  openAfterMs: 300,
  syncAfterMs: 1_000,
  stalledAfterMs: 10_000,
};

/** Runs links until central holds all; what of it, in how many links and questions, and the sizes of all batches. */
function run({ manner, limitBytes, sizes }: House, most: number, centralFrom = 0) {
  const held = new Set<number>();
  const batches: number[] = [];
  const head = () => [{ epoch: EPOCH, firstSeq: 1, lastSeq: sizes.length, storedSeq: mark() }];
  const mark = () => {
    let seq = 0;
    while (held.has(seq + 1)) seq++;
    return seq;
  };
  const bytesOf = (from: number, to: number) => sizes.slice(from - 1, to).reduce((sum, size) => sum + size, 0);
  /** `untilFirst`: links and questions before anything had come through. */
  const seen = { links: 1, questions: 0, untilFirst: 0 };
  let now = 0;
  let plan: Plan = openPlan(head(), rules, now);
  const apply = (input: PlanInput) => {
    plan = step(plan, input, now, rules);
  };
  const answer = () => {
    const need = Array.from(sizes, (_, i) => i + 1).filter((seq) => !held.has(seq));
    apply({ type: 'stored', epoch: EPOCH, seq: mark(), need: need.slice(0, 64).map((seq) => [seq, seq] as const) });
  };
  const fly = (): boolean => {
    const next = take(plan, now, rules);
    if (next === null) return false;
    plan = next[0];
    const { id: flight, from, to } = next[1];
    const bytes = bytesOf(from, to);
    batches.push(to - from + 1);
    apply({ type: 'weighed', flight, bytes });
    const fits = bytes <= limitBytes;
    if (!fits && manner === 'closes') {
      seen.links++;
      plan = openPlan(head(), rules, now, plan.limit);
      return true;
    }
    if (!fits && manner === 'refuses') apply({ type: 'too large', flight, bytes });
    else apply({ type: 'acked', flight });
    if (!fits || now < centralFrom) return true;
    if (held.size === 0) seen.untilFirst = seen.links + seen.questions;
    for (let seq = from; seq <= to; seq++) held.add(seq);
    answer();
    return true;
  };
  for (let round = 0; round < most && mark() < sizes.length; round++) {
    now += 500;
    apply({ type: 'tick' });
    for (const epoch of dueSyncs(plan, now, rules)) {
      seen.questions++;
      apply({ type: 'synced', epoch });
      if (now >= centralFrom) answer();
    }
    for (let sent = 0; sent < 1_000 && fly(); sent++);
  }
  return { ...seen, batches, isDone: mark() === sizes.length };
}

const manners = fc.constantFrom<Manner>('refuses', 'drops', 'closes');
const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 200 });

test('whatever limit a broker has, and however it shows, events that fit alone are all stored in the end', () => {
  fc.assert(
    fc.property(manners, sizes, fc.nat({ max: 2_000 }), (manner, all, more) => {
      const house = { manner, sizes: all, limitBytes: Math.max(...all) + more };
      expect(run(house, 3_000).isDone).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('where all are of a size it takes no more than the logarithm of a batch until the first come through', () => {
  fc.assert(
    fc.property(manners, fc.integer({ min: 1, max: 64 }), (manner, fitting) => {
      const { isDone, links, questions, untilFirst } = run(
        { manner, sizes: Array(fitting).fill(10), limitBytes: 10 },
        200,
      );
      expect(isDone).toBe(true);
      // The first link and question, twice before anything is thought, and then the halves.
      expect(untilFirst).toBeLessThanOrEqual(2 * (3 + Math.log2(rules.batchEvents)));
      // Larger ones are tried again, ever more seldom.
      const tries = 2 * (2 + Math.log2(fitting));
      expect(links + questions).toBeLessThanOrEqual(2 * (3 + Math.log2(rules.batchEvents)) + 2 * tries);
    }),
    { numRuns: 100 },
  );
});

test('a broker without a limit sees no smaller batches, also where central was away for long', () => {
  fc.assert(
    fc.property(manners, sizes, fc.integer({ min: 0, max: 60_000 }), (manner, all, centralFrom) => {
      const { isDone, batches } = run({ manner, sizes: all, limitBytes: Number.POSITIVE_INFINITY }, 3_000, centralFrom);
      expect(isDone).toBe(true);
      const full = all.length % rules.batchEvents;
      expect(batches.filter((size) => size !== rules.batchEvents && size !== full)).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
