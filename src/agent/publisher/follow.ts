/** How a plan follows the log: epochs are opened, grow, are trimmed, and have holes. Pure. */
import { flown } from './batch-limit.ts';
import { stepOver } from './confirm.ts';
import {
  change,
  type EpochPlan,
  isWaiting,
  type LogSpan,
  type Plan,
  type PlanInput,
  type PlanRules,
} from './plan-state.ts';
import { clip, span, union } from './ranges.ts';

export function openEpoch(head: LogSpan, now: number, asks: boolean): EpochPlan {
  const { epoch, firstSeq, lastSeq } = head;
  const mark = Math.min(head.storedSeq, lastSeq);
  return {
    epoch,
    firstSeq,
    lastSeq,
    mark,
    open: !asks,
    liveNext: lastSeq + 1,
    todo: asks ? [] : span(Math.max(mark + 1, firstSeq), lastSeq),
    sent: [],
    tells: head.tells ?? [],
    hole: 0,
    gone: [],
    untold: [],
    skipped: [],
    // Also what is wholly stored: central may have been restored from a backup while we were away.
    // And what is not held any more: it takes our word for it to let the mark pass, and notes what it lacks for ever.
    syncDue: asks,
    question: null,
    askedAt: Number.NEGATIVE_INFINITY,
    doubt: false,
    doubtedAt: Number.NEGATIVE_INFINITY,
    progressAt: now,
    disowned: false,
    came: [],
    again: 0,
    anew: false,
  };
}

export function follow(plan: Plan, heads: readonly LogSpan[], now: number): Plan {
  const known = new Map(plan.epochs.map((e) => [e.epoch, e]));
  const current = heads.at(-1)?.epoch;
  const epochs = heads.map((head): EpochPlan => {
    const old = known.get(head.epoch) ?? newEpoch(head, now);
    const { firstSeq, lastSeq, tells = [] } = head;
    const progressAt = isWaiting(old) || old.disowned ? old.progressAt : now;
    const liveNext = Math.max(old.liveNext, firstSeq);
    const e = { ...old, firstSeq, lastSeq, tells, progressAt, liveNext, todo: clip(old.todo, firstSeq, lastSeq) };
    if (head.epoch === current || liveNext > lastSeq) return e;
    // No longer written: what was to go live is backlog now.
    return { ...e, todo: union(e.todo, span(liveNext, lastSeq)), liveNext: lastSeq + 1 };
  });
  const begins = !plan.epochs.some(isWaiting) && epochs.some(isWaiting);
  return { ...plan, epochs, progressAt: begins ? now : plan.progressAt };
}

/** An epoch that began during this link: central cannot know it, so there is nothing to ask. */
function newEpoch(head: LogSpan, now: number): EpochPlan {
  return openEpoch({ ...head, lastSeq: 0, storedSeq: 0 }, now, false);
}

/**
 * A batch ends where the log has a hole; what comes behind it is another batch. The hole itself needs no sending: it counts as
 * sent, so that ranges stay whole and, where the broker's word is enough, the mark steps over it.
 */
export function narrow(plan: Plan, input: PlanInput & { type: 'read' }, now: number, rules: PlanRules): Plan {
  const { flight: id, from, to } = input;
  const flight = plan.flights.find((one) => one.id === id);
  if (flight === undefined) return plan;
  const nothing = from > to;
  const hole = span(flight.from, nothing ? flight.to : from - 1);
  const rest = nothing ? [] : span(Math.max(flight.from, to + 1), flight.to);
  const flights = plan.flights.flatMap((one) => (one.id !== id ? [one] : nothing ? [] : [{ ...one, from, to }]));
  const limit = flown(plan.limit, id, nothing ? null : { from, to });
  const narrowed = change({ ...plan, flights, limit }, flight.epoch, (e) => {
    const known = {
      ...e,
      hole: Math.max(e.hole, hole[0]?.[1] ?? 0),
      gone: union(e.gone, clip(hole, e.mark + 1, e.lastSeq)),
      sent: union(e.sent, clip(hole, e.mark + 1, e.lastSeq)),
    };
    if (rest.length === 0) return known;
    if (flight.lane === 'events' && e.liveNext === flight.to + 1) return { ...known, liveNext: to + 1 };
    return { ...known, todo: union(e.todo, clip(rest, e.mark + 1, e.lastSeq)) };
  });
  return hole.length === 0 ? narrowed : stepOver(narrowed, flight.epoch, now, rules);
}
