/**
 * Which events a `history.lost` event speaks of, both directions: exactly those that are gone, never one that is still held.
 * What is held may come later than what tells the loss, and a reader that skipped it could not take it in order any more.
 */
import type { EventData } from './event.ts';
import type { SeqRange } from './message.ts';

type Lost = EventData['history.lost'];

/** Ranges in one event: it stays below 8 KiB, however the lost ones lie. */
export const MAX_LOST_RANGES = 500;
/** Lengths of lost and held ones in turn: a loss begins and ends them. */
const MAX_LOST_RUNS = 2 * MAX_LOST_RANGES - 1;

/** `ranges` are sorted, disjoint and do not touch. As many events as it takes. */
export function lostData(epoch: string, ranges: readonly SeqRange[], reason: string): Lost[] {
  const told: Lost[] = [];
  for (let at = 0; at < ranges.length; at += MAX_LOST_RANGES) {
    const some = ranges.slice(at, at + MAX_LOST_RANGES);
    const fromSeq = some[0]?.[0] ?? 0;
    const toSeq = some.at(-1)?.[1] ?? 0;
    const count = some.reduce((sum, [from, to]) => sum + to - from + 1, 0);
    const lost: Lost = { epoch, fromSeq, toSeq, count, reason };
    told.push(some.length === 1 ? lost : { ...lost, runs: runsOf(some) });
  }
  return told;
}

/** What is lost; null where the body tells no range, or contradicts itself, or tells more ranges than one event may. */
export function lostRanges(body: Readonly<Record<string, unknown>>): readonly SeqRange[] | null {
  const { fromSeq, toSeq, runs } = body;
  if (!isPositive(fromSeq) || !isPositive(toSeq) || fromSeq > toSeq) return null;
  if (runs === undefined) return [[fromSeq, toSeq]];
  if (!Array.isArray(runs) || runs.length % 2 === 0 || runs.length > MAX_LOST_RUNS) return null;
  const ranges: SeqRange[] = [];
  let next = fromSeq;
  for (const [i, length] of runs.entries()) {
    if (!isPositive(length)) return null;
    if (i % 2 === 0) ranges.push([next, next + length - 1]);
    next += length;
  }
  return next === toSeq + 1 ? ranges : null;
}

function runsOf(ranges: readonly SeqRange[]): number[] {
  const runs: number[] = [];
  let next = ranges[0]?.[0] ?? 0;
  for (const [from, to] of ranges) {
    if (from > next) runs.push(from - next);
    runs.push(to - from + 1);
    next = to + 1;
  }
  return runs;
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
