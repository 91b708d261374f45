import { describe, expect, test } from 'vitest';
import { fullBatches } from '../../../src/agent/publisher/batch-limit.ts';
import { MAX_AGAIN } from '../../../src/agent/publisher/confirm.ts';
import {
  dueSyncs,
  isDeaf,
  isStalled,
  markOf,
  openPlan,
  step,
  take,
  untoldOf,
} from '../../../src/agent/publisher/plan.ts';
import type { Flight, LogSpan, Plan, PlanInput, PlanRules } from '../../../src/agent/publisher/plan-state.ts';

const rules: PlanRules = {
  confirm: 'store',
  batchEvents: 10,
  window: 4,
  unconfirmedEvents: 50,
  syncAnswerMs: 300,
  openAfterMs: 300,
  syncAfterMs: 1_000,
  stalledAfterMs: 6_000,
};
const E = 'epoch-1';
const head = (lastSeq: number, storedSeq = 0, firstSeq = 1, epoch = E): LogSpan => ({
  epoch,
  firstSeq,
  lastSeq,
  storedSeq,
});

/** Applies inputs one after the other at the same time. */
function given(plan: Plan, now: number, ...inputs: readonly PlanInput[]): Plan {
  return inputs.reduce((next, input) => step(next, input, now, rules), plan);
}

function takeAll(plan: Plan, now: number, by: PlanRules = rules): { plan: Plan; flights: Flight[] } {
  const flights: Flight[] = [];
  let next = take(plan, now, by);
  while (next !== null) {
    plan = next[0];
    flights.push(next[1]);
    next = take(plan, now, by);
  }
  return { plan, flights };
}

const shown = (flights: readonly Flight[]) => flights.map(({ lane, from, to }) => `${lane} ${from}-${to}`);
const synced: PlanInput = { type: 'synced', epoch: E };
const stored = (seq: number, ...need: [number, number][]): PlanInput => ({ type: 'stored', epoch: E, seq, need });
const grown = (...epochs: LogSpan[]): PlanInput => ({ type: 'log', epochs });
const acks = (flights: readonly Flight[]): PlanInput[] => flights.map(({ id }) => ({ type: 'acked', flight: id }));

