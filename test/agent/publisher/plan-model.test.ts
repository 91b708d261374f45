import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dueSyncs, openPlan, step, take, untoldOf } from '../../../src/agent/publisher/plan.ts';
import type { LogSpan, Plan, PlanInput, PlanRules } from '../../../src/agent/publisher/plan-state.ts';
import type { SeqRange } from '../../../src/contract/message.ts';

/** An agent's plan, a broker that drops, repeats and refuses, and a central that answers as the contract says. */
interface World {
  now: number;
  plan: Plan;
  logs: Log[];
  /** On their way to central, and back. */
  inbox: ({ epoch: string; from: number; to: number } | { epoch: string; sync: number })[];
  outbox: (PlanInput & { type: 'stored' })[];
}

interface Log {
  epoch: string;
  first: number;
  last: number;
  saved: number;
  held: Set<number>;
  known: number;
  /** Not there any more, and which event tells of which. */
  gone: Set<number>;
  tells: Map<number, readonly Told[]>;
}

interface Told {
  readonly epoch: string;
  readonly seq: number;
}

const newLog = (epoch: string, last: number): Log => {
  return { epoch, first: 1, last, saved: 0, held: new Set(), known: 0, gone: new Set(), tells: new Map() };
};

const MAX_NEED = 3;
const rules: PlanRules = {
  confirm: 'store',
  batchEvents: 4,
  window: 3,
  unconfirmedEvents: 12,
  syncAnswerMs: 300,
  openAfterMs: 300,
  syncAfterMs: 1_000,
  stalledAfterMs: 1e9,
};

const heads = (w: World): LogSpan[] =>
  w.logs.map(({ epoch, first, last, saved, tells }) => {
    return { epoch, firstSeq: first, lastSeq: last, storedSeq: saved, tells: [...tells.keys()] };
  });
const logOf = (w: World, epoch: string) => w.logs.find((log) => log.epoch === epoch);

function markIn(held: ReadonlySet<number>): number {
  let mark = 0;
  while (held.has(mark + 1)) mark++;
  return mark;
}

function process(w: World, index: number): void {
  const [message] = w.inbox.splice(index % Math.max(1, w.inbox.length), 1);
  const log = message && logOf(w, message.epoch);
  if (message === undefined || log === undefined) return;
  if ('sync' in message) log.known = Math.max(log.known, message.sync);
  else {
    for (let seq = message.from; seq <= message.to; seq++) {
      log.held.add(seq);
      for (const told of log.tells.get(seq) ?? []) logOf(w, told.epoch)?.held.add(told.seq);
    }
  }
  log.known = Math.max(log.known, ...log.held);
  const seq = markIn(log.held);
  const need: SeqRange[] = [];
  for (let n = seq + 1; n <= log.known; n++) {
    const open = need.at(-1);
    if (log.held.has(n)) continue;
    if (open !== undefined && open[1] === n - 1) need[need.length - 1] = [open[0], n];
    else need.push([n, n]);
  }
  w.outbox.push({ type: 'stored', epoch: message.epoch, seq, need: need.slice(0, MAX_NEED) });
}

function send(w: World, loseSync: boolean): void {
  const apply = (input: PlanInput) => {
    w.plan = step(w.plan, input, w.now, rules);
  };
  apply({ type: 'log', epochs: heads(w) });
  apply({ type: 'tick' });
  for (const epoch of dueSyncs(w.plan, w.now, rules)) {
    apply({ type: 'synced', epoch });
    if (!loseSync) w.inbox.push({ epoch, sync: logOf(w, epoch)?.last ?? 0 });
  }
  for (let next = take(w.plan, w.now, rules); next !== null; next = take(w.plan, w.now, rules)) {
    w.plan = next[0];
    const { id, epoch, from: first, to: last } = next[1];
    const gone = logOf(w, epoch)?.gone ?? new Set();
    let from = first;
    while (from <= last && gone.has(from)) from++;
    let to = from;
    while (to < last && !gone.has(to + 1)) to++;
    apply({ type: 'read', flight: id, from: from > last ? 1 : from, to: from > last ? 0 : to });
  }
}

