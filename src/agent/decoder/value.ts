/** Checks of single values that strangers write. Each gives the value, undefined where it is absent, or BAD. */

export const BAD: unique symbol = Symbol('bad value');
export type Checked<T> = T | undefined | typeof BAD;

/** The longest id or name, in characters. */
const MAX_NAME = 64;
/** No accelerometer on a collar measures more. */
const MAX_G = 200;
const MAX_MS = 8.64e15;

/** What an absent value may be: many senders write null for "unknown". */
function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/** A number from `min` to `max`. */
export function checkNumber(value: unknown, min: number, max: number): Checked<number> {
  if (isAbsent(value)) return undefined;
  return typeof value === 'number' && value >= min && value <= max ? value : BAD;
}

export const checkG = (value: unknown) => checkNumber(value, -MAX_G, MAX_G);
export const checkMs = (value: unknown) => checkNumber(value, -MAX_MS, MAX_MS);
export const checkRssi = (value: unknown) => checkNumber(value, -200, 50);
export const checkPercent = (value: unknown) => checkNumber(value, 0, 100);

/** A wrapping counter of up to 32 bits. */
export function checkCounter(value: unknown): Checked<number> {
  const counter = checkNumber(value, 0, 0xffffffff);
  return typeof counter === 'number' && !Number.isInteger(counter) ? BAD : counter;
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
