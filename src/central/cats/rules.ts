/**
 * The rules that turn what a cat does into alerts. Pure: (memory, input) → (memory, what was raised and cleared).
 * Memory is bounded: one alert a rule, and at most MAX_KEPT_MEOWS times of each kind.
 */
import { shortType } from '../../contract/event.ts';
import { upcast } from '../../contract/upcast.ts';
import type { Rule } from '../config.ts';
import type { CatRow, CentralEvent } from '../store/store.ts';

/** The most meows of one cat whose times are kept; a rule that counts more can never be met. */
export const MAX_KEPT_MEOWS = 1_000;

export interface Alert {
  readonly rule: Rule['rule'];
  /** Of the rule with its limits: see `keyOf`. */
  readonly key: string;
  /** RFC 3339: when the rule was found met. */
  readonly since: string;
  readonly text: string;
}

/** One that has ended. */
export interface Shake {
  readonly endMs: number;
  readonly durationMs: number;
}

export interface RuleMemory {
  /** Times of the newest meows in ms, oldest first. */
  readonly meowsMs: readonly number[];
  /** The newest shakes that have ended, oldest first. */
  readonly shakes: readonly Shake[];
  /** When the cat last moved or shook, in ms. */
  readonly activeMs: number | null;
  /** One place a rule of the configuration, null while it is not met. */
  readonly alerts: readonly (Alert | null)[];
}

export interface RuleInput {
  readonly cat: CatRow;
  /** Those that were not seen before, in any order. */
  readonly events: readonly CentralEvent[];
  readonly nowMs: number;
}

export interface RuleStep {
  readonly memory: RuleMemory;
  readonly raised: readonly Alert[];
  readonly cleared: readonly Alert[];
}

export const noMemory: RuleMemory = { meowsMs: [], shakes: [], activeMs: null, alerts: [] };

export function applyRules(rules: readonly Rule[], memory: RuleMemory, input: RuleInput): RuleStep {
  const meowsMs = [...memory.meowsMs, ...meowTimes(input)].sort((a, b) => a - b).slice(-MAX_KEPT_MEOWS);
  const shakes = [...memory.shakes, ...shakesOf(input)].sort((a, b) => a.endMs - b.endMs).slice(-MAX_KEPT_MEOWS);
  const activeMs = latest([
    memory.activeMs,
    parseTime(input.cat.locationSince),
    ...timesOf(input, ['meow.started', 'meow.ended', 'cat.moved'], isUncertain),
  ]);
  const raised: Alert[] = [];
  const cleared: Alert[] = [];
  const alerts = rules.map((rule, index) => {
    const before = memory.alerts[index] ?? null;
    const facts = { ...input, meowsMs, shakes, activeMs };
    const text = isReplaced(rule, rules, input.cat) ? null : met(rule, facts);
    if (text === null) {
      if (before !== null) cleared.push(before);
      return null;
    }
    if (before !== null) return before;
    const alert = { rule: rule.rule, key: keyOf(rule), since: new Date(input.nowMs).toISOString(), text };
    raised.push(alert);
    return alert;
  });
  return { memory: { meowsMs, shakes, activeMs, alerts }, raised, cleared };
}

/** Two rules of one kind with other limits are two. */
export function keyOf(rule: Rule): string {
  switch (rule.rule) {
    case 'shaking':
      return `shaking ${rule.meows}${rule.seconds === undefined ? '' : `,${rule.seconds}s`}/${rule.withinMinutes}`;
    case 'still':
    case 'silent':
      return `${rule.rule} ${rule.hours}`;
    case 'battery':
      return 'battery';
  }
}

/** What a rule says of one cat by its name stands in the place of what rules of its kind say of all. */
function isReplaced(rule: Rule, rules: readonly Rule[], cat: Pick<CatRow, 'name'>): boolean {
  if (rule.cat !== undefined) return false;
  return rules.some((other) => other.rule === rule.rule && other.cat !== undefined && sameName(other.cat, cat.name));
}