type Fate = 'arrives' | 'dropped' | 'twice' | 'refused';

function settle(w: World, index: number, fate: Fate): void {
  const flight = w.plan.flights[index % Math.max(1, w.plan.flights.length)];
  if (flight === undefined) return;
  const { id, epoch, from, to } = flight;
  const copies = { arrives: 1, dropped: 0, twice: 2, refused: 0 }[fate];
  for (let i = 0; i < copies; i++) w.inbox.push({ epoch, from, to });
  const input: PlanInput =
    fate === 'refused' ? { type: 'refused', flight: id, pauseMs: 50 } : { type: 'acked', flight: id };
  w.plan = step(w.plan, input, w.now, rules);
}

function hear(w: World, index: number): void {
  const [message] = w.outbox.splice(index % Math.max(1, w.outbox.length), 1);
  const log = message && logOf(w, message.epoch);
  if (message === undefined || log === undefined || message.seq > log.last) return;
  w.plan = step(w.plan, message, w.now, rules);
  log.saved = w.plan.epochs.find((e) => e.epoch === message.epoch)?.mark ?? log.saved;
  tellMissing(w, log);
}

/** As the log does: of what the plan wants told that which is gone, and told by nothing. */
function tellMissing(w: World, { epoch, gone }: Log): void {
  const told = w.logs.flatMap(({ tells }) => [...tells.values()].flat()).filter((one) => one.epoch === epoch);
  const isUntold = (seq: number) => untoldOf(w.plan, epoch).some(([from, to]) => from <= seq && seq <= to);
  const fresh = [...gone].filter((seq) => isUntold(seq) && !told.some((one) => one.seq === seq));
  const current = w.logs.at(-1);
  if (fresh.length === 0 || current === undefined) return;
  current.last += 1;
  current.tells.set(
    current.last,
    fresh.map((seq) => ({ epoch, seq })),
  );
}

function arrive(w: World, lost: number): void {
  send(w, false);
  for (let i = 0; w.plan.flights.length > 0; i++) settle(w, 0, i === lost ? 'dropped' : 'arrives');
  while (w.inbox.length > 0) process(w, 0);
  while (w.outbox.length > 0) hear(w, 0);
}

/** An older copy that was put back, or damage: nothing tells it, for central has it. */
function lose(w: World, oneIn: number): void {
  for (const { saved, gone, tells } of w.logs)
    for (let seq = oneIn; seq <= saved; seq += oneIn) if (!tells.has(seq)) gone.add(seq);
}

/** Central forgets its newest half, and says "online" when it is back. What an event tells is there with the event. */
function restore(w: World): void {
  for (const log of w.logs) log.held = new Set([...log.held].filter((seq) => seq <= log.last / 2));
  for (const { held, tells } of w.logs)
    for (const [seq, all] of tells) if (held.has(seq)) for (const told of all) logOf(w, told.epoch)?.held.add(told.seq);
  for (const log of w.logs) log.known = Math.max(0, ...log.held);
  w.inbox = [];
  w.outbox = [];
  w.plan = step(w.plan, { type: 'recheck' }, w.now, rules);
}

const index = fc.nat({ max: 9 });
interface Command {
  /** For the counterexample. */
  readonly name: string;
  readonly run: (w: World) => void;
}

const command = <T>(name: string, arg: fc.Arbitrary<T>, run: (w: World, value: T) => void): fc.Arbitrary<Command> =>
  arg.map((value) => ({ name: `${name} ${JSON.stringify(value)}`, run: (w) => run(w, value) }));
const none = fc.constant(null);
const fates = fc.constantFrom<Fate>('arrives', 'arrives', 'dropped', 'twice', 'refused');

