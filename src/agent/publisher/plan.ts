/**
 * What to send next over one link, decided from what the log holds, what was sent and what central told. Pure; times are
 * monotonic milliseconds. It knows seqs only: no event waits in memory.
 *
 * Invariant: once an epoch is `open`, every seq above its mark that the log holds is in exactly one of `todo` (to be sent as
 * backlog), `sent` (PUBACK came), a flight (on its way), or from `liveNext` on (to be sent live); or central said it holds it.
 */
import { type BatchLimit, flown, fullBatches, notThrough, onNextLink, tooLarge, watching } from './batch-limit.ts';
import { acked, begin, confirm, disown, forgotten } from './confirm.ts';
import { follow, narrow, openEpoch } from './follow.ts';
import {
  change,
  type EpochPlan,
  type Flight,
  isSent,
  isStuck,
  isWaiting,
  type Lane,
  type LogSpan,
  land,
  type Plan,
  type PlanInput,
  type PlanRules,
  sendAgain,
  sentToo,
} from './plan-state.ts';
import { clip, has, type Ranges, span, union, without } from './ranges.ts';

/** `limit`: that of the last plan, the link before. */
export function openPlan(
  epochs: readonly LogSpan[],
  rules: PlanRules,
  now: number,
  limit: BatchLimit = fullBatches(rules.batchEvents),
): Plan {
  const next = onNextLink(limit);
  return {
    epochs: epochs.map((head) => openEpoch(head, now, rules.confirm === 'store')),
    flights: [],
    nextFlight: 1,
    refusals: 0,
    pausedUntil: now,
    ackedAt: now,
    progressAt: now,
    // Where the broker's word is enough, what has none did not come through.
    limit: rules.confirm === 'store' || next.refuses ? next : notThrough(next),
  };
}

export function step(plan: Plan, input: PlanInput, now: number, rules: PlanRules): Plan {
  switch (input.type) {
    case 'log':
      return follow(plan, input.epochs, now);
    case 'synced':
      return change(plan, input.epoch, (e) => ({
        ...e,
        syncDue: false,
        question: { at: now, lastSeq: e.lastSeq, sent: e.sent, gone: e.gone },
        askedAt: now,
        doubt: false,
        doubtedAt: e.doubt ? now : e.doubtedAt,
      }));
    case 'recheck':
      return {
        ...plan,
        refusals: 0,
        pausedUntil: now,
        flights: plan.flights.map((flight) => ({ ...flight, unsure: true })),
        epochs: plan.epochs.map((e) => {
          if (!e.disowned) return { ...e, syncDue: true, anew: e.anew || input.other === true };
          return input.other === true ? disown(plan, forgotten(e), now) : sendAgain(e);
        }),
      };
    case 'stored':
      return confirm(plan, input, now, rules);
    case 'came':
      return change(plan, input.epoch, (e) => ({ ...e, came: union(e.came, span(input.from, input.to)) }));
    case 'disowned':
      return change(plan, input.epoch, (e) => {
        // Nobody has proven what another store holds below our mark; and one that holds less than it had confirmed has forgotten.
        const forgot = !e.disowned && (e.anew || (input.seq ?? e.mark) < e.mark);
        if (input.other === true || forgot) return disown(plan, forgotten(e), now);
        return e.disowned ? e : disown(plan, e, now);
      });
    case 'read':
      return narrow(plan, input, now, rules);
    case 'weighed':
      return { ...plan, limit: flown(plan.limit, input.flight, { bytes: input.bytes }) };
    case 'skipped':
      return skip(plan, input.flight);
    case 'acked':
      return acked(plan, input.flight, now, rules);
    case 'refused':
      return {
        ...giveBack(plan, input.flight),
        refusals: plan.refusals + 1,
        pausedUntil: now + input.pauseMs,
        ackedAt: now,
      };
    case 'too large': {
      const flight = plan.flights.find((one) => one.id === input.flight);
      if (flight === undefined) return plan;
      const size = flight.to - flight.from + 1;
      const landed = size === 1 ? skip(plan, flight.id) : giveBack(plan, flight.id);
      const limit = { ...tooLarge(landed.limit, size, input.bytes), refuses: true };
      return { ...landed, ackedAt: now, limit };
    }
    case 'tick':
      return {
        ...plan,
        epochs: plan.epochs.map((e) => {
          // Quiet for a while: the answers to all batches have come, and the next one is the answer to our question.
          if (isSent(plan, e) && e.question === null && now - e.progressAt >= rules.syncAfterMs)
            return { ...e, syncDue: true };
          return !e.open && e.question !== null && now - e.question.at >= rules.openAfterMs ? begin(plan, e) : e;
        }),
      };
  }
}

/** It is too large for this broker: taken for sent. */
function skip(plan: Plan, flight: number): Plan {
  const limit = flown(plan.limit, flight, null);
  return land({ ...plan, limit }, flight, (e, range) => {
    return { ...sentToo(e, range), skipped: union(e.skipped, range) };
  });
}

