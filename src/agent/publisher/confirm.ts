/** How a plan takes what central or the broker confirms. Pure. */
import { type BatchLimit, cameThrough, notThrough } from './batch-limit.ts';
import {
  change,
  type EpochPlan,
  flying,
  givenUpTo,
  isSent,
  isStuck,
  land,
  type Plan,
  type PlanInput,
  type PlanRules,
  type Question,
  sentToo,
} from './plan-state.ts';
import { both, clip, count, has, type Ranges, span, union, without } from './ranges.ts';

/** What central does not name of a disowned epoch is sent again so often on one link. */
export const MAX_AGAIN = 20;

/**
 * A mark. The first one after our `sync` is its answer and is believed, also where it is lower than before or leaves out
 * what had been sent, and so is the first one of another store. Any other can be late: if it is lower, we ask; its `need`
 * only repeats what the plan knows.
 */
export function confirm(plan: Plan, input: PlanInput & { type: 'stored' }, now: number, rules: PlanRules): Plan {
  const e = plan.epochs.find((one) => one.epoch === input.epoch);
  return e === undefined ? plan : { ...heard(plan, e, input, now), limit: judged(plan, e, input, rules) };
}

function heard(plan: Plan, e: EpochPlan, input: PlanInput & { type: 'stored' }, now: number): Plan {
  if (e.disowned) {
    const { question } = e;
    // Central answers a question after the batches that came before it.
    if (question === null || !isSent(plan, e))
      return change(plan, e.epoch, () => ({ ...e, untold: [], progressAt: now }));
    const need = union(input.need, []);
    const untold = both(need, question.gone);
    const told = { ...e, question: null, untold, progressAt: now };
    const again = union(dropped(e, need), input.names === true ? unnamed(e) : []);
    if (again.length === 0) {
      // Under these numbers central holds other events, so that it lacks none: what was ours there is lost with the store that had it.
      const lost = e.anew ? without(question.gone, e.came) : [];
      return change(plan, e.epoch, () => ({ ...told, untold: union(untold, lost), mark: givenUpTo(e) }));
    }
    return change(plan, e.epoch, () => ({
      ...told,
      todo: again,
      sent: without(e.sent, again),
      again: e.again + 1,
    }));
  }
  const unasked = input.other === true ? { at: now, lastSeq: e.lastSeq, sent: e.sent, gone: [] } : null;
  const question = e.question ?? unasked;
  if (question === null && input.seq < e.mark) return change(plan, e.epoch, () => ({ ...e, doubt: true }));
  const seq = Math.min(input.seq, e.lastSeq);
  const moved = seq > e.mark;
  const marked: EpochPlan = {
    ...e,
    mark: seq,
    todo: clip(e.todo, seq + 1, e.lastSeq),
    sent: clip(e.sent, seq + 1, e.lastSeq),
    gone: clip(e.gone, seq + 1, e.lastSeq),
    untold: [],
    skipped: clip(e.skipped, seq + 1, e.lastSeq),
    progressAt: moved ? now : e.progressAt,
  };
  const next = question === null ? marked : answered(plan, marked, question, union(input.need, []));
  const progressed = change(plan, e.epoch, () => next);
  return moved ? { ...progressed, progressAt: now } : progressed;
}

/** What a broker acknowledged of a disowned epoch and then dropped: central has nothing at all under these numbers. */
function dropped(e: EpochPlan, need: Ranges): Ranges {
  return without(clip(need, Math.max(e.firstSeq, e.mark + 1), e.lastSeq), union(e.skipped, e.gone));
}

/** What the broker acknowledged of it and central has not named: dropped on the way, or its word was. */
function unnamed(e: EpochPlan): Ranges {
  if (e.again >= MAX_AGAIN) return [];
  return without(clip(e.sent, Math.max(e.firstSeq, e.mark + 1), e.lastSeq), union(union(e.skipped, e.gone), e.came));
}

/** Whether what is watched came through, as far as this word says. */
function judged(
  plan: Plan,
  e: EpochPlan,
  input: PlanInput & { type: 'stored' },
  { batchEvents, syncAfterMs, unconfirmedEvents }: PlanRules,
): BatchLimit {
  const { limit } = plan;
  const { watch } = limit;
  const { question } = e;
  if (watch === null || watch.epoch !== e.epoch) return limit;
  if (!e.disowned && input.seq >= watch.to) return cameThrough(limit, batchEvents);
  if (question === null || (e.disowned && !isSent(plan, e))) return limit;
  // Over this link it must have gone out well before the question, and central be near: a word that crosses it knows nothing of the
  // newest. Where the mark stands still, nothing holds us back, and it may be far.
  const stands = e.skipped.length > 0 || isStuck(plan, e);
  const isNear = question.at - watch.at >= syncAfterMs / 2 && count(question.sent) <= unconfirmedEvents && !stands;
  if (watch.flight !== null && !(isNear && has(question.sent, watch.from))) return limit;
  const need = union(input.need, []);
  if (has(need, watch.from)) return limit.refuses ? { ...limit, watch: null } : notThrough(limit);
  const isIn = watch.to <= (need.at(-1)?.[1] ?? 0) || has(question.sent, watch.to);
  return isIn ? cameThrough(limit, batchEvents) : limit;
}

