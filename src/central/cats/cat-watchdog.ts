/**
 * CatWatchDog: looks at what a cat did since the last look and raises alerts. Memory per cat is bounded, and so is the number
 * of cats. An alert is raised once and cleared once: with a log of alerts also over restarts, and over several centrals. With what
 * the store knows of checks, a cat is looked at once a second over all of them.
 */
import { fullType } from '../../contract/event.ts';
import type { Rule } from '../config.ts';
import type { CheckClaim, CheckStore } from '../store/check-store.ts';
import type { CatRow, CentralEvent, ReadStore } from '../store/store.ts';
import type { AlertLog } from './alert-log.ts';
import {
  type Alert,
  applyRules,
  keyOf,
  longestWindowMs,
  MAX_KEPT_MEOWS,
  meowTimes,
  noMemory,
  type RuleInput,
  type RuleMemory,
  rulesFor,
  shakesOf,
} from './rules.ts';

/** At most one real check of a cat in this time. */
export const CHECK_EVERY_MS = 1_000;
/** The newest events that one check reads. */
export const MAX_EVENTS_READ = 10;
/** The most cats that are remembered; the one that was checked longest ago is forgotten first. */
export const MAX_CATS_REMEMBERED = 1_000;

export interface CatActivity {
  readonly catId: number;
  /** RFC 3339: when the real check was made that this answer comes from. */
  readonly checkedAt: string;
  /** Events that this check read and no earlier one did, 0 to 10; 0 where another process has just looked. */
  readonly newEvents: number;
  /** What holds now. */
  readonly alerts: readonly Alert[];
}

export interface CatWatchDog {
  /** CAT_NOT_FOUND for a cat that the read model does not have. */
  checkCatActivity(cat: number): Promise<CatActivity>;
  /** Checks these cats, each as above: for a loop that has read the cats anyway. */
  checkCats(cats: readonly CatRow[]): Promise<readonly CatActivity[]>;
  /** What it looks for in this cat: its own rules, and those of all cats that none of its own replaces. */
  rulesFor(cat: Pick<CatRow, 'name'>): readonly Rule[];
}

export interface WatchDogParts {
  readonly store: Pick<ReadStore, 'oneLook' | 'cats'>;
  readonly rules: readonly Rule[];
  readonly clock: () => Date;
  /** Who may look when, over all processes; without it, this one alone. */
  readonly checks?: CheckStore;
  /** Where alerts are written before anybody is told; without one they are only told. */
  readonly log?: AlertLog;
  /** Told once when an alert is raised and once when it is cleared. */
  readonly onAlert: (change: 'raised' | 'cleared', cat: CatRow, alert: Alert) => void;
}

interface Watched {
  readonly atMs: number;
  /** Shared by all who ask within the same second, also while it is under way. */
  readonly answer: Promise<Checked>;
}

interface Checked {
  readonly activity: CatActivity;
  /** When it was found, by whomever. */
  readonly atMs: number;
  /** When this process last looked itself; null where it never did. */
  readonly lookedMs: number | null;
  readonly memory: RuleMemory;
  /** The events that the check read, by id, with the times that they had then. */
  readonly seen: ReadonlyMap<string, string>;
}

export function openCatWatchDog(parts: WatchDogParts): CatWatchDog {
  const watched = new Map<number, Watched>();

  /** With a claim it looks whatever it remembers: nobody else may. */
  const checkOne = async (asked: Asked): Promise<CatActivity> => {
    const { id, nowMs, claim } = asked;
    const last = watched.get(id);
    if (last !== undefined && claim === undefined && isFresh(last, nowMs)) return (await last.answer).activity;
    const answer = check(parts, asked, last?.answer);
    watched.delete(id);
    watched.set(id, { atMs: nowMs, answer });
    for (const oldest of watched.keys()) {
      if (watched.size <= MAX_CATS_REMEMBERED) break;
      watched.delete(oldest);
    }
    try {
      const { atMs, activity } = await answer;
      // What another process has found grows old from then on, and not from now.
      if (watched.get(id)?.answer === answer) watched.set(id, { atMs, answer });
      return activity;
    } catch (error) {
      // A failed check is no answer: the next one starts where the last good one ended.
      if (watched.get(id)?.answer === answer) {
        if (last === undefined) watched.delete(id);
        else watched.set(id, last);
      }
      throw error;
    }
  };
  return {
    rulesFor: (cat) => rulesFor(parts.rules, cat),
    checkCatActivity: (id) =>
      checkOne({ id, known: null, nowMs: parts.clock().getTime(), claim: undefined, look: parts.store.oneLook() }),
    async checkCats(cats) {
      const nowMs = parts.clock().getTime();
      const due = cats.map(({ id }) => ({ id, last: watched.get(id) })).filter(({ last }) => !isFresh(last, nowMs));
      // In one transaction; what is found later is of the moment in which it was allowed.
      const claims = await claimChecks(parts, due, nowMs);
      const look = parts.store.oneLook();
      const activities: CatActivity[] = [];
      for (const cat of cats) {
        activities.push(await checkOne({ id: cat.id, known: cat, nowMs, claim: claims?.get(cat.id), look }));
      }
      return activities;
    },
  };
}