describe('at connect', () => {
  test('it asks for every epoch of the log, also for one that is stored and trimmed: central may have been put back', () => {
    const plan = openPlan([head(5, 5, 6, 'a'), head(5, 5, 1, 'b'), head(5, 3, 1, 'c'), head(0, 0, 1, 'd')], rules, 0);
    expect(dueSyncs(plan, 0, rules)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('it asks for one of which nothing is held any more, until central lets the mark pass', () => {
    const plan = given(openPlan([head(5, 3, 6), head(0, 0, 1, 'next')], rules, 0), 0);
    expect(dueSyncs(plan, 0, rules)).toEqual([E, 'next']);
    const asked = given(plan, 0, synced, { type: 'synced', epoch: 'next' });
    expect(dueSyncs(asked, 1_000, rules)).toEqual([E, 'next']);
    expect(isStalled(given(asked, 1, stored(5)), 9_000, rules)).toBe(false);
  });

  test('an answer that moves nothing is no reason to ask again at once', () => {
    const sent = takeAll(given(openPlan([head(5)], rules, 0), 0, synced, stored(0)), 0);
    const late = given(sent.plan, 1, ...acks(sent.flights));
    expect(dueSyncs(late, 2_000, rules)).toEqual([E]);
    const again = takeAll(given(late, 2_000, synced, stored(0, [1, 1])), 2_000);
    const answered = given(again.plan, 2_001, ...acks(again.flights));
    expect(dueSyncs(answered, 2_999, rules)).toEqual([]);
    expect(dueSyncs(answered, 3_000, rules)).toEqual([E]);
  });

  test('backlog waits for the answer, live events do not', () => {
    const plan = given(openPlan([head(100)], rules, 0), 0, synced, grown(head(103)));
    expect(shown(takeAll(plan, 1).flights)).toEqual(['events 101-103']);
  });

  test('the answer says what is sent: holes first, then what central never heard of', () => {
    const plan = given(openPlan([head(100)], rules, 0), 0, synced, stored(60, [61, 63], [70, 70]));
    expect(shown(takeAll(plan, 1).flights)).toEqual(['backlog 61-63', 'backlog 70-79', 'backlog 80-89']);
  });

  test('without an answer it sends from the mark that it remembers', () => {
    const plan = given(openPlan([head(100, 80)], rules, 0), 0, synced);
    expect(takeAll(given(plan, 299, { type: 'tick' }), 299).flights).toEqual([]);
    expect(shown(takeAll(given(plan, 300, { type: 'tick' }), 300).flights)).toEqual([
      'backlog 81-90',
      'backlog 91-100',
    ]);
  });

  test('a restored central gets what it lost although it was confirmed before', () => {
    const plan = given(openPlan([head(100, 100)], rules, 0), 0, synced, stored(70));
    expect(markOf(plan, E)).toBe(70);
    expect(shown(takeAll(plan, 1).flights)).toEqual(['backlog 71-80', 'backlog 81-90', 'backlog 91-100']);
  });

  test('older epochs go first', () => {
    const open = openPlan([head(5, 0, 1, 'a'), head(5)], rules, 0);
    const plan = given(open, 0, { type: 'synced', epoch: 'a' }, synced, stored(0), {
      type: 'stored',
      epoch: 'a',
      seq: 2,
      need: [],
    });
    const { flights } = takeAll(plan, 1);
    expect(flights.map(({ epoch, from, to }) => [epoch, from, to])).toEqual([
      ['a', 3, 5],
      [E, 1, 5],
    ]);
  });
});

describe('the window', () => {
  const open = () => given(openPlan([head(1_000)], rules, 0), 0, synced, stored(0));

  test('backlog leaves a slot for live events, and live goes first', () => {
    const first = takeAll(open(), 1);
    expect(shown(first.flights)).toEqual(['backlog 1-10', 'backlog 11-20', 'backlog 21-30']);
    const second = takeAll(given(first.plan, 2, grown(head(1_007))), 2);
    expect(shown(second.flights)).toEqual(['events 1001-1007']);
    const third = takeAll(given(second.plan, 3, grown(head(1_020)), ...acks(first.flights.slice(0, 1))), 3);
    expect(shown(third.flights)).toEqual(['events 1008-1017']);
  });

  test('a window of one still sends both', () => {
    const narrow = { ...rules, window: 1 };
    const first = takeAll(open(), 1, narrow);
    expect(shown(first.flights)).toEqual(['backlog 1-10']);
    const second = takeAll(given(first.plan, 2, grown(head(1_001)), ...acks(first.flights)), 2, narrow);
    expect(shown(second.flights)).toEqual(['events 1001-1001']);
  });

  test('backlog stops ahead of the mark and goes on when the mark moves', () => {
    let plan = open();
    const sent: Flight[] = [];
    for (let round = takeAll(plan, 1); round.flights.length > 0; round = takeAll(plan, 1)) {
      sent.push(...round.flights);
      plan = given(round.plan, 1, ...acks(round.flights));
    }
    expect(sent.at(-1)?.to).toBe(50);
    expect(shown(takeAll(given(plan, 2, stored(30)), 2).flights)).toEqual([
      'backlog 51-60',
      'backlog 61-70',
      'backlog 71-80',
    ]);
  });

  test('it does not stop before a hole that only a later event explains', () => {
    let plan = given(openPlan([head(1_000, 0, 200)], rules, 0), 0, synced, stored(0, [1, 1_000]));
    let last = 0;
    for (let round = takeAll(plan, 1); round.flights.length > 0; round = takeAll(plan, 1)) {
      last = round.flights.at(-1)?.to ?? last;
      plan = given(round.plan, 1, ...acks(round.flights));
    }
    expect(last).toBe(1_000);
  });
});

describe('marks', () => {
  const sent = () => {
    const first = takeAll(given(openPlan([head(30)], rules, 0), 0, synced, stored(0)), 1);
    return given(first.plan, 2, ...acks(first.flights));
  };

  test('need that only repeats what is on its way is not sent twice', () => {
    const plan = given(sent(), 3, stored(10, [11, 20]));
    expect(takeAll(plan, 3).flights).toEqual([]);
  });

  test('without progress it asks again, and the answer brings what the broker dropped', () => {
    expect(dueSyncs(sent(), 1_000, rules)).toEqual([E]);
    const asked = given(sent(), 1_000, synced);
    expect(dueSyncs(asked, 1_900, rules)).toEqual([]);
    expect(dueSyncs(asked, 2_000, rules)).toEqual([E]);
    const plan = given(asked, 1_100, stored(10, [11, 20]));
    expect(shown(takeAll(plan, 1_100).flights)).toEqual(['backlog 11-20']);
  });

  test('what was sent after the question is not sent again by its answer', () => {
    const asked = given(sent(), 1_000, synced, grown(head(35)));
    const live = takeAll(asked, 1_001);
    expect(shown(live.flights)).toEqual(['events 31-35']);
    const plan = given(live.plan, 1_002, ...acks(live.flights), stored(10, [11, 20], [31, 35]));
    expect(shown(takeAll(plan, 1_003).flights)).toEqual(['backlog 11-20']);
  });

  test('a lower mark out of turn is asked about, not believed', () => {
    const plan = given(sent(), 3, stored(30), stored(20));
    expect([markOf(plan, E), takeAll(plan, 3).flights, dueSyncs(plan, 3, rules)]).toEqual([30, [], [E]]);
    const answered = given(plan, 4, synced, stored(20));
    expect([markOf(answered, E), shown(takeAll(answered, 5).flights)]).toEqual([20, ['backlog 21-30']]);
  });

  test('the first mark of another store is believed, and what it misses is sent', () => {
    const plan = given(sent(), 3, stored(30), { type: 'stored', epoch: E, seq: 20, need: [], other: true });
    expect([markOf(plan, E), shown(takeAll(plan, 3).flights)]).toEqual([20, ['backlog 21-30']]);
  });

  test('marks of epochs that are not here change nothing', () => {
    expect(given(sent(), 3, { type: 'stored', epoch: 'other', seq: 5, need: [] })).toEqual(sent());
  });

  test('a disowned epoch is sent once and no longer waited for', () => {
    const open = given(openPlan([head(20)], rules, 0), 0, synced, grown(head(20), head(0, 0, 1, 'next')));
    const { plan, flights } = takeAll(given(open, 1, { type: 'disowned', epoch: E }), 1);
    expect(shown(flights)).toEqual(['backlog 1-10', 'backlog 11-20']);
    const later = given(plan, 2, ...acks(flights), stored(900));
    expect([dueSyncs(later, 9_000, rules), isStalled(later, 9_000, rules)]).toEqual([[], false]);
  });

  test('a disowned epoch of which all was sent is asked about once, and done with the answer', () => {
    const open = given(openPlan([head(20, 5)], rules, 0), 0, synced, grown(head(20, 5), head(0, 0, 1, 'next')));
    const disowned: PlanInput = { type: 'disowned', epoch: E };
    const { plan, flights } = takeAll(given(open, 1, disowned), 1);
    const half = given(plan, 2, ...acks(flights.slice(0, 1)), { type: 'tick' }, stored(900));
    expect([markOf(half, E), dueSyncs(half, 2, rules)]).toEqual([5, []]);
    const sent = given(half, 3, ...acks(flights.slice(1)), stored(900), disowned, { type: 'tick' });
    expect([markOf(sent, E), dueSyncs(sent, 3, rules)]).toEqual([5, []]);
    // The answer to a batch is none to the question, so that is asked when all has been quiet.
    const heard = given(sent, 900, stored(900));
    expect(dueSyncs(given(heard, 1_100, { type: 'tick' }), 1_100, rules)).toEqual([]);
    const quiet = given(heard, 1_900, { type: 'tick' });
    expect([markOf(quiet, E), dueSyncs(quiet, 1_900, rules)]).toEqual([5, [E]]);
    const asked = given(quiet, 1_900, synced, { type: 'tick' });
    expect([dueSyncs(asked, 1_901, rules), dueSyncs(asked, 3_000, rules)]).toEqual([[], [E]]);
    const done = given(asked, 3_001, stored(900), { type: 'tick' });
    expect([markOf(done, E), dueSyncs(done, 9_000, rules)]).toEqual([20, []]);
  });

  test('what is too large to be sent of a disowned epoch is not done', () => {
    const open = given(openPlan([head(20, 5)], rules, 0), 0, synced, { type: 'disowned', epoch: E });
    const { plan, flights } = takeAll(given(open, 1, grown(head(20, 5), head(0, 0, 1, 'next'))), 1);
    const large = given(plan, 2, { type: 'skipped', flight: flights[1]?.id ?? 0 }, ...acks(flights.slice(0, 1)));
    const done = given(large, 2_000, { type: 'tick' }, synced, stored(900), { type: 'tick' });
    expect([markOf(done, E), dueSyncs(done, 9_000, rules)]).toEqual([15, []]);
  });

  /** All of a disowned epoch was sent, all was quiet, and central was asked. */
  const asked = (span = head(20, 5)) => {
    const open = given(openPlan([span], rules, 0), 0, synced, grown(span, head(0, 0, 1, 'next')));
    const { plan, flights } = takeAll(given(open, 1, { type: 'disowned', epoch: E }), 1);
    return given(given(plan, 2, ...acks(flights)), 2_000, { type: 'tick' }, synced);
  };

  test('what central lacks of a disowned epoch is sent again: the broker took it and dropped it', () => {
    const lacking = given(asked(), 2_001, stored(12, [13, 15], [18, 40]));
    const { plan, flights } = takeAll(lacking, 2_001);
    expect([markOf(lacking, E), shown(flights)]).toEqual([5, ['backlog 13-15', 'backlog 18-20']]);
    const again = given(given(plan, 2_002, ...acks(flights)), 4_000, { type: 'tick' }, synced, stored(20));
    expect([markOf(again, E), dueSyncs(again, 9_000, rules)]).toEqual([20, []]);
  });

  /** An answer of central that names the batches that are not new to it. */
  const naming = (seq: number): PlanInput => ({ type: 'stored', epoch: E, seq, need: [], names: true });
  const came = (from: number, to: number): PlanInput => ({ type: 'came', epoch: E, from, to });

  test('of a disowned epoch what central does not name has not come, though it holds all numbers', () => {
    const named = given(asked(), 2_001, came(6, 15), naming(900));
    const { plan, flights } = takeAll(named, 2_001);
    expect([markOf(named, E), shown(flights)]).toEqual([5, ['backlog 16-20']]);
    const sent = given(given(plan, 2_002, ...acks(flights)), 4_000, { type: 'tick' }, synced);
    const done = given(sent, 4_001, came(16, 20), naming(900));
    expect([markOf(done, E), takeAll(done, 4_001).flights]).toEqual([20, []]);
  });

  test('of a disowned epoch what nobody can send need not be named, and another store names all anew', () => {
    const part = { ...asked(), epochs: asked().epochs.map((e) => ({ ...e, gone: [[6, 9]] as const })) };
    expect(markOf(given(part, 2_001, came(10, 20), naming(900)), E)).toBe(20);
    const other = given(asked(), 2_001, came(6, 20), { type: 'disowned', epoch: E, other: true });
    const again = takeAll(other, 2_001);
    expect(shown(again.flights)).toEqual(['backlog 1-10', 'backlog 11-20']);
    const lacking = given(again.plan, 2_002, ...acks(again.flights), { type: 'tick' });
    const after = given(given(lacking, 4_000, { type: 'tick' }, synced), 4_001, naming(900));
    expect([markOf(after, E), shown(takeAll(after, 4_001).flights)]).toEqual([0, ['backlog 1-10', 'backlog 11-20']]);
  });

  test('what central never names is done after MAX_AGAIN rounds: more would not help', () => {
    let plan = asked();
    for (let round = 1; round <= MAX_AGAIN; round += 1) {
      const next = takeAll(given(plan, round * 10_000, naming(900)), round * 10_000);
      expect(shown(next.flights)).toEqual(['backlog 6-15', 'backlog 16-20']);
      const sent = given(next.plan, round * 10_000, ...acks(next.flights));
      plan = given(sent, round * 10_000 + 5_000, { type: 'tick' }, synced);
    }
    expect(markOf(given(plan, 900_000, naming(900)), E)).toBe(20);
  });

  test('what central lacks of a disowned epoch is not sent again where nobody can send it', () => {
    const large = { ...asked(), epochs: asked().epochs.map((e) => ({ ...e, skipped: [[14, 20]] as const })) };
    expect(markOf(given(large, 2_001, stored(12, [14, 20])), E)).toBe(13);
    const holed = { ...asked(), epochs: asked().epochs.map((e) => ({ ...e, gone: [[6, 15]] as const })) };
    const lacking = given(holed, 2_001, stored(5, [6, 7], [14, 17]));
    expect(shown(takeAll(lacking, 2_001).flights)).toEqual(['backlog 16-17']);
  });

  test('central that was away gets a disowned epoch again, also what was in the air, and none that is done', () => {
    const open = given(openPlan([head(20, 5)], rules, 0), 0, synced, grown(head(20, 5), head(0, 0, 1, 'next')));
    const { plan, flights } = takeAll(given(open, 1, { type: 'disowned', epoch: E }), 1);
    const back = given(plan, 2, ...acks(flights.slice(0, 1)), { type: 'recheck' });
    const first = takeAll(back, 2);
    expect([shown(flights), shown(first.flights)]).toEqual([['backlog 6-15', 'backlog 16-20'], ['backlog 6-15']]);
    const late = given(first.plan, 3, ...acks(flights.slice(1)), ...acks(first.flights));
    expect(shown(takeAll(late, 3).flights)).toEqual(['backlog 16-20']);
    const done = given(asked(), 2_001, stored(20), { type: 'recheck' });
    expect([markOf(done, E), takeAll(done, 2_001).flights]).toEqual([20, []]);
  });

  test('of an epoch that another store disowns all is sent, whatever was confirmed before', () => {
    const plan = given(openPlan([head(20, 20)], rules, 0), 0, synced, stored(20));
    const other = given(
      plan,
      1,
      { type: 'disowned', epoch: E, other: true },
      grown(head(20, 20), head(0, 0, 1, 'next')),
    );
    expect([markOf(other, E), shown(takeAll(other, 1).flights)]).toEqual([0, ['backlog 1-10', 'backlog 11-20']]);
  });

  test('of a disowned epoch all is sent, once, to central that holds less than was confirmed', () => {
    const start = given(openPlan([head(20, 20)], rules, 0), 0, synced, grown(head(20, 20), head(0, 0, 1, 'next')));
    const disowned = (seq: number): PlanInput => ({ type: 'disowned', epoch: E, seq });
    expect(takeAll(given(start, 1, disowned(20), stored(20)), 1).flights).toEqual([]);
    const { plan, flights } = takeAll(given(start, 1, disowned(19), stored(19)), 1);
    expect(shown(flights)).toEqual(['backlog 1-10', 'backlog 11-20']);
    const sent = given(given(plan, 2, ...acks(flights), disowned(19), stored(19)), 2_000, { type: 'tick' }, synced);
    const done = given(sent, 2_001, stored(19), disowned(19), stored(19));
    expect([markOf(done, E), takeAll(done, 2_001).flights]).toEqual([20, []]);
  });

  test('what was sent of an epoch before it is disowned is not sent again', () => {
    const first = takeAll(given(openPlan([head(20)], rules, 0), 0, synced, stored(0)), 1);
    expect(shown(first.flights)).toEqual(['backlog 1-10', 'backlog 11-20']);
    const plan = given(first.plan, 2, ...acks(first.flights), { type: 'disowned', epoch: E });
    expect(takeAll(plan, 2).flights).toEqual([]);
  });

  test('a recheck asks about a disowned epoch only when it was sent again', () => {
    const open = given(openPlan([head(20, 5)], rules, 0), 0, synced, grown(head(20, 5), head(0, 0, 1, 'next')));
    const { plan, flights } = takeAll(given(open, 1, { type: 'disowned', epoch: E }), 1);
    const early = given(plan, 2, { type: 'recheck' });
    expect(dueSyncs(early, 2, rules)).toEqual(['next']);
    const quiet = given(given(plan, 3, ...acks(flights)), 2_000, { type: 'tick' });
    expect(dueSyncs(quiet, 2_000, rules)).toEqual([E]);
    const again = takeAll(given(quiet, 2_000, { type: 'recheck' }), 2_000);
    expect(dueSyncs(again.plan, 2_000, rules)).toEqual(['next']);
    const sent = given(given(again.plan, 2_001, ...acks(again.flights)), 4_000, { type: 'tick' });
    expect(dueSyncs(sent, 4_000, rules)).toEqual([E, 'next']);
  });

  test('what was to go live of an epoch that is no longer written is backlog', () => {
    const open = given(openPlan([head(5, 5)], rules, 0), 0, synced, stored(5), grown(head(8, 5)));
    const plan = given(open, 1, grown(head(8, 5), head(2, 0, 1, 'next')));
    expect(shown(takeAll(plan, 1).flights)).toEqual(['events 1-2', 'backlog 6-8']);
  });

  test('lower marks have it ask now and then, however many come', () => {
    let plan = given(openPlan([head(30)], rules, 0), 0, synced, stored(30));
    const askedAt: number[] = [];
    for (let now = 10; now < 1_000; now += 10) {
      plan = given(plan, now, stored(5));
      if (dueSyncs(plan, now, rules).length === 0) continue;
      askedAt.push(now);
      plan = given(plan, now, synced, stored(30));
    }
    expect(askedAt).toEqual([10, 310, 610, 910]);
  });

  test('confirm: broker moves the mark over PUBACKs without a gap', () => {
    const byBroker: PlanRules = { ...rules, confirm: 'broker' };
    const first = takeAll(openPlan([head(30)], byBroker, 0), 0, byBroker);
    const [a, b, c] = first.flights.map(({ id }): PlanInput => ({ type: 'acked', flight: id }));
    const apply = (plan: Plan, input: PlanInput | undefined) => (input ? step(plan, input, 1, byBroker) : plan);
    const one = apply(first.plan, b);
    expect(markOf(one, E)).toBe(0);
    const two = apply(one, a);
    expect(markOf(two, E)).toBe(20);
    expect([markOf(apply(two, c), E), dueSyncs(two, 60_000, byBroker)]).toEqual([30, []]);
  });
});

describe('trouble', () => {
  test('what is said of a batch that is not on its way, or of an epoch that is not here, changes nothing', () => {
    const { plan } = takeAll(given(openPlan([head(30)], rules, 0), 0, synced, stored(0)), 1);
    const words: PlanInput[] = [
      { type: 'acked', flight: 99 },
      { type: 'skipped', flight: 99 },
      { type: 'read', flight: 99, from: 1, to: 5 },
    ];
    for (const word of words) expect(given(plan, 9, word)).toEqual(plan);
    expect(markOf(plan, 'other')).toBeNull();
  });

  test('where the broker decides, the mark stays below what is too large for it', () => {
    const broker: PlanRules = { ...rules, confirm: 'broker' };
    const first = takeAll(openPlan([head(20)], broker, 0), 1, broker);
    const [a = 0, b = 0] = first.flights.map(({ id }) => id);
    const inputs: PlanInput[] = [
      { type: 'read', flight: a, from: 1, to: 1 },
      { type: 'skipped', flight: a },
      { type: 'acked', flight: b },
    ];
    let plan = inputs.reduce((next, input) => step(next, input, 1, broker), first.plan);
    const rest = takeAll(plan, 1, broker);
    expect(shown(rest.flights)).toEqual(['backlog 2-10']);
    plan = step(rest.plan, { type: 'acked', flight: rest.flights[0]?.id ?? 0 }, 1, broker);
    expect(markOf(plan, E)).toBe(0);
  });

  test('after a refusal it pauses, tries one batch, and then all again', () => {
    const first = takeAll(given(openPlan([head(100)], rules, 0), 0, synced, stored(0)), 1);
    const refusals = first.flights.map(({ id }): PlanInput => ({ type: 'refused', flight: id, pauseMs: 500 }));
    const plan = given(first.plan, 2, ...refusals);
    expect(takeAll(plan, 501).flights).toEqual([]);
    const probe = takeAll(plan, 502);
    expect(shown(probe.flights)).toEqual(['backlog 1-10']);
    expect(takeAll(given(probe.plan, 503, ...acks(probe.flights)), 503).flights).toHaveLength(3);
  });

  test('central that comes back is asked at once', () => {
    const first = takeAll(given(openPlan([head(5)], rules, 0), 0, synced, stored(0)), 1);
    const refusal: PlanInput = { type: 'refused', flight: first.flights[0]?.id ?? 0, pauseMs: 60_000 };
    const plan = given(first.plan, 2, refusal, { type: 'recheck' });
    expect([dueSyncs(plan, 2, rules), shown(takeAll(plan, 2).flights)]).toEqual([[E], ['backlog 1-5']]);
  });

  test('a batch that is shorter than planned gives the rest back to its lane', () => {
    const live = takeAll(given(openPlan([head(0)], rules, 0), 0, synced, stored(0), grown(head(10))), 1);
    const shorter = given(live.plan, 1, { type: 'read', flight: live.flights[0]?.id ?? 0, from: 1, to: 4 });
    expect(shown(takeAll(shorter, 1).flights)).toEqual(['events 5-10']);
    const backlog = takeAll(given(openPlan([head(10)], rules, 0), 0, synced, stored(0)), 1);
    const cut = given(backlog.plan, 1, { type: 'read', flight: backlog.flights[0]?.id ?? 0, from: 1, to: 4 });
    expect(shown(takeAll(cut, 1).flights)).toEqual(['backlog 5-10']);
  });

  test('a batch ends before a hole, and the hole is not asked of the log again', () => {
    const first = takeAll(given(openPlan([head(20)], rules, 0), 0, synced, stored(0)), 1);
    expect(shown(first.flights)).toEqual(['backlog 1-10', 'backlog 11-20']);
    const [a, b] = first.flights.map(({ id }) => id);
    const cut: PlanInput[] = [
      { type: 'read', flight: a ?? 0, from: 3, to: 6 },
      { type: 'read', flight: b ?? 0, from: 1, to: 0 },
    ];
    const rest = takeAll(given(first.plan, 1, ...cut), 1);
    expect(shown(rest.flights)).toEqual(['backlog 7-10']);
    const behind: PlanInput = { type: 'read', flight: rest.flights[0]?.id ?? 0, from: 9, to: 10 };
    expect(takeAll(given(rest.plan, 1, behind), 1).flights).toEqual([]);
  });

  test('what tells of holes goes first, and again where central still asks for a hole', () => {
    const log = { ...head(100), tells: [60, 90] };
    const first = takeAll(given(openPlan([log], rules, 0), 0, synced, stored(0)), 1);
    expect(shown(first.flights)).toEqual(['backlog 60-60', 'backlog 90-90', 'backlog 1-10']);
    const hole: PlanInput = { type: 'read', flight: first.flights[2]?.id ?? 0, from: 4, to: 10 };
    const told = given(first.plan, 2, hole, ...acks(first.flights), { type: 'recheck' }, synced);
    const again = takeAll(given(told, 3, stored(0, [1, 3])), 3);
    expect(shown(again.flights)).toEqual(['backlog 60-60', 'backlog 90-90', 'backlog 1-3']);
    const passed = takeAll(given(told, 3, stored(10, [15, 15])), 3);
    expect(shown(passed.flights)).toEqual(['backlog 11-20', 'backlog 21-30', 'backlog 31-40']);
  });

  describe('what central asks for and the log does not hold', () => {
    /** 5 to 8 and 14 to 20 are not there; all else was sent. */
    const holed = () => {
      const first = takeAll(given(openPlan([head(20)], rules, 0), 0, synced, stored(0)), 1);
      const [a, b] = first.flights.map(({ id }) => id);
      const cut = given(
        first.plan,
        1,
        { type: 'read', flight: a ?? 0, from: 1, to: 4 },
        { type: 'read', flight: b ?? 0, from: 11, to: 13 },
        ...acks(first.flights),
      );
      const rest = takeAll(cut, 1);
      expect(shown(rest.flights)).toEqual(['backlog 5-10', 'backlog 14-20']);
      const [c, d] = rest.flights.map(({ id }) => id);
      return given(
        rest.plan,
        1,
        { type: 'read', flight: c ?? 0, from: 9, to: 10 },
        { type: 'read', flight: d ?? 0, from: 1, to: 0 },
        ...acks(rest.flights),
      );
    };

    test('is to be told by the answer to a question that was asked when it was gone, exactly', () => {
      const asked = given(holed(), 2, synced);
      expect([untoldOf(asked, E), untoldOf(asked, 'another')]).toEqual([[], []]);
      expect(untoldOf(given(asked, 3, stored(4, [5, 11], [15, 16])), E)).toEqual([
        [5, 8],
        [15, 16],
      ]);
    });

    test('is not to be told where no question was asked, or before it was gone', () => {
      expect(untoldOf(given(holed(), 2, stored(4, [5, 20])), E)).toEqual([]);
      const first = takeAll(given(openPlan([head(20)], rules, 0), 0, synced, stored(0)), 1);
      const early = given(first.plan, 1, synced, { type: 'read', flight: first.flights[0]?.id ?? 0, from: 5, to: 10 });
      expect(untoldOf(given(early, 2, stored(0, [1, 4])), E)).toEqual([]);
      expect(untoldOf(given(early, 2, stored(0, [1, 4]), synced, stored(0, [1, 4])), E)).toEqual([[1, 4]]);
    });

    test('is not to be told again by what is no answer, nor by another store before it was asked', () => {
      const untold = given(holed(), 2, synced, stored(4, [5, 8]));
      expect(untoldOf(given(untold, 3, stored(4, [5, 8])), E)).toEqual([]);
      expect(untoldOf(given(untold, 3, { ...stored(2, [3, 8]), other: true } as PlanInput), E)).toEqual([]);
    });

    test('is nothing any more where the mark has passed it', () => {
      const passed = given(holed(), 2, stored(13), synced, stored(13, [14, 20]));
      expect(untoldOf(passed, E)).toEqual([[14, 20]]);
      expect(given(passed, 3, stored(20)).epochs[0]).toMatchObject({ gone: [], untold: [] });
    });

    test('is to be told of a disowned epoch too, when all else of it was sent', () => {
      const disowned = given(holed(), 2, { type: 'disowned', epoch: E });
      expect(untoldOf(given(disowned, 2, stored(4, [5, 8])), E)).toEqual([]);
      const done = given(disowned, 2, synced, stored(4, [5, 8]));
      expect([untoldOf(done, E), markOf(done, E)]).toEqual([[[5, 8]], 20]);
      expect(untoldOf(given(done, 3, stored(4, [5, 8])), E)).toEqual([]);
    });
  });

  describe('a store that is another than before', () => {
    /** All was settled with the store before; then another one speaks, of another epoch. */
    const next = (gone: readonly (readonly [number, number])[] = []) => {
      const plan = given(openPlan([head(20, 20), head(0, 0, 1, 'next')], rules, 0), 0, synced, stored(900));
      const settled = { ...plan, epochs: plan.epochs.map((e) => ({ ...e, gone })) };
      return given(settled, 1, { type: 'recheck', other: true });
    };
    const disowned: PlanInput = { type: 'disowned', epoch: E, seq: 900 };
    const came = (from: number, to: number): PlanInput => ({ type: 'came', epoch: E, from, to });
    const named: PlanInput = { type: 'stored', epoch: E, seq: 900, need: [], names: true };
    const sent = (plan: Plan) => {
      const { plan: all, flights } = takeAll(plan, 2);
      return { flights, plan: given(given(all, 3, ...acks(flights)), 2_000, { type: 'tick' }, synced) };
    };

    test('gets what it disowns all anew, once, though all had been settled', () => {
      const { plan, flights } = sent(given(next(), 2, disowned));
      expect(shown(flights)).toEqual(['backlog 1-10', 'backlog 11-20']);
      const done = given(plan, 2_001, came(1, 20), disowned, named, disowned);
      expect([markOf(done, E), takeAll(done, 2_001).flights, untoldOf(done, E)]).toEqual([20, [], []]);
    });

    test('and again where it comes while that is under way', () => {
      const { plan } = sent(given(next(), 2, disowned));
      const again = given(plan, 2_001, came(1, 20), { type: 'recheck', other: true });
      expect(shown(takeAll(again, 2_001).flights)).toEqual(['backlog 1-10', 'backlog 11-20']);
    });

    test('has what is gone told, but what it names itself: under these numbers it has other events', () => {
      const { plan } = sent(given(next([[3, 6]]), 2, disowned));
      expect(untoldOf(given(plan, 2_001, came(1, 2), came(5, 5), came(7, 20), named), E)).toEqual([
        [3, 4],
        [6, 6],
      ]);
      const same = given(openPlan([head(20)], rules, 0), 0, synced, { type: 'disowned', epoch: E });
      const holed = { ...same, epochs: same.epochs.map((e) => ({ ...e, gone: [[3, 6]] as const })) };
      expect(untoldOf(given(sent(holed).plan, 2_001, came(1, 2), came(7, 20), named), E)).toEqual([]);
    });
  });

  test('where the broker decides, the mark steps over a hole, also at the end of an epoch', () => {
    const broker: PlanRules = { ...rules, confirm: 'broker' };
    const first = takeAll(openPlan([head(10)], broker, 0), 1, broker);
    const flight = first.flights[0]?.id ?? 0;
    let plan = step(first.plan, { type: 'read', flight, from: 3, to: 6 }, 1, broker);
    expect(markOf(plan, E)).toBe(2);
    plan = step(plan, { type: 'acked', flight }, 1, broker);
    expect(markOf(plan, E)).toBe(6);
    const rest = takeAll(plan, 1, broker);
    plan = step(rest.plan, { type: 'read', flight: rest.flights[0]?.id ?? 0, from: 1, to: 0 }, 1, broker);
    expect(markOf(plan, E)).toBe(10);
  });

  test('an event that is too large does not stop the others', () => {
    const first = takeAll(given(openPlan([head(100)], rules, 0), 0, synced, stored(0)), 1);
    const id = first.flights[0]?.id ?? 0;
    let plan = given(first.plan, 1, { type: 'read', flight: id, from: 1, to: 1 }, { type: 'skipped', flight: id });
    plan = given(plan, 2, ...acks(first.flights.slice(1)), synced, stored(0, [1, 10]));
    expect(shown(takeAll(plan, 2).flights)).toEqual(['backlog 2-10', 'backlog 31-40', 'backlog 41-50']);
  });

  test('no PUBACK for too long is deaf, no progress of the mark is stalled', () => {
    const first = takeAll(given(openPlan([head(10)], rules, 0), 0, synced, stored(0)), 1);
    expect([isDeaf(first.plan, 6_000, rules), isDeaf(first.plan, 6_001, rules)]).toEqual([false, true]);
    const plan = given(first.plan, 2, ...acks(first.flights));
    expect([isDeaf(plan, 60_000, rules), isStalled(plan, 5_999, rules), isStalled(plan, 6_000, rules)]).toEqual([
      false,
      false,
      true,
    ]);
    expect(isStalled(given(plan, 5_999, stored(10)), 99_999, rules)).toBe(false);
  });

  test('the clock of a stall starts when something begins to wait', () => {
    const idle = given(openPlan([head(10, 10)], rules, 0), 0, synced, stored(10));
    const plan = given(idle, 50_000, grown(head(11)));
    expect([isStalled(plan, 55_999, rules), isStalled(plan, 56_000, rules)]).toEqual([false, true]);
  });
});

describe('the beginning', () => {
  test('a mark above the log is that of its end', () => {
    expect(markOf(openPlan([head(5, 9)], rules, 0), E)).toBe(5);
  });

  test('where the broker decides, all that is held above the mark goes at once', () => {
    const broker: PlanRules = { ...rules, confirm: 'broker' };
    expect(shown(takeAll(openPlan([head(30, 10)], broker, 0), 0, broker).flights)).toEqual([
      'backlog 11-20',
      'backlog 21-30',
    ]);
    expect(shown(takeAll(openPlan([head(30, 10, 25)], broker, 0), 0, broker).flights)).toEqual(['backlog 25-30']);
  });

  test('without an answer nothing is sent that the log does not hold, or that went live', () => {
    const open = given(openPlan([head(30, 10, 25)], rules, 0), 0, synced, grown(head(32, 10, 25)));
    const live = takeAll(open, 1);
    expect(shown(live.flights)).toEqual(['events 31-32']);
    const late = given(live.plan, 300, ...acks(live.flights), { type: 'tick' });
    expect(shown(takeAll(late, 300).flights)).toEqual(['backlog 25-30']);
  });

  test('an epoch that begins on this link goes live from its first event, and is not asked about', () => {
    const open = given(openPlan([head(5, 5)], rules, 0), 0, synced, stored(5));
    const plan = given(open, 1, grown(head(5, 5), head(3, 0, 1, 'next')));
    expect([shown(takeAll(plan, 1).flights), dueSyncs(plan, 1, rules)]).toEqual([['events 1-3'], []]);
  });
});

describe('how many are on the way', () => {
  test.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 3],
    [5, 4],
    [6, 4],
    [8, 6],
    [64, 48],
  ])('of a window of %d backlog takes %d', (window, most) => {
    const wide = { ...rules, window, unconfirmedEvents: 1e6 };
    const plan = given(openPlan([head(10_000)], rules, 0), 0, synced, stored(0));
    expect(takeAll(plan, 1, wide).flights).toHaveLength(most);
  });

  test('backlog runs so far ahead of the mark and no farther', () => {
    const wide = { ...rules, window: 64 };
    const plan = given(openPlan([head(1_000)], rules, 0), 0, synced, stored(0));
    expect(takeAll(plan, 1, wide).flights.at(-1)?.to).toBe(50);
    expect(takeAll(plan, 1, { ...wide, unconfirmedEvents: 51 }).flights.at(-1)?.to).toBe(60);
  });
});

