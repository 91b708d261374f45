/**
 * What collars did in the last minute, for who looks on over MQTT: remembered only while somebody asks, of a few collars at once. It sees
 * what the detectors decide and decides nothing itself.
 */
import {
  LIVE_COLUMN_MS,
  LIVE_COLUMNS,
  type LiveBorders,
  type LiveBurst,
  type LiveColumn,
  type LiveMeasure,
  type LiveTrace,
  MAX_LIVE_BURSTS,
} from '../contract/live.ts';
import type { Detection } from './detector/detection.ts';
import type { ShakeSettings } from './detector/shake-settings.ts';
import { levelBorder, shakeBorders, viewShake } from './detector/shake-view.ts';
import { createSigns, type Signs, weightOf } from './detector/signs.ts';
import type { WatchInput, WatchState } from './detector/watch.ts';

export interface Traces {
  /** An input that the detectors have decided on, and how they stand after it. */
  note(input: WatchInput, detections: readonly Detection[], state: WatchState): void;
  /** From now on it is remembered. Columns from `from` on; a text is why nobody more may look on. */
  look(collar: string, from: number): LiveTrace | string;
}

/** Collars that are looked at at once. */
export const MAX_TRACED = 4;
/** Who has not asked for so long looks no more. */
export const UNASKED_MS = 30_000;

type Changing<T> = { -readonly [K in keyof T]: T[K] };

interface Trace {
  askedMs: number;
  measure: LiveMeasure | null;
  readonly signs: Signs;
  columns: Changing<LiveColumn>[];
  bursts: Changing<LiveBurst>[];
}

export function createTraces(settings: ShakeSettings, monoNow: () => number): Traces {
  const traces = new Map<string, Trace>();
  return {
    note(input, detections, state) {
      if (traces.size === 0) return;
      for (const one of detections) noteBurst(traces.get(one.collar), one);
      if (input.type !== 'reading') return;
      const { reading } = input;
      const trace = traces.get(reading.collar);
      const watched = state.collars.get(reading.collar);
      if (trace === undefined || watched === undefined) return;
      const { shake } = watched;
      const { measure, level, odds, sinceMs } = viewShake(shake, reading);
      // A receiver that heard it says nothing of how it moves.
      if (reading.axG === undefined && reading.shake === undefined && reading.edges === undefined) return;
      trace.measure = measure;
      trace.signs.take(reading, level, weightOf(shake.shaking.window));
      addColumn(trace, { no: Math.floor(reading.atMs / LIVE_COLUMN_MS), level, odds, shaking: sinceMs !== null });
    },
    look(collar, from) {
      const nowMs = monoNow();
      for (const [name, { askedMs }] of traces) if (nowMs - askedMs > UNASKED_MS) traces.delete(name);
      let trace = traces.get(collar);
      if (trace === undefined) {
        if (traces.size >= MAX_TRACED) return `${MAX_TRACED} collars are looked at already: try again in a while`;
        trace = { askedMs: nowMs, measure: null, signs: createSigns(), columns: [], bursts: [] };
        traces.set(collar, trace);
      }
      trace.askedMs = nowMs;
      return traceOf(collar, trace, from, nowMs, settings);
    },
  };
}

function noteBurst(trace: Trace | undefined, one: Detection): void {
  if (trace === undefined) return;
  if (one.type === 'meow.started') trace.bursts.push({ startMs: one.startMs, endMs: null });
  if (one.type !== 'meow.ended') return;
  const open = trace.bursts.find(({ endMs }) => endMs === null);
  // It began before anybody looked.
  if (open === undefined) trace.bursts.push({ startMs: one.startMs, endMs: one.endMs });
  else open.endMs = one.endMs;
  trace.bursts = trace.bursts.slice(-MAX_LIVE_BURSTS);
}

/** The strongest of what falls into one column. A clock that has gone back begins anew. */
function addColumn(trace: Trace, column: LiveColumn): void {
  const last = trace.columns.at(-1);
  if (last !== undefined && column.no < last.no) trace.columns = [];
  if (last?.no !== column.no) {
    trace.columns.push({ ...column });
    while ((trace.columns[0]?.no ?? column.no) <= column.no - LIVE_COLUMNS) trace.columns.shift();
    return;
  }
  last.level = Math.max(last.level, column.level);
  if (column.odds !== null) last.odds = Math.max(last.odds ?? column.odds, column.odds);
  last.shaking ||= column.shaking;
}

function traceOf(collar: string, trace: Trace, from: number, nowMs: number, settings: ShakeSettings): LiveTrace {
  const { measure, signs } = trace;
  const rateHz = signs.rateHz();
  const oldestMs = nowMs - LIVE_COLUMNS * LIVE_COLUMN_MS;
  return {
    collar,
    nowMs: Math.round(nowMs),
    measure,
    borders: bordersOf(measure, settings, collar),
    columns: trace.columns
      .filter(({ no }) => no >= from && no * LIVE_COLUMN_MS > oldestMs)
      .slice(-LIVE_COLUMNS)
      .map((one) => ({ ...one, level: rounded(one.level), odds: one.odds === null ? null : rounded(one.odds) })),
    bursts: trace.bursts
      .filter(({ endMs }) => endMs === null || endMs > oldestMs)
      .map(({ startMs, endMs }) => ({
        startMs: Math.round(startMs),
        endMs: endMs === null ? null : Math.round(endMs),
      })),
    rateHz: rateHz === null ? null : rounded(rateHz),
    restG: signs.restG === null ? null : rounded(signs.restG),
    warnings: signs.warnings(),
  };
}

function bordersOf(measure: LiveMeasure | null, settings: ShakeSettings, collar: string): LiveBorders {
  const borders = shakeBorders(settings, collar);
  const isJudged = measure === null || measure === 'acceleration';
  const { onOdds, offOdds } = isJudged ? borders : { onOdds: null, offOdds: null };
  return { onOdds, offOdds, level: rounded(levelBorder(borders, measure ?? 'acceleration')) };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
