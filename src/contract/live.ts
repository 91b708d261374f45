/**
 * What a collar did in the last minute, for who looks on: told by an agent that is asked (`request/live`), passed on by central, kept by
 * nobody. Times are in the agent's monotonic clock: only their distance to `nowMs` says something.
 */

/** A column stands for so much time: the strongest of what falls into it. */
export const LIVE_COLUMN_MS = 250;
/** A minute. */
export const LIVE_COLUMNS = 240;
export const MAX_LIVE_BURSTS = 60;

const MAX_WARNINGS = 8;
const MAX_WARNING_CHARACTERS = 200;
const MAX_COLLAR_CHARACTERS = 64;

/** By which the collar is judged: in g, by its own shake level, or by edges of a vibration switch in half a second. */
export type LiveMeasure = 'acceleration' | 'level' | 'edges';

export interface LiveColumn {
  /** Times LIVE_COLUMN_MS it is when the column began. */
  readonly no: number;
  readonly level: number;
  /** Log-odds that it shook; null without acceleration. */
  readonly odds: number | null;
  readonly shaking: boolean;
}

export interface LiveBurst {
  readonly startMs: number;
  /** null: it goes on. */
  readonly endMs: number | null;
}

/** What a shake must reach, in the measure of the collar. */
export interface LiveBorders {
  /** A shake begins above these odds and goes on above those; null where the level alone decides. */
  readonly onOdds: number | null;
  readonly offOdds: number | null;
  /** It begins above this level; with acceleration, it goes on above it. */
  readonly level: number;
}

export interface LiveTrace {
  readonly collar: string;
  readonly nowMs: number;
  /** null: nothing was heard of it since somebody began to look on. */
  readonly measure: LiveMeasure | null;
  readonly borders: LiveBorders;
  /** Oldest first. Time without a reading has none. */
  readonly columns: readonly LiveColumn[];
  readonly bursts: readonly LiveBurst[];
  /** Readings of acceleration a second, and what it weighs at rest; null: too little is known. */
  readonly rateHz: number | null;
  readonly restG: number | null;
  readonly warnings: readonly string[];
}

/** As it goes over MQTT: columns are most of it, so they are lists of numbers. */
export function encodeLive({ columns, bursts, ...rest }: LiveTrace): Readonly<Record<string, unknown>> {
  return {
    ...rest,
    columns: columns.map(({ no, level, odds, shaking }) => [no, level, odds, shaking ? 1 : 0]),
    bursts: bursts.map(({ startMs, endMs }) => [startMs, endMs]),
  };
}

/** Null where it is none: an agent is a stranger. */
export function decodeLive(body: Readonly<Record<string, unknown>>): LiveTrace | null {
  const { collar, nowMs, measure, rateHz, restG } = body;
  const borders = decodeBorders(body.borders);
  const columns = listOf(body.columns, LIVE_COLUMNS, decodeColumn);
  const bursts = listOf(body.bursts, MAX_LIVE_BURSTS, decodeBurst);
  const warnings = listOf(body.warnings, MAX_WARNINGS, (one) =>
    typeof one === 'string' ? one.slice(0, MAX_WARNING_CHARACTERS) : null,
  );
  if (typeof collar !== 'string' || collar === '' || collar.length > MAX_COLLAR_CHARACTERS) return null;
  if (borders === null || columns === null || bursts === null || warnings === null) return null;
  if (!isNumber(nowMs) || !isNumberOrNull(rateHz) || !isNumberOrNull(restG)) return null;
  if (measure !== null && measure !== 'acceleration' && measure !== 'level' && measure !== 'edges') return null;
  return { collar, nowMs, measure, borders, columns, bursts, rateHz, restG, warnings };
}

/** The newer answer says all but the columns before those that it brings. */
export function joinLive(before: LiveTrace | null, newer: LiveTrace): LiveTrace {
  const now = Math.floor(newer.nowMs / LIVE_COLUMN_MS);
  const from = newer.columns[0]?.no ?? Number.POSITIVE_INFINITY;
  // A clock that has gone back is of an agent that has begun anew.
  const known = before === null || before.nowMs > newer.nowMs ? [] : before.columns.filter(({ no }) => no < from);
  const columns = [...known, ...newer.columns].filter(({ no }) => no > now - LIVE_COLUMNS).slice(-LIVE_COLUMNS);
  return { ...newer, columns };
}

function decodeColumn(value: unknown): LiveColumn | null {
  if (!Array.isArray(value)) return null;
  const [no, level, odds, shaking] = value as readonly unknown[];
  if (!isNumber(no) || !Number.isSafeInteger(no) || !isNumber(level) || !isNumberOrNull(odds)) return null;
  return { no, level, odds, shaking: shaking === 1 };
}

function decodeBurst(value: unknown): LiveBurst | null {
  if (!Array.isArray(value)) return null;
  const [startMs, endMs] = value as readonly unknown[];
  return isNumber(startMs) && isNumberOrNull(endMs) ? { startMs, endMs } : null;
}

function decodeBorders(value: unknown): LiveBorders | null {
  if (typeof value !== 'object' || value === null) return null;
  const { onOdds, offOdds, level } = value as Readonly<Record<string, unknown>>;
  return isNumberOrNull(onOdds) && isNumberOrNull(offOdds) && isNumber(level) ? { onOdds, offOdds, level } : null;
}

/** Null where it is no list, is longer, or has something else in it. */
function listOf<T>(value: unknown, most: number, decode: (one: unknown) => T | null): T[] | null {
  if (!Array.isArray(value) || value.length > most) return null;
  const found = value.map(decode).filter((one) => one !== null);
  return found.length === value.length ? found : null;
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

function isNumberOrNull(value: unknown): value is number | null {
  return value === null || Number.isFinite(value);
}
