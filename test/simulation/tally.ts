/** What many seeds found together. */
import { createHash } from 'node:crypto';
import type { Outcome } from './simulate.ts';

export interface Tally {
  seeds: number;
  simulatedMs: number;
  turns: number;
  events: number;
  told: number;
  conflicts: number;
  /** Seeds in which a promise was broken. */
  failed: number;
  /** Of these: seeds that lost an event, or hold one that nobody wrote. */
  lost: number;
  /** The first breaches. */
  breaches: string[];
  slowestHealMs: number;
  /** The seed that took so long. */
  slowestSeed: number | null;
  /** Seeds that were well only after LATE_MS. */
  late: number;
  faults: Record<string, number>;
  /** Over the hashes of all seeds: the same seeds give the same digest. */
  digest: string;
}

const KEPT_BREACHES = 40;
/** So soon after the last fault nearly every house is to be well. */
export const LATE_MS = 30_000;
/** What is added up. */
const SUMS = ['seeds', 'simulatedMs', 'turns', 'events', 'told', 'conflicts', 'failed', 'lost', 'late'] as const;

export function emptyTally(): Tally {
  const none = { seeds: 0, simulatedMs: 0, turns: 0, events: 0, told: 0, conflicts: 0, failed: 0, lost: 0, late: 0 };
  return { ...none, breaches: [], slowestHealMs: 0, slowestSeed: null, faults: {}, digest: '' };
}

export function addOutcome(tally: Tally, outcome: Outcome): void {
  const { seed, hash, breaches, faults, healedMs } = outcome;
  const isLoss = breaches.some((breach) => /^(lost|phantom)/.test(breach));
  merge(tally, {
    ...emptyTally(),
    ...{ seeds: 1, simulatedMs: outcome.simulatedMs, turns: outcome.turns },
    ...{ events: outcome.events, told: outcome.told, conflicts: outcome.conflicts },
    failed: breaches.length > 0 ? 1 : 0,
    lost: isLoss ? 1 : 0,
    breaches: breaches.slice(0, 2).map((breach) => `seed ${seed}: ${breach}`),
    slowestHealMs: healedMs ?? 0,
    slowestSeed: seed,
    late: (healedMs ?? 0) > LATE_MS ? 1 : 0,
    faults: Object.fromEntries(faults),
    digest: hash,
  });
}

/** Adds what is given; the digest depends on the order. */
export function merge(tally: Tally, more: Tally): void {
  for (const key of SUMS) tally[key] += more[key];
  tally.breaches = [...tally.breaches, ...more.breaches].slice(0, KEPT_BREACHES);
  if (more.slowestHealMs > tally.slowestHealMs) {
    tally.slowestHealMs = more.slowestHealMs;
    tally.slowestSeed = more.slowestSeed;
  }
  for (const [fault, times] of Object.entries(more.faults)) tally.faults[fault] = (tally.faults[fault] ?? 0) + times;
  tally.digest = createHash('sha256').update(tally.digest).update(more.digest).digest('hex');
}
