/**
 * CatWatchDog: looks at what a cat did since the last look and raises alerts. Memory per cat is bounded, and so is the number
 * of cats. An alert is raised once and cleared once: with a log of alerts also over restarts, and over several centrals.
 */
import { fullType } from '../../contract/event.ts';
import type { Rule } from '../config.ts';
import type { CatRow, CentralEvent, ReadStore } from '../store/store.ts';
import type { AlertLog } from './alert-log.ts';
import { type Alert, applyRules, keyOf, longestWindowMs, MAX_KEPT_MEOWS, noMemory, type RuleMemory } from './rules.ts';

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
  /** Events that this check read and no earlier one did, 0 to 10. */
  readonly newEvents: number;
  /** What holds now. */
  readonly alerts: readonly Alert[];
}

export interface CatWatchDog {
  /** CAT_NOT_FOUND for a cat that the read model does not have. */
  checkCatActivity(cat: number): Promise<CatActivity>;
  /** Checks these cats, each as above: for a loop that has read the cats anyway. */
  checkCats(cats: readonly CatRow[]): Promise<readonly CatActivity[]>;
}

export interface WatchDogParts {
  readonly store: Pick<ReadStore, 'newest' | 'cats'>;
  readonly rules: readonly Rule[];
  readonly clock: () => Date;
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
  readonly memory: RuleMemory;
  /** Ids of the events that the check read. */
  readonly seen: ReadonlySet<string>;
}

export function openCatWatchDog(parts: WatchDogParts): CatWatchDog {
  const watched = new Map<number, Watched>();

  const checkOne = async (id: number, known: CatRow | null): Promise<CatActivity> => {
    const nowMs = parts.clock().getTime();
    const last = watched.get(id);
    const ageMs = nowMs - (last?.atMs ?? Number.NEGATIVE_INFINITY);
    // A clock that was set back must not keep the dog asleep.
    if (last !== undefined && ageMs >= 0 && ageMs < CHECK_EVERY_MS) return (await last.answer).activity;
    const answer = check(parts, id, known, nowMs, last?.answer);
    watched.delete(id);
    watched.set(id, { atMs: nowMs, answer });
    for (const oldest of watched.keys()) {
      if (watched.size <= MAX_CATS_REMEMBERED) break;
      watched.delete(oldest);
    }
    try {
      return (await answer).activity;
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
    checkCatActivity: (id) => checkOne(id, null),
    async checkCats(cats) {
      const activities: CatActivity[] = [];
      for (const cat of cats) activities.push(await checkOne(cat.id, cat));
      return activities;
    },
  };
}

async function check(
  { store, rules, clock, log, onAlert }: WatchDogParts,
  id: number,
  known: CatRow | null,
  nowMs: number,
  before: Promise<Checked> | undefined,
): Promise<Checked> {
  const last = await before;
  const cat = known ?? (await store.cats(clock())).find((row) => row.id === id);
  if (cat === undefined) throw Object.assign(new Error('cat not found'), { code: 'CAT_NOT_FOUND' });
  const { events } = await store.newest({ catId: id, limit: MAX_EVENTS_READ });
  // By id and not by time: what arrives late has an early time and is new all the same.
  const seen = new Set(events.map((event) => `${event.epoch}/${event.seq}`));
  const fresh = events.filter((event) => last === undefined || !last.seen.has(`${event.epoch}/${event.seq}`));
  const memory = last?.memory ?? (log === undefined ? noMemory : await remember(store, log, rules, id, nowMs, fresh));
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
    activity: { catId: id, checkedAt, newEvents: fresh.length, alerts },
    memory: step.memory,
    seen,
  };
}

/** What was known before this process began: alerts that stand, and meows that still count. */
async function remember(
  store: WatchDogParts['store'],
  log: AlertLog,
  rules: readonly Rule[],
  id: number,
  nowMs: number,
  fresh: readonly CentralEvent[],
): Promise<RuleMemory> {
  const standing = await log.standing(id);
  const from = new Date(nowMs - longestWindowMs(rules)).toISOString();
  const types = [fullType('meow.started')];
  const { events } = await store.newest({ catId: id, types, from, limit: MAX_KEPT_MEOWS });
  const counted = new Set(fresh.map((event) => `${event.epoch}/${event.seq}`));
  // Those among the fresh are counted as such.
  const older = events.filter((event) => !counted.has(`${event.epoch}/${event.seq}`) && counts(event, id));
  const meowsMs = older.map(({ time }) => Math.min(Date.parse(time), nowMs)).sort((a, b) => a - b);
  return { ...noMemory, meowsMs, alerts: rules.map((rule) => standing.get(keyOf(rule)) ?? null) };
}

function counts(event: CentralEvent, catId: number): boolean {
  return !event.revoked && (event.reassignedTo ?? catId) === catId;
}