describe('what moves while a batch is on its way', () => {
  const flown = () => takeAll(given(openPlan([head(20)], rules, 0), 0, synced, stored(0)), 1);

  test('a mark within a refused batch: only what is above it is sent again', () => {
    const { plan, flights } = flown();
    const refused = given(plan, 2, stored(5), { type: 'refused', flight: flights[0]?.id ?? 0, pauseMs: 0 });
    expect(shown(takeAll(given(refused, 3, ...acks(flights.slice(1))), 3).flights)).toEqual(['backlog 6-10']);
  });

  test('a mark beyond an acknowledged batch: nothing of it counts as sent', () => {
    const { plan, flights } = flown();
    const done = given(plan, 2, stored(15), ...acks(flights));
    expect(done.epochs[0]?.sent).toEqual([[16, 20]]);
    expect(given(done, 3, stored(20)).epochs[0]).toMatchObject({ sent: [], todo: [], mark: 20, progressAt: 3 });
  });

  test('the log is trimmed: what is gone is not to be sent', () => {
    const open = given(openPlan([head(100)], rules, 0), 0, synced, stored(0), grown(head(100, 0, 95)));
    expect(shown(takeAll(open, 1).flights)).toEqual(['backlog 95-100']);
    const live = given(openPlan([head(5, 5)], rules, 0), 0, synced, stored(5), grown(head(20, 5, 12)));
    expect(shown(takeAll(live, 1).flights)).toEqual(['events 12-20']);
  });
});

