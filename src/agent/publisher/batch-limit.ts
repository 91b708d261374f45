/**
 * How large batches may be before a broker that takes no message above a size and announces none. One batch at a time is
 * watched, over all links, until it is known whether it came through: a broker of MQTT 5 refuses it; otherwise central lacks it
 * in its answer to a question that was asked after it went out. Pure.
 */

/** Batches that must come through at one size before a larger one is tried again, at most. */
export const MAX_PATIENCE = 64;

interface Batch {
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  /** When it was launched. */
  readonly at: number;
}

export interface Watch extends Batch {
  /** null: it went out over an earlier link. */
  readonly flight: number | null;
  /** Of its payload; null: it is not written yet. */
  readonly bytes: number | null;
}

export interface BatchLimit {
  /** Events in a batch, at most. */
  readonly events: number;
  readonly watch: Watch | null;
  /** The first event of what last did not come through, and how often that was so in a row. */
  readonly missed: { readonly epoch: string; readonly seq: number; readonly times: number } | null;
  /** The last event that did not come through alone, twice and more. */
  readonly stuck: { readonly epoch: string; readonly seq: number; readonly bytes: number } | null;
  /** The smallest payload that made batches smaller; null: none, or one of its size has come through since. */
  readonly missedBytes: number | null;
  /** A smaller one has come through since: it is its size. */
  readonly isSize: boolean;
  /** The broker has refused one for its size: what it acknowledges has come through. */
  readonly refuses: boolean;
  /** The size has grown, and no batch of it has come through yet. */
  readonly grown: boolean;
  /** Batches of this size that came through, and how many must before it grows. */
  readonly came: number;
  readonly patience: number;
}

export function fullBatches(events: number): BatchLimit {
  return {
    events,
    watch: null,
    missed: null,
    stuck: null,
    missedBytes: null,
    isSize: false,
    refuses: false,
    grown: false,
    came: 0,
    patience: 1,
  };
}

/** What is launched takes the place of what is watched: sent again, larger, or what did not come through last time. */
export function watching(limit: BatchLimit, flight: Batch & { readonly id: number }): BatchLimit {
  const { watch, missed, stuck } = limit;
  const { id, epoch, from, to, at } = flight;
  const isAgain = (of: { readonly epoch: string; readonly seq: number } | null) =>
    of !== null && of.epoch === epoch && from <= of.seq && of.seq <= to;
  const isRepeated = watch === null || isAgain({ epoch: watch.epoch, seq: watch.from });
  // What is known to be stuck alone must not keep others from being found out.
  const isMissed = isAgain(missed) && !(from === to && isAgain(stuck));
  const isHeld = missed !== null && watch !== null && watch.epoch === missed.epoch && watch.from === missed.seq;
  const isLarger = watch !== null && to - from > watch.to - watch.from && (!isHeld || sizeOf(watch) === 1);
  if (!isRepeated && !isMissed && !isLarger) return limit;
  return { ...limit, watch: { epoch, from, to, at, flight: id, bytes: null } };
}

/** What is known of a flight now: what of it was really there, how large it is; null: it has not gone out. */
export function flown(limit: BatchLimit, flight: number, known: Partial<Watch> | null): BatchLimit {
  const { watch } = limit;
  if (watch === null || watch.flight !== flight) return limit;
  return { ...limit, watch: known === null ? null : { ...watch, ...known } };
}

/** On the next link; what was not written there says nothing. */
export function onNextLink(limit: BatchLimit): BatchLimit {
  const { watch } = limit;
  return { ...limit, watch: watch === null || watch.bytes === null ? null : { ...watch, flight: null } };
}

export function cameThrough(limit: BatchLimit, batchEvents: number): BatchLimit {
  const { watch, missed, stuck, missedBytes, events } = limit;
  if (watch === null) return limit;
  const isIn = (of: { readonly epoch: string; readonly seq: number } | null) =>
    of !== null && of.epoch === watch.epoch && watch.from <= of.seq && of.seq <= watch.to;
  const left = missedBytes === null || (watch.bytes ?? 0) >= missedBytes ? null : missedBytes;
  const heard = {
    ...limit,
    watch: null,
    missed: isIn(missed) ? null : missed,
    stuck: isIn(stuck) ? null : stuck,
    missedBytes: left,
    isSize: left !== null,
  };
  // One that is no larger than what was sent before it says nothing of this size.
  if (events >= batchEvents || 2 * sizeOf(watch) <= events) return heard;
  const patience = limit.grown ? 1 : limit.patience;
  const came = limit.came + 1;
  if (came < patience) return { ...heard, came };
  return { ...heard, events: Math.min(batchEvents, 2 * events), grown: true, came: 0, patience };
}

/** Once may be central that was away; twice in a row, or at a size that has just grown, is a reason for smaller ones. */
export function notThrough(limit: BatchLimit): BatchLimit {
  const { watch, missed, stuck, grown, events } = limit;
  if (watch === null) return limit;
  const { epoch, from: seq, bytes } = watch;
  const times = missed?.epoch === epoch && missed.seq === seq ? missed.times + 1 : 1;
  const next = { ...limit, watch: null, missed: { epoch, seq, times } };
  if (times < 2 && !(grown && 2 * sizeOf(watch) > events)) return next;
  const smaller = tooLarge(next, sizeOf(watch), bytes ?? 0);
  return { ...smaller, stuck: sizeOf(watch) > 1 ? stuck : { epoch, seq, bytes: bytes ?? 0 } };
}

/** A batch of so many events, and bytes, is too large: half of it is tried. Of one event alone others learn nothing. */
export function tooLarge(limit: BatchLimit, size: number, bytes: number): BatchLimit {
  const { grown, patience } = limit;
  const missedBytes = Math.min(limit.missedBytes ?? Number.POSITIVE_INFINITY, bytes);
  const events = size === 1 ? limit.events : Math.min(limit.events, Math.floor(size / 2));
  if (events === limit.events) return { ...limit, missedBytes };
  const slower = grown ? Math.min(MAX_PATIENCE, 2 * patience) : patience;
  return { ...limit, missedBytes, events, grown: false, came: 0, patience: slower };
}

function sizeOf({ from, to }: Pick<Batch, 'from' | 'to'>): number {
  return to - from + 1;
}
