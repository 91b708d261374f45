/** What the plan of one link is made of. Pure. */
import type { SeqRange } from '../../contract/message.ts';
import type { BatchLimit } from './batch-limit.ts';
import { clip, type Ranges, union, without } from './ranges.ts';

export interface PlanRules {
  readonly confirm: 'store' | 'broker';
  readonly batchEvents: number;
  /** Batches on the way at once; a quarter of them is kept for live events. */
  readonly window: number;
  readonly unconfirmedEvents: number;
  /** Between two questions about the same doubt. */
  readonly syncAnswerMs: number;
  /** Backlog waits so long for the first answer to `sync`. */
  readonly openAfterMs: number;
  readonly syncAfterMs: number;
  readonly stalledAfterMs: number;
}

export type Lane = 'events' | 'backlog';

export interface Flight {
  readonly id: number;
  readonly epoch: string;
  readonly lane: Lane;
  readonly from: number;
  readonly to: number;
  readonly at: number;
  /** Of a disowned epoch, and on its way while central was away: its PUBACK says nothing. */
  readonly unsure?: boolean;
}

export interface Question {
  readonly at: number;
  readonly lastSeq: number;
  readonly sent: Ranges;
  readonly gone: Ranges;
}

export interface EpochPlan {
  readonly epoch: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Confirmed up to here, by what was heard on this link or, before that, on earlier ones. */
  readonly mark: number;
  readonly open: boolean;
  readonly liveNext: number;
  readonly todo: Ranges;
  readonly sent: Ranges;
  /** They go first: without them central can pass no hole, and keeps asking for what nobody has. */
  readonly tells: readonly number[];
  /** The highest seq of which it is known that the log has given it up: nothing is sent there, and the mark waits for `history.lost`. */
  readonly hole: number;
  /** What was to be read on this link and is not in the log. */
  readonly gone: Ranges;
  /** Of that: what central lacks all the same, by its answer to a question that was asked when it was gone. It is to be told. */
  readonly untold: Ranges;
  /** Too large for this broker: taken for sent, and the mark will not pass them. */
  readonly skipped: Ranges;
  readonly syncDue: boolean;
  /** The last `sync` that has no answer yet, with what had been sent before it. */
  readonly question: Question | null;
  /** When the last one was, answered or not. */
  readonly askedAt: number;
  /** A mark came that is lower than ours: we are to ask; and when we last asked for that. */
  readonly doubt: boolean;
  readonly doubtedAt: number;
  readonly progressAt: number;
  /**
   * Central holds more or others of it than we do: it is sent once, so that central keeps what differs as conflicts. Then we
   * ask once; with the answer it is done.
   */
  readonly disowned: boolean;
  /** Of a disowned epoch: what central has said that it came, as long as the link lives; and how often the rest was sent again. */
  readonly came: Ranges;
  readonly again: number;
  /** Central is another store than the one that had taken it before: of a disowned epoch it may lack what it does not name. */
  readonly anew: boolean;
}

export interface Plan {
  /** Oldest first; the last one is being written. */
  readonly epochs: readonly EpochPlan[];
  readonly flights: readonly Flight[];
  readonly nextFlight: number;
  /** Refusals in a row: then one batch at a time, after a pause. */
  readonly refusals: number;
  readonly pausedUntil: number;
  readonly ackedAt: number;
  readonly progressAt: number;
  /** The only part that the next link begins with. */
  readonly limit: BatchLimit;
}

export interface LogSpan {
  readonly epoch: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly storedSeq: number;
  /** Seqs of `history.lost` events that explain holes. */
  readonly tells?: readonly number[];
}

export type PlanInput =
  /** The log grew, was trimmed, or has a new epoch. */
  | { readonly type: 'log'; readonly epochs: readonly LogSpan[] }
  | { readonly type: 'synced'; readonly epoch: string }
  /** Ask again for every epoch: central is back, or is another store than before. */
  | { readonly type: 'recheck'; readonly other?: boolean }
  | {
      readonly type: 'stored';
      readonly epoch: string;
      readonly seq: number;
      readonly need: readonly SeqRange[];
      /** From another store than before: no late word of the one that we know. */
      readonly other?: boolean;
      /** Central names the batches that are not new to it: of a disowned epoch, one that it did not name has not come. */
      readonly names?: boolean;
    }
  /** Central has named a batch of ours. */
  | { readonly type: 'came'; readonly epoch: string; readonly from: number; readonly to: number }
  /** Of `seq` is known that central holds another history up to there. */
  | { readonly type: 'disowned'; readonly epoch: string; readonly seq?: number; readonly other?: boolean }
  /** What of the flight was really there to be sent; `from` > `to`: nothing. */
  | { readonly type: 'read'; readonly flight: number; readonly from: number; readonly to: number }
  /** Its payload, before it goes out. */
  | { readonly type: 'weighed'; readonly flight: number; readonly bytes: number }
  | { readonly type: 'skipped'; readonly flight: number }
  | { readonly type: 'acked'; readonly flight: number }
  | { readonly type: 'refused'; readonly flight: number; readonly pauseMs: number }
  /** Refused for its size. */
  | { readonly type: 'too large'; readonly flight: number; readonly bytes: number }
  | { readonly type: 'tick' };

/** Up to where a disowned epoch is done once all is sent: what is too large for this broker was not. */
export function givenUpTo(e: EpochPlan): number {
  return Math.min(e.lastSeq, (e.skipped[0]?.[0] ?? Number.POSITIVE_INFINITY) - 1);
}

/**
 * Central was away: what the broker has acknowledged meanwhile it may have dropped. Of a disowned epoch no answer says which
 * numbers hold our event and which another one, so all that was sent goes again.
 */
export function sendAgain(e: EpochPlan): EpochPlan {
  const again = without(clip(e.sent, e.mark + 1, e.lastSeq), e.skipped);
  return { ...e, todo: union(e.todo, again), sent: without(e.sent, again), question: null, syncDue: false };
}

/** A disowned epoch of which everything was sent, and which is not done. */
export function isSent(plan: Plan, e: EpochPlan): boolean {
  const isAll = e.open && e.todo.length === 0 && e.liveNext > e.lastSeq && flying(plan, e.epoch).length === 0;
  return e.disowned && isAll && e.mark < givenUpTo(e);
}

/** One of its events does not come through alone, and the mark waits for it. */
export function isStuck({ limit: { stuck } }: Plan, e: EpochPlan): boolean {
  return stuck !== null && stuck.epoch === e.epoch && stuck.seq > e.mark;
}

export function isWaiting(e: EpochPlan): boolean {
  return !e.disowned && e.mark < e.lastSeq;
}

export function sentToo(e: EpochPlan, range: Ranges): EpochPlan {
  return { ...e, sent: union(e.sent, clip(range, e.mark + 1, e.lastSeq)) };
}

export function land(plan: Plan, id: number, then: (e: EpochPlan, range: Ranges) => EpochPlan): Plan {
  const flight = plan.flights.find((one) => one.id === id);
  if (flight === undefined) return plan;
  const flights = plan.flights.filter((one) => one !== flight);
  return change({ ...plan, flights }, flight.epoch, (e) => then(e, [[flight.from, flight.to]]));
}

export function flying(plan: Plan, epoch: string): Ranges {
  return plan.flights
    .filter((flight) => flight.epoch === epoch)
    .reduce<Ranges>((all, { from, to }) => union(all, [[from, to]]), []);
}

export function change(plan: Plan, epoch: string, to: (e: EpochPlan) => EpochPlan): Plan {
  return { ...plan, epochs: plan.epochs.map((e) => (e.epoch === epoch ? to(e) : e)) };
}