describe('time', () => {
  test('the last word of the broker counts, whether it takes a batch or refuses it', () => {
    for (const word of ['acked', 'refused'] as const) {
      const { plan, flights } = takeAll(given(openPlan([head(30)], rules, 0), 0, synced, stored(0)), 0);
      const flight = flights[0]?.id ?? 0;
      const heard = given(plan, 4_000, word === 'acked' ? { type: word, flight } : { type: word, flight, pauseMs: 1 });
      expect([isDeaf(heard, 9_999, rules), isDeaf(heard, 10_000, rules)]).toEqual([false, true]);
    }
    expect(isDeaf(openPlan([head(5)], rules, 0), 1e9, rules)).toBe(false);
  });

  test('only a mark that moves is progress', () => {
    const open = given(openPlan([head(30)], rules, 0), 0, synced, stored(0));
    const same = given(open, 4_000, stored(0));
    expect([isStalled(same, 5_999, rules), isStalled(same, 6_000, rules)]).toEqual([false, true]);
    const moved = given(open, 4_000, stored(1));
    expect([isStalled(moved, 9_999, rules), isStalled(moved, 10_000, rules)]).toEqual([false, true]);
  });

  test('a question is put when what was sent is not confirmed for a while, counted from the last progress', () => {
    const { plan, flights } = takeAll(given(openPlan([head(30)], rules, 0), 0, synced, stored(0)), 0);
    const half = given(plan, 500, ...acks(flights), stored(10));
    expect([dueSyncs(half, 1_499, rules), dueSyncs(half, 1_500, rules)]).toEqual([[], [E]]);
    const all = given(half, 600, stored(30));
    expect(dueSyncs(all, 99_999, rules)).toEqual([]);
  });

  test('where nothing was sent yet there is nothing to ask', () => {
    const open = given(openPlan([head(30)], rules, 0), 0, synced, stored(0));
    expect(dueSyncs(open, 99_999, rules)).toEqual([]);
  });

  test('where the broker decides, each step of the mark is progress', () => {
    const broker: PlanRules = { ...rules, confirm: 'broker' };
    const { plan, flights } = takeAll(openPlan([head(30)], broker, 0), 0, broker);
    const moved = step(plan, { type: 'acked', flight: flights[0]?.id ?? 0 }, 4_000, broker);
    expect([isStalled(moved, 9_999, broker), isStalled(moved, 10_000, broker)]).toEqual([false, true]);
    expect(moved.epochs[0]).toMatchObject({ mark: 10, sent: [], progressAt: 4_000 });
  });

  test('a recheck ends the pause after a refusal', () => {
    const { plan, flights } = takeAll(given(openPlan([head(100)], rules, 0), 0, synced, stored(0)), 0);
    const refused = given(
      plan,
      1,
      ...flights.map(({ id }): PlanInput => ({ type: 'refused', flight: id, pauseMs: 60_000 })),
    );
    expect(refused.refusals).toBe(3);
    expect(takeAll(given(refused, 2, { type: 'recheck' }), 2).flights).toHaveLength(3);
  });
});