/** Those that hold for the cat of this name, which is not known to the rules of others. */
export function rulesFor(rules: readonly Rule[], cat: Pick<CatRow, 'name'>): readonly Rule[] {
  return rules.filter((rule) =>
    rule.cat === undefined ? !isReplaced(rule, rules, cat) : sameName(rule.cat, cat.name),
  );
}

/** How far back meows count for any of the rules. */
export function longestWindowMs(rules: readonly Rule[]): number {
  return Math.max(0, ...rules.map((rule) => (rule.rule === 'shaking' ? rule.withinMinutes * 60_000 : 0)));
}

interface Facts extends RuleInput {
  readonly meowsMs: readonly number[];
  readonly shakes: readonly Shake[];
  readonly activeMs: number | null;
}

/** What the rule has to say, or null while it is not met. */
function met(rule: Rule, { cat, nowMs, meowsMs, shakes, activeMs }: Facts): string | null {
  if (rule.cat !== undefined && !sameName(rule.cat, cat.name)) return null;
  switch (rule.rule) {
    case 'shaking': {
      const from = nowMs - rule.withinMinutes * 60_000;
      const count = meowsMs.filter((ms) => ms > from).length;
      const lastedMs = shakes.reduce((sum, { endMs, durationMs }) => (endMs > from ? sum + durationMs : sum), 0);
      const within = `in ${rule.withinMinutes} min`;
      if (count >= rule.meows) return `shaking too much: ${count} times ${within}`;
      if (rule.seconds === undefined || lastedMs < rule.seconds * 1_000) return null;
      return `shaking too long: ${Math.round(lastedMs / 1_000)} s ${within}`;
    }
    case 'still':
      // A silent collar tells nothing about movement; that has its own rule.
      if (cat.silent || activeMs === null || nowMs - activeMs < rule.hours * 3_600_000) return null;
      return `no movement for ${rule.hours} h`;
    case 'silent': {
      const lastSeenMs = parseTime(cat.lastSeen);
      if (!cat.silent || lastSeenMs === null || nowMs - lastSeenMs < rule.hours * 3_600_000) return null;
      return `collar not heard for ${rule.hours} h`;
    }
    case 'battery':
      return cat.batteryLow ? 'battery of the collar is low' : null;
  }
}

/** When shakes of the cat began. */
export function meowTimes(input: RuleInput): number[] {
  return timesOf(input, ['meow.started']);
}

/** Shakes of the cat that have ended. */
export function shakesOf({ cat, events, nowMs }: RuleInput): Shake[] {
  return events
    .filter((event) => isOf(event, cat))
    .flatMap((stored) => {
      const result = upcast(stored);
      if (result.type === 'unknown' || result.event.type !== 'meow.ended') return [];
      const { durationMs } = result.event.data;
      return durationMs > 0 ? [{ endMs: Math.min(Date.parse(stored.time), nowMs), durationMs }] : [];
    });
}

function isOf({ revoked, reassignedTo }: CentralEvent, cat: CatRow): boolean {
  return !revoked && (reassignedTo ?? cat.id) === cat.id;
}

/** Never later than now: a clock that runs ahead must not keep a rule from being met for hours. */
function timesOf(
  { cat, events, nowMs }: RuleInput,
  types: readonly string[],
  isOfNow: (event: CentralEvent) => boolean = () => false,
): number[] {
  return events
    .filter((event) => isOf(event, cat))
    .filter((event) => types.includes(shortType(event.type)))
    .map((event) => (isOfNow(event) ? nowMs : Math.min(Date.parse(event.time), nowMs)));
}

/** Its clock was not set, and nobody knows the time: it does not prove that the cat was still ever since 1970. */
function isUncertain({ clock, originalTime = null }: CentralEvent): boolean {
  return clock === 'unsynced' && originalTime === null;
}

function latest(times: readonly (number | null)[]): number | null {
  return times.reduce((a, b) => (a === null || (b !== null && b > a) ? b : a), null);
}

function parseTime(time: string | null): number | null {
  return time === null ? null : Date.parse(time);
}

function sameName(a: string, b: string): boolean {
  return a.normalize('NFC').toLowerCase() === b.normalize('NFC').toLowerCase();
}