/** A clock that was set back must not keep the dog asleep. */
function isFresh(last: Watched | undefined, nowMs: number): boolean {
  const ageMs = nowMs - (last?.atMs ?? Number.NEGATIVE_INFINITY);
  return ageMs >= 0 && ageMs < CHECK_EVERY_MS;
}

/** Undefined where this process is alone. */
async function claimChecks(
  { checks }: Pick<WatchDogParts, 'checks'>,
  due: readonly { readonly id: number; readonly last: Watched | undefined }[],
  nowMs: number,
): Promise<ReadonlyMap<number, CheckClaim> | undefined> {
  if (checks === undefined || due.length === 0) return undefined;
  const wanted = due.map(async ({ id, last }) => ({ catId: id, lastMs: (await last?.answer)?.lookedMs ?? null }));
  return checks.claimChecks(await Promise.all(wanted), nowMs, CHECK_EVERY_MS);
}

interface Asked {
  readonly id: number;
  readonly known: CatRow | null;
  readonly nowMs: number;
  readonly claim: CheckClaim | undefined;
  /** Of all cats that are checked together: otherwise each would have the assignments of all read anew. */
  readonly look: Pick<ReadStore, 'newest'>;
}

async function check(
  parts: WatchDogParts,
  { id, known, nowMs, claim, look }: Asked,
  before: Promise<Checked> | undefined,
): Promise<Checked> {
  const { store, rules, clock, checks, log, onAlert } = parts;
  const last = await before;
  const cat = known ?? (await store.cats(clock())).find((row) => row.id === id);
  if (cat === undefined) throw Object.assign(new Error('cat not found'), { code: 'CAT_NOT_FOUND' });
  const wanted = [{ catId: id, lastMs: last?.lookedMs ?? null }];
  const claimed = claim ?? (await checks?.claimChecks(wanted, nowMs, CHECK_EVERY_MS))?.get(id) ?? { type: 'mine' };
  if (claimed.type === 'taken') return takenAnswer(parts, id, claimed.atMs, look, last);
  const { events } = await look.newest({ catId: id, limit: MAX_EVENTS_READ });
  // By id and not by time: what arrives late has an early time and is new all the same.
  const seen = new Map(events.map((event) => [idOf(event), event.time]));
  const unseen = events.filter((event) => last?.seen.has(idOf(event)) !== true);
  const isMoved = events.some((event) => (last?.seen.get(idOf(event)) ?? event.time) !== event.time);
  // What others saw in between is in no memory here, and what is there of a time that was corrected is wrong: then it is all read anew.
  const kept = claimed.type === 'mine' && !isMoved ? last?.memory : undefined;
  const fresh = kept === undefined ? events : unseen;
  const blank = isMoved && last !== undefined ? { ...noMemory, alerts: last.memory.alerts } : noMemory;
  const memory = kept ?? (log === undefined ? blank : await remember(rules, log, look, { cat, events: fresh, nowMs }));
  const step = applyRules(rules, memory, { cat, events: fresh, nowMs });
  const changes = [
    ...step.raised.map((alert) => ['raised', alert] as const),
    ...step.cleared.map((alert) => ['cleared', alert] as const),
  ];
  for (const [change, alert] of changes) {
    // Another central, or this one before a failure, may have written it: then it has been told.
    if (log === undefined || (await log.write(change, id, alert))) onAlert(change, cat, alert);
  }
  const alerts = step.memory.alerts.filter((alert) => alert !== null);
  const checkedAt = new Date(nowMs).toISOString();
  return {
    activity: { catId: id, checkedAt, newEvents: unseen.length, alerts },
    atMs: nowMs,
    lookedMs: nowMs,
    memory: step.memory,
    seen,
  };
}

function idOf({ epoch, seq }: CentralEvent): string {
  return `${epoch}/${seq}`;
}

/** What the other process found stands in the log. */
async function takenAnswer(
  { log, rules }: WatchDogParts,
  id: number,
  atMs: number,
  look: Asked['look'],
  last: Checked | undefined,
): Promise<Checked> {
  const standing = await log?.standing(id, look);
  const alerts = rules.flatMap((rule) => standing?.get(keyOf(rule)) ?? []);
  return {
    activity: { catId: id, checkedAt: new Date(atMs).toISOString(), newEvents: 0, alerts },
    atMs,
    lookedMs: last?.lookedMs ?? null,
    memory: last?.memory ?? noMemory,
    seen: last?.seen ?? new Map(),
  };
}

/** What was known before this process began: alerts that stand, and meows that still count. */
async function remember(
  rules: readonly Rule[],
  log: AlertLog,
  look: Asked['look'],
  { cat, events: fresh, nowMs }: RuleInput,
): Promise<RuleMemory> {
  const standing = await log.standing(cat.id, look);
  const from = new Date(nowMs - longestWindowMs(rules)).toISOString();
  const types = (['meow.started', 'meow.ended'] as const).map(fullType);
  const { events } = await look.newest({ catId: cat.id, types, from, limit: 2 * MAX_KEPT_MEOWS });
  const counted = new Set(fresh.map(idOf));
  // Those among the fresh are counted as such.
  const older = events.filter((event) => !counted.has(idOf(event)));
  const input = { cat, events: older, nowMs };
  const alerts = rules.map((rule) => standing.get(keyOf(rule)) ?? null);
  return { ...noMemory, meowsMs: meowTimes(input), shakes: shakesOf(input), alerts };
}