describe('an answer of central', () => {
  const sent = () => {
    const first = takeAll(given(openPlan([head(30)], rules, 0), 0, synced, stored(0)), 1);
    return given(first.plan, 2, ...acks(first.flights));
  };
  const asked = () => given(sent(), 1_000, synced);
  const next = (plan: Plan) => shown(takeAll(plan, 1_001).flights);

  test('that names a hole means also what lies between its mark and the hole, and nothing behind it', () => {
    const plan = given(asked(), 1_001, stored(10, [15, 15]));
    expect([next(plan), plan.epochs[0]?.sent]).toEqual([['backlog 11-15'], [[16, 30]]]);
  });

  test('that names no hole asks for nothing that was sent', () => {
    const plan = given(asked(), 1_001, stored(10));
    expect([next(plan), markOf(plan, E)]).toEqual([[], 10]);
  });

  test('may name its holes in any order', () => {
    const plan = given(asked(), 1_001, stored(10, [20, 22], [11, 12], [13, 13]));
    expect(next(plan)).toEqual(['backlog 11-13', 'backlog 20-22']);
  });

  test('has nothing sent that is on its way, or that is still to go live', () => {
    const flying = takeAll(given(openPlan([head(30)], rules, 0), 0, synced, stored(0)), 1).plan;
    const again = given(flying, 2, synced, stored(0, [1, 30]));
    expect(again.epochs[0]).toMatchObject({ todo: [], sent: [] });
    const live = given(asked(), 1_001, grown(head(35)), stored(10, [11, 20], [31, 35]));
    expect(next(live)).toEqual(['events 31-35', 'backlog 11-20']);
  });

  test('leaves what came after the question where it was', () => {
    const open = given(openPlan([head(5, 5)], rules, 0), 0, synced, grown(head(8, 5), head(0, 0, 1, 'next')));
    expect(next(given(open, 1, stored(5)))).toEqual(['backlog 6-8']);
  });

  test('that is lower than the mark of before is believed once, and only the answer is', () => {
    const lower = given(asked(), 1_001, stored(20), stored(20));
    expect([markOf(lower, E), dueSyncs(lower, 1_001, rules)]).toEqual([20, []]);
    const doubted = given(lower, 1_002, stored(19));
    expect([markOf(doubted, E), dueSyncs(doubted, 1_002, rules)]).toEqual([20, [E]]);
  });

  test('above the log confirms the log, and no more', () => {
    expect(markOf(given(asked(), 1_001, stored(900)), E)).toBe(30);
  });

  test('that passes what was too large makes an end of it', () => {
    const first = takeAll(given(openPlan([head(30)], rules, 0), 0, synced, stored(0)), 1);
    const flight = first.flights[0]?.id ?? 0;
    const large = given(first.plan, 1, { type: 'read', flight, from: 1, to: 1 }, { type: 'skipped', flight });
    expect(large.epochs[0]).toMatchObject({ skipped: [[1, 1]], sent: [[1, 1]] });
    expect(given(large, 2, stored(1)).epochs[0]).toMatchObject({ skipped: [], sent: [] });
  });

  test.each([
    [3, ['backlog 60-60', 'backlog 3-3']],
    [4, ['backlog 4-4']],
  ])(
    'that misses %d, where the log has given up 1 to 3, has what tells of it sent again only for the hole',
    (seq, all) => {
      const log = { ...head(60), tells: [60] };
      let plan = given(openPlan([log], { ...rules }, 0), 0, synced, stored(0));
      for (let round = takeAll(plan, 1); round.flights.length > 0; round = takeAll(plan, 1)) {
        const hole = round.flights.filter(({ from }) => from === 1);
        const reads = hole.map(({ id }): PlanInput => ({ type: 'read', flight: id, from: 4, to: 10 }));
        plan = given(round.plan, 1, ...reads, ...acks(round.flights));
      }
      expect(next(given(plan, 1_000, synced, stored(seq - 1, [seq, seq])))).toEqual(all);
    },
  );
});

