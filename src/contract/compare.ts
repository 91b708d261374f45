/**
 * What other settings would have made of the readings that an agent keeps of a collar (`request/compare`). It is asked again and again
 * until it is done, so that nothing waits for it; nothing is stored, and nothing is changed by it.
 */

/** What decides a shake, from least to most: `detect.shake.collars` in agent.yaml. */
export const SHAKE_LIMITS = {
  sensitivity: { least: 0.2, most: 5, whole: false },
  quietMs: { least: 100, most: 30_000, whole: true },
  levelOn: { least: 0.02, most: 5, whole: false },
  levelHold: { least: 0.05, most: 1, whole: false },
  edgesOn: { least: 1, most: 32, whole: true },
  edgesMs: { least: 100, most: 30_000, whole: true },
} as const;
export type ShakeKey = keyof typeof SHAKE_LIMITS;
export const SHAKE_KEYS = Object.keys(SHAKE_LIMITS) as readonly ShakeKey[];
export type TriedSettings = { readonly [K in ShakeKey]?: number | undefined };

export const MAX_COMPARE_HOURS = 24;
/** Changes that are told one by one; the others are counted. */
export const MAX_COMPARE_CHANGES = 200;
/** Shakes of one row of the picture. */
export const MAX_COMPARE_MARKS = 400;
/** Columns of the picture: the strongest level of each. */
export const COMPARE_COLUMNS = 240;

export interface CompareQuestion {
  readonly collar: string;
  readonly hours: number;
  /** What the collar would have of its own, beside what it has. */
  readonly shake: TriedSettings;
}

/** From its start to its end, in milliseconds after `fromMs`; null: not ended. */
export type ComparedShake = readonly [startMs: number, endMs: number | null];

export interface ComparedChange {
  readonly what: 'added' | 'removed' | 'moved';
  /** Null where it is added; `after` null where it is removed. */
  readonly before: ComparedShake | null;
  readonly after: ComparedShake | null;
}

export interface Compared {
  readonly collar: string;
  /** Wall times of the readings, and how long they are without the pauses in between. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly coveredMs: number;
  readonly readings: number;
  readonly levels: readonly number[];
  /** As they were decided when the readings came, and as they would be. */
  readonly past: readonly ComparedShake[];
  readonly anew: readonly ComparedShake[];
  /** By time. */
  readonly changes: readonly ComparedChange[];
  readonly added: number;
  readonly removed: number;
  readonly moved: number;
  readonly same: number;
  /** Detectors, by version and hash of their settings. */
  readonly decidedBy: readonly string[];
  readonly triedBy: string;
  /** What the collar has of its own with what was tried: for agent.yaml. */
  readonly own: TriedSettings;
}

/** `working`: ask again. */
export type CompareAnswer = { readonly working: true } | { readonly working: false; readonly compared: Compared };

type Body = Readonly<Record<string, unknown>>;

const MAX_NAMES = 8;
const MAX_NAME_CHARACTERS = 64;

/** A text says what is wrong with the question: who asks is a stranger. */
export function parseCompareQuestion({ collar, hours, shake }: Body): CompareQuestion | string {
  if (typeof collar !== 'string' || collar === '' || collar.length > MAX_NAME_CHARACTERS)
    return 'collar must be the name of one';
  if (!isNumber(hours) || hours <= 0 || hours > MAX_COMPARE_HOURS)
    return `hours must be a number up to ${MAX_COMPARE_HOURS}`;
  const tried = settingsIn(shake);
  return typeof tried === 'string' ? tried : { collar, hours, shake: tried };
}

export function encodeCompared({ changes, ...rest }: Compared): Body {
  return { ...rest, changes: changes.map(({ what, before, after }) => [what, before, after]) };
}

/** Null where it is none: an agent is a stranger, too. */
export function decodeCompareAnswer(body: Body): CompareAnswer | null {
  if (body.working === true) return { working: true };
  const { collar, fromMs, toMs, coveredMs, readings, added, removed, moved, same, triedBy } = body;
  const levels = listOf(body.levels, COMPARE_COLUMNS, (one) => (isNumber(one) ? one : null));
  const [past, anew] = [body.past, body.anew].map((list) => listOf(list, MAX_COMPARE_MARKS, shakeIn));
  const changes = listOf(body.changes, MAX_COMPARE_CHANGES, changeIn);
  const decidedBy = listOf(body.decidedBy, MAX_NAMES, nameIn);
  const own = settingsIn(body.own);
  const by = nameIn(triedBy);
  if (typeof collar !== 'string' || by === null || typeof own === 'string' || !levels || !past || !anew) return null;
  if (!isNumber(fromMs) || !isNumber(toMs) || !isNumber(coveredMs) || !isNumber(readings) || !isNumber(same))
    return null;
  if (!changes || !decidedBy || !isNumber(added) || !isNumber(removed) || !isNumber(moved)) return null;
  const range = { collar, fromMs, toMs, coveredMs, readings, levels, past, anew };
  const compared = { ...range, changes, added, removed, moved, same, decidedBy, triedBy: by, own };
  return { working: false, compared };
}

function settingsIn(value: unknown): TriedSettings | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'shake must be an object of settings';
  const tried: { [K in ShakeKey]?: number } = {};
  for (const [key, one] of Object.entries(value)) {
    if (!Object.hasOwn(SHAKE_LIMITS, key)) return `shake has no "${key.slice(0, 32)}": ${SHAKE_KEYS.join(', ')}`;
    const { least, most, whole } = SHAKE_LIMITS[key as ShakeKey];
    if (!isNumber(one) || one < least || one > most || (whole && !Number.isSafeInteger(one)))
      return `shake.${key} must be a${whole ? ' whole' : ''} number from ${least} to ${most}`;
    tried[key as ShakeKey] = one;
  }
  return tried;
}

function changeIn(value: unknown): ComparedChange | null {
  const [what, first, second] = Array.isArray(value) ? (value as readonly unknown[]) : [];
  const [before, after] = [shakeIn(first), shakeIn(second)];
  if (what === 'added' && after !== null) return { what, before: null, after };
  if (what === 'removed' && before !== null) return { what, before, after: null };
  return what === 'moved' && before !== null && after !== null ? { what, before, after } : null;
}

function shakeIn(value: unknown): ComparedShake | null {
  const [startMs, endMs] = Array.isArray(value) ? (value as readonly unknown[]) : [];
  return isNumber(startMs) && (endMs === null || isNumber(endMs)) ? [startMs, endMs] : null;
}

function nameIn(value: unknown): string | null {
  return typeof value === 'string' ? value.slice(0, MAX_NAME_CHARACTERS) : null;
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