const commands: fc.Arbitrary<Command> = fc.oneof(
  command('append', fc.integer({ min: 1, max: 9 }), (w, n) => {
    const log = w.logs.at(-1);
    if (log !== undefined) log.last += n;
  }),
  command('send, lose sync', fc.boolean(), send),
  command('send, lose sync', fc.boolean(), send),
  command('PUBACK', fc.tuple(index, fates), (w, [i, fate]) => settle(w, i, fate)),
  command('central takes', index, process),
  command('agent hears', index, hear),
  command('stored is lost', index, (w, i) => void w.outbox.splice(i % Math.max(1, w.outbox.length), 1)),
  command('time', fc.constantFrom(10, 400, 1_100), (w, ms) => {
    w.now += ms;
  }),
  command('all arrives but', index, arrive),
  // What was on its way may still arrive.
  command('new link', none, (w) => {
    w.plan = openPlan(heads(w), rules, w.now);
  }),
  command('new epoch', none, (w) => {
    w.logs.push(newLog(`epoch-${w.logs.length + 1}`, 0));
  }),
  // What is on its way may be given up as well: it arrives, or it does not.
  command('thin, one in', fc.integer({ min: 1, max: 4 }), (w, n) => {
    const log = w.logs.at(-1);
    if (log === undefined) return;
    const { gone, tells } = log;
    const fresh = Array.from({ length: log.last }, (_, i) => i + 1).filter(
      (seq) => seq % n === 0 && seq > log.saved && !gone.has(seq) && !tells.has(seq),
    );
    for (const seq of fresh) gone.add(seq);
    log.last += 1;
    tells.set(
      log.last,
      fresh.map((seq) => ({ epoch: log.epoch, seq })),
    );
  }),
  command('what was confirmed is gone, one in', fc.integer({ min: 1, max: 4 }), lose),
  command('central is restored', none, restore),
  command('both are put back, one in', fc.integer({ min: 1, max: 4 }), (w, n) => {
    for (let round = 0; round < 3; round++) arrive(w, -1);
    lose(w, n);
    restore(w);
  }),
);

function checkInvariants(w: World): void {
  expect(w.plan.flights.length).toBeLessThanOrEqual(rules.window);
  for (const e of w.plan.epochs) {
    expect(e.todo.length + e.sent.length).toBeLessThan(200);
    const places = new Map<number, number>();
    const put = (from: number, to: number) => {
      for (let seq = Math.max(from, e.mark + 1); seq <= to; seq++) places.set(seq, (places.get(seq) ?? 0) + 1);
    };
    for (const [from, to] of [...e.todo, ...e.sent]) put(from, to);
    for (const { epoch, from, to } of w.plan.flights) if (epoch === e.epoch) put(from, to);
    put(e.liveNext, e.lastSeq);
    expect([...places].filter(([, times]) => times > 1)).toEqual([]);
  }
}

test('whatever is dropped, repeated, reordered or refused, at last central holds everything and the marks say so', () => {
  fc.assert(
    fc.property(fc.array(commands, { maxLength: 120 }), fc.boolean(), (script, newLink) => {
      const w: World = { now: 0, plan: openPlan([], rules, 0), logs: [newLog('epoch-1', 25)], inbox: [], outbox: [] };
      w.plan = openPlan(heads(w), rules, 0);
      for (const { run } of script) {
        run(w);
        checkInvariants(w);
      }
      // The faults end. What is missing must be found on the old link as well as on a new one.
      if (newLink) w.plan = openPlan(heads(w), rules, w.now);
      const isDone = () => w.logs.every((one) => markIn(one.held) === one.last && one.saved === one.last);
      for (let round = 0; round < 400 && !isDone(); round++) {
        w.now += 100;
        send(w, false);
        while (w.plan.flights.length > 0) settle(w, 0, 'arrives');
        while (w.inbox.length > 0) process(w, 0);
        while (w.outbox.length > 0) hear(w, 0);
        checkInvariants(w);
      }
      expect(isDone()).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});