describe('a live batch', () => {
  test('that is shorter than planned gives its rest to the backlog where more has gone live since', () => {
    const live = takeAll(given(openPlan([head(0)], rules, 0), 0, synced, stored(0), grown(head(15))), 1);
    expect(shown(live.flights)).toEqual(['events 1-10', 'events 11-15']);
    const shorter = given(live.plan, 1, { type: 'read', flight: live.flights[0]?.id ?? 0, from: 1, to: 4 });
    expect(shown(takeAll(shorter, 1).flights)).toEqual(['backlog 5-10']);
  });

  test('has its own time for the mark to follow, however long nothing happened before', () => {
    const idle = given(openPlan([head(10, 10)], rules, 0), 0, synced, stored(10));
    const live = takeAll(given(idle, 50_000, grown(head(11))), 50_000);
    const done = given(live.plan, 50_000, ...acks(live.flights));
    expect([dueSyncs(done, 50_999, rules), dueSyncs(done, 51_000, rules)]).toEqual([[], [E]]);
  });

  test('where the broker decides, the mark steps over what was trimmed before it', () => {
    const broker: PlanRules = { ...rules, confirm: 'broker' };
    const { plan, flights } = takeAll(openPlan([head(30, 10, 25)], broker, 0), 0, broker);
    expect(markOf(step(plan, { type: 'acked', flight: flights[0]?.id ?? 0 }, 1, broker), E)).toBe(30);
  });
});

