/** Checks of single values that strangers write. Each gives the value, undefined where it is absent, or BAD. */
import { MOVE_COUNTS } from './reading.ts';

export const BAD: unique symbol = Symbol('bad value');
export type Checked<T> = T | undefined | typeof BAD;

/** The longest id or name, in characters. */
const MAX_NAME = 64;
/** No accelerometer on a collar measures more. */
const MAX_G = 200;
const MAX_MS = 8.64e15;

/** 1 g in m/s². */
export const STANDARD_GRAVITY = 9.80665;

/** Unit of acceleration: a name, or how many counts of the sensor are 1 g. */
export type AccelerationUnit = 'g' | 'mg' | 'm/s2' | number;

export function countsPerG(unit: AccelerationUnit): number {
  switch (unit) {
    case 'g':
      return 1;
    case 'mg':
      return 1000;
    case 'm/s2':
      return STANDARD_GRAVITY;
    default:
      return unit;
  }
}

/** What an absent value may be: many senders write null for "unknown". */
function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/** A number from `min` to `max`. */
export function checkNumber(value: unknown, min: number, max: number): Checked<number> {
  if (isAbsent(value)) return undefined;
  return typeof value === 'number' && value >= min && value <= max ? value : BAD;
}

/** An acceleration of which `perG` are 1 g, in g. */
export function checkG(value: unknown, perG = 1): Checked<number> {
  return checkNumber(typeof value === 'number' ? value / perG : value, -MAX_G, MAX_G);
}

export const checkMs = (value: unknown) => checkNumber(value, -MAX_MS, MAX_MS);
export const checkRssi = (value: unknown) => checkNumber(value, -200, 50);
export const checkPercent = (value: unknown) => checkNumber(value, 0, 100);

/** A wrapping counter of up to 32 bits. */
export function checkCounter(value: unknown): Checked<number> {
  const counter = checkNumber(value, 0, 0xffffffff);
  return typeof counter === 'number' && !Number.isInteger(counter) ? BAD : counter;
}

/** A count of movements, of any width: what wraps later than MOVE_COUNTS counts as well. */
export function checkMoveCount(value: unknown): Checked<number> {
  const count = checkCounter(value);
  if (typeof count !== 'number') return count;
  return count === MOVE_COUNTS ? undefined : count % MOVE_COUNTS;
}

/** Milliseconds; or a time such as `2026-01-02T03:04:05.5Z`, in UTC where it names no zone. */
export function checkTime(value: unknown): Checked<number> {
  if (typeof value !== 'string') return checkMs(value);
  const parts = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:?\d\d)?$/.exec(value);
  const ms = parts === null ? Number.NaN : Date.parse(`${parts[1]}T${parts[2]}${parts[3] ?? 'Z'}`);
  return Number.isNaN(ms) ? BAD : ms;
}

/** Percent, volts of a lithium coin cell, or whether it is well; the first that is there. One that is well says no percentage. */
export function checkBattery(percent: unknown, volts: unknown, ok: unknown): Checked<number> {
  const checked = [checkPercent(percent), checkNumber(volts, 0, 5), checkFlag(ok)] as const;
  const [level, voltage, well] = checked;
  if (level === BAD || voltage === BAD || well === BAD) return BAD;
  if (level !== undefined) return level;
  if (voltage !== undefined) return coinCellPercent(voltage * 1000);
  return well === false ? FLAGGED_LOW_PERCENT : undefined;
}

/** A shake level: a number from 0, or a flag. */
export function checkLevel(value: unknown): Checked<number> {
  return typeof value === 'boolean' ? Number(value) : checkNumber(value, 0, 1000);
}

/** 0, 1, false or true. */
export function checkFlag(value: unknown): Checked<boolean> {
  if (isAbsent(value)) return undefined;
  if (typeof value === 'boolean') return value;
  return value === 0 || value === 1 ? value === 1 : BAD;
}

/** A collar's id, or the name of a place or sensor: 1 to 64 characters after trimming, no control characters.
 * Receivers such as rtl_433 write ids as whole numbers. */
export function checkName(value: unknown): Checked<string> {
  if (isAbsent(value)) return undefined;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : BAD;
  if (typeof value !== 'string') return BAD;
  const name = value.trim();
  return name.length > 0 && name.length <= MAX_NAME && !/[\p{Cc}\p{Cs}]/u.test(name) ? name : BAD;
}

/** A battery that says only "low": below what anybody would set as a limit. */
export const FLAGGED_LOW_PERCENT = 5;

/** What is left in a lithium coin cell, by its voltage under light load: nearly flat, then a fall. */
const COIN_CELL: readonly (readonly [millivolts: number, percent: number])[] = [
  [3_000, 100],
  [2_900, 42],
  [2_740, 18],
  [2_440, 6],
  [2_100, 0],
];

export function coinCellPercent(millivolts: number): number {
  for (const [i, [fromMv, from]] of COIN_CELL.entries()) {
    if (millivolts < fromMv) continue;
    const [toMv, to] = COIN_CELL[i - 1] ?? [fromMv + 1, from];
    return Math.min(100, Math.round(from + ((millivolts - fromMv) / (toMv - fromMv)) * (to - from)));
  }
  return 0;
}