/** It did not go out: it waits again. */
function giveBack(plan: Plan, flight: number): Plan {
  const limit = flown(plan.limit, flight, null);
  return land({ ...plan, limit }, flight, (e, range) => {
    return { ...e, todo: union(e.todo, clip(range, e.mark + 1, e.lastSeq)) };
  });
}

/** The next batch to send, and the plan in which it is on its way; null where it is better to wait. */
export function take(plan: Plan, now: number, rules: PlanRules): readonly [Plan, Flight] | null {
  const window = plan.refusals > 0 ? 1 : rules.window;
  if (now < plan.pausedUntil || plan.flights.length >= window) return null;
  const size = Math.min(rules.batchEvents, plan.limit.events);
  const current = plan.epochs.at(-1);
  if (current !== undefined && current.liveNext <= current.lastSeq) {
    const from = current.liveNext;
    const to = Math.min(current.lastSeq, from + size - 1);
    return launch(plan, { ...current, liveNext: to + 1 }, 'events', from, to, now);
  }
  const backlogWindow = window - Math.floor((window + 2) / 4);
  if (plan.flights.filter((flight) => flight.lane === 'backlog').length >= backlogWindow) return null;
  for (const e of plan.epochs) {
    const seq = e.tells.find((one) => has(e.todo, one));
    if (seq === undefined) continue;
    return launch(plan, { ...e, todo: without(e.todo, [[seq, seq]]) }, 'backlog', seq, seq, now);
  }
  for (const e of plan.epochs) {
    const head = e.todo[0];
    if (head === undefined || isAhead(plan, e, head[0], rules)) continue;
    const [from, to] = [head[0], Math.min(head[1], head[0] + size - 1)];
    return launch(plan, { ...e, todo: without(e.todo, [[from, to]]) }, 'backlog', from, to, now);
  }
  return null;
}

/** Epochs for which `sync` is to be published now. */
export function dueSyncs(plan: Plan, now: number, rules: PlanRules): readonly string[] {
  if (rules.confirm === 'broker') return [];
  // An answer that moves nothing is no reason to ask again at once.
  const isQuiet = (e: EpochPlan) => now - Math.max(e.askedAt, e.question?.at ?? e.progressAt) >= rules.syncAfterMs;
  const isOpen = (e: EpochPlan) => e.question !== null || (isWaiting(e) && e.sent.length > 0);
  // However many lower marks come: one question about them has a while for its answer.
  const doubts = (e: EpochPlan) => e.doubt && now - e.doubtedAt >= rules.syncAnswerMs;
  return plan.epochs.filter((e) => e.syncDue || doubts(e) || (isOpen(e) && isQuiet(e))).map((e) => e.epoch);
}

/** Nothing has been confirmed for too long although something waits. */
export function isStalled(plan: Plan, now: number, rules: PlanRules): boolean {
  return plan.epochs.some(isWaiting) && now - plan.progressAt >= rules.stalledAfterMs;
}

/** MQTT forbids to send again on a living link: no PUBACK for too long ends it. */
export function isDeaf(plan: Plan, now: number, rules: PlanRules): boolean {
  const oldest = Math.min(...plan.flights.map((flight) => flight.at));
  return plan.flights.length > 0 && now - Math.max(oldest, plan.ackedAt) >= rules.stalledAfterMs;
}

export function markOf(plan: Plan, epoch: string): number | null {
  return plan.epochs.find((e) => e.epoch === epoch)?.mark ?? null;
}

/** What central lacks and nobody holds. */
export function untoldOf(plan: Plan, epoch: string): Ranges {
  return plan.epochs.find((e) => e.epoch === epoch)?.untold ?? [];
}

/**
 * Too far ahead of the mark. Everything below `next` has been sent, so the mark moves if central does; unless there is a hole
 * in front (given up, or too large to send or to come through): then it moves only after what explains the hole, at the end of the log. The mark of
 * a disowned epoch moves when all is sent.
 */
function isAhead(plan: Plan, e: EpochPlan, next: number, rules: PlanRules): boolean {
  const stays = e.disowned || isStuck(plan, e) || e.skipped.length > 0 || e.hole > e.mark || e.firstSeq > e.mark + 1;
  return rules.confirm === 'store' && !stays && next - e.mark - 1 >= rules.unconfirmedEvents;
}

function launch(plan: Plan, e: EpochPlan, lane: Lane, from: number, to: number, now: number): readonly [Plan, Flight] {
  const flight: Flight = { id: plan.nextFlight, epoch: e.epoch, lane, from, to, at: now };
  const next = change(plan, e.epoch, () => e);
  const limit = watching(isOver(plan) ? { ...plan.limit, watch: null } : plan.limit, flight);
  return [{ ...next, limit, nextFlight: plan.nextFlight + 1, flights: [...plan.flights, flight] }, flight];
}

/** Of what is watched nobody will say anything any more: it is gone from the log. */
function isOver({ limit: { watch }, epochs }: Plan): boolean {
  const e = epochs.find((one) => one.epoch === watch?.epoch);
  return watch !== null && (e === undefined || watch.from < e.firstSeq);
}