describe('of two epochs', () => {
  const both = () => openPlan([head(10, 0, 1, 'a'), head(20)], rules, 0);
  const answered = () =>
    given(both(), 0, { type: 'synced', epoch: 'a' }, synced, { ...stored(4), epoch: 'a' } as PlanInput, stored(12));
  const of = (plan: Plan) => Object.fromEntries(plan.epochs.map((e) => [e.epoch, e]));

  test('each has its own question, mark and answer', () => {
    const asked = of(given(both(), 5, synced));
    expect([asked.a?.question, asked[E]?.question]).toEqual([null, { at: 5, lastSeq: 20, sent: [], gone: [] }]);
    expect([asked.a?.syncDue, asked[E]?.syncDue]).toEqual([true, false]);
    const plan = answered();
    expect([markOf(plan, 'a'), markOf(plan, E)]).toEqual([4, 12]);
    expect([of(plan).a?.todo, of(plan)[E]?.todo]).toEqual([[[5, 10]], [[13, 20]]]);
  });

  test('a batch is that of its own, taken, cut, acknowledged or refused', () => {
    const { plan, flights } = takeAll(answered(), 1);
    expect(flights.map(({ epoch, from, to }) => [epoch, from, to])).toEqual([
      ['a', 5, 10],
      [E, 13, 20],
    ]);
    const flight = flights[1]?.id ?? 0;
    const acked = of(given(plan, 2, { type: 'acked', flight }));
    expect([acked.a?.sent, acked[E]?.sent]).toEqual([[], [[13, 20]]]);
    const refused = of(given(plan, 2, { type: 'refused', flight, pauseMs: 1 }));
    expect([refused.a?.todo, refused[E]?.todo]).toEqual([[], [[13, 20]]]);
    const cut = given(plan, 2, { type: 'read', flight, from: 15, to: 17 });
    expect(of(cut)).toMatchObject({
      a: { hole: 0, sent: [], todo: [] },
      [E]: { hole: 14, sent: [[13, 14]], todo: [[18, 20]] },
    });
    expect(cut.flights.map(({ from, to }) => [from, to])).toEqual([
      [5, 10],
      [15, 17],
    ]);
    const large = of(given(plan, 2, { type: 'skipped', flight }));
    expect([large.a?.skipped, large[E]?.skipped]).toEqual([[], [[13, 20]]]);
  });

  test('what is on its way of one is no reason not to send of the other', () => {
    const { plan } = takeAll(answered(), 1);
    const lost = given(
      plan,
      2,
      { type: 'synced', epoch: 'a' },
      { type: 'stored', epoch: 'a', seq: 1, need: [[2, 10]] },
    );
    expect(of(lost).a?.todo).toEqual([[2, 4]]);
  });

  test('one is disowned, and one is doubted', () => {
    const disowned = of(given(answered(), 1, { type: 'disowned', epoch: E }));
    expect([disowned.a?.disowned, disowned[E]?.disowned]).toEqual([false, true]);
    const doubted = of(given(answered(), 1, stored(3)));
    expect([doubted.a?.doubt, doubted[E]?.doubt]).toEqual([false, true]);
    const same = of(given(answered(), 1, stored(12)));
    expect(same[E]?.doubt).toBe(false);
  });

  test('where the broker decides, each mark moves by its own batches', () => {
    const broker: PlanRules = { ...rules, confirm: 'broker' };
    const { plan, flights } = takeAll(openPlan([head(10, 0, 1, 'a'), head(20, 12)], broker, 0), 0, broker);
    const moved = step(plan, { type: 'acked', flight: flights[1]?.id ?? 0 }, 1, broker);
    expect([markOf(moved, 'a'), markOf(moved, E)]).toEqual([0, 20]);
    expect(moved.flights).toEqual([flights[0]]);
  });

  test('a disowned one is sent to its end, however far that is from its mark', () => {
    const plan = given(openPlan([head(200, 4, 1, 'a'), head(0)], rules, 0), 0, { type: 'synced', epoch: 'a' });
    let round = takeAll(given(plan, 1, { type: 'disowned', epoch: 'a' }), 1);
    const sent: Flight[] = [];
    for (; round.flights.length > 0; round = takeAll(given(round.plan, 1, ...acks(round.flights)), 1))
      sent.push(...round.flights);
    expect(sent.at(-1)).toMatchObject({ epoch: 'a', to: 200 });
  });

  test('a disowned one waits for all of it to be sent, to the last batch', () => {
    const open = given(answered(), 1, { type: 'disowned', epoch: 'a' });
    const { plan, flights } = takeAll(open, 1);
    const tick = (one: Plan) => of(given(one, 5_000, { type: 'tick' })).a?.syncDue;
    expect([tick(open), tick(plan), tick(given(plan, 2, ...acks(flights)))]).toEqual([false, false, true]);
  });
});