function answered(plan: Plan, e: EpochPlan, question: Question, need: Ranges): EpochPlan {
  // Holes may have left no room in `need` for what explains them.
  const tells =
    (need[0]?.[0] ?? Number.POSITIVE_INFINITY) <= e.hole
      ? e.tells.reduce<Ranges>((all, seq) => union(all, [[seq, seq]]), [])
      : [];
  const lacks = clip(union(missing(e.mark, need, question), tells), Math.max(e.firstSeq, e.mark + 1), e.liveNext - 1);
  const sentSince = without(e.sent, question.sent);
  const again = without(without(lacks, sentSince), union(flying(plan, e.epoch), e.skipped));
  return {
    ...e,
    open: true,
    question: null,
    untold: both(need, question.gone),
    todo: union(again, clip(e.todo, question.lastSeq + 1, e.lastSeq)),
    sent: without(e.sent, again),
  };
}

/**
 * What central lacks of what we asked about. `need` may be cut short, and an answer that crossed our question knows nothing of
 * the newest: beyond its end only what was never sent on this link. If more is missing there, the next answer says so.
 */
function missing(mark: number, need: Ranges, question: Question): Ranges {
  const start = need[0]?.[0] ?? mark + 1;
  const end = Math.max(mark, need.at(-1)?.[1] ?? 0);
  const tail = without(span(end + 1, question.lastSeq), question.sent);
  return union(union(need, span(mark + 1, start - 1)), tail);
}

export function acked(plan: Plan, id: number, now: number, rules: PlanRules): Plan {
  const before = plan.flights.find((flight) => flight.id === id);
  const sent = (e: EpochPlan, range: Ranges) => {
    if (!e.disowned) return sentToo(e, range);
    const again = { ...e, todo: union(e.todo, clip(range, e.mark + 1, e.lastSeq)) };
    return { ...(before?.unsure === true ? again : sentToo(e, range)), progressAt: now };
  };
  const landed = { ...land(plan, id, sent), ...(before === undefined ? {} : { refusals: 0, ackedAt: now }) };
  if (before === undefined) return landed;
  const came = (rules.confirm === 'broker' || landed.limit.refuses) && landed.limit.watch?.flight === id;
  const limit = came ? cameThrough(landed.limit, rules.batchEvents) : landed.limit;
  return stepOver({ ...landed, limit }, before.epoch, now, rules);
}

/** Where the broker's word is enough, the mark follows what was sent. */
export function stepOver(plan: Plan, epoch: string, now: number, rules: PlanRules): Plan {
  const e = plan.epochs.find((one) => one.epoch === epoch);
  const head = e?.sent[0];
  if (rules.confirm === 'store' || e === undefined || head === undefined) return plan;
  // What was trimmed cannot be sent: the mark steps over it.
  if (head[0] > Math.max(e.mark + 1, e.firstSeq)) return plan;
  // What is too large for this broker was never sent: the mark stays below it.
  const mark = Math.min(head[1], (e.skipped[0]?.[0] ?? Number.POSITIVE_INFINITY) - 1);
  if (mark <= e.mark) return plan;
  const next = { ...e, mark, sent: clip(e.sent, mark + 1, e.lastSeq), progressAt: now };
  return { ...change(plan, e.epoch, () => next), progressAt: now };
}

/** Opens the backlog without an answer: everything above the mark. */
export function begin(plan: Plan, e: EpochPlan): EpochPlan {
  if (e.open) return e;
  const all = span(Math.max(e.mark + 1, e.firstSeq), e.liveNext - 1);
  return { ...e, open: true, todo: without(without(all, e.sent), flying(plan, e.epoch)) };
}

/** Nothing is known of what this store has of it. */
export function forgotten(e: EpochPlan): EpochPlan {
  return { ...e, mark: 0, open: false, sent: [], came: [], again: 0, anew: true };
}

/** From now on it is one that central holds more or others of. */
export function disown(plan: Plan, e: EpochPlan, now: number): EpochPlan {
  return { ...begin(plan, e), disowned: true, syncDue: false, question: null, progressAt: now };
}