describe('a batch of an earlier link that is watched', () => {
  const watch = { epoch: E, from: 1, to: 5, at: 0, flight: null, bytes: 50 };
  const limit = { ...fullBatches(10), watch };
  const heard = (of: Partial<typeof limit>, ...need: [number, number][]) =>
    given(openPlan([head(20)], rules, 0, { ...limit, ...of }), 10, synced, stored(0, ...need)).limit;

  test('is lacked by central: it did not come through, unless the broker says so itself', () => {
    expect(heard({}, [1, 3])).toMatchObject({ watch: null, missed: { epoch: E, seq: 1, times: 1 } });
    expect(heard({ refuses: true }, [1, 3])).toMatchObject({ watch: null, missed: null });
  });

  test('came through where central lacks only what is behind it; of what it does not speak nothing is known', () => {
    expect(heard({}, [7, 9])).toMatchObject({ watch: null, missed: null });
    expect(heard({})).toMatchObject({ watch });
  });

  test('is forgotten where the log has its epoch no more', () => {
    const gone = { ...limit, watch: { ...watch, epoch: 'gone' } };
    const plan = given(openPlan([head(5)], rules, 0, gone), 10, synced, stored(0), grown(head(6)));
    expect(take(plan, 10, rules)?.[0].limit.watch).toMatchObject({ epoch: E, from: 6 });
  });
});

test('of a flight that is unknown nothing is too large', () => {
  const plan = openPlan([head(5)], rules, 0);
  expect(given(plan, 0, { type: 'too large', flight: 99, bytes: 10 })).toBe(plan);
});
