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
  faults: Record<string, number>;
  /** Over the hashes of all seeds: the same seeds give the same digest. */
  digest: string;
}

const KEPT_BREACHES = 40;

export function emptyTally(): Tally {
  const none = { seeds: 0, simulatedMs: 0, turns: 0, events: 0, told: 0, conflicts: 0, failed: 0, lost: 0 };
  return { ...none, breaches: [], slowestHealMs: 0, faults: {}, digest: '' };
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
    faults: Object.fromEntries(faults),
    digest: hash,
  });
}

/** Adds what is given; the digest depends on the order. */
export function merge(tally: Tally, more: Tally): void {
  for (const key of ['seeds', 'simulatedMs', 'turns', 'events', 'told', 'conflicts', 'failed', 'lost'] as const)
    tally[key] += more[key];
  tally.breaches = [...tally.breaches, ...more.breaches].slice(0, KEPT_BREACHES);
  tally.slowestHealMs = Math.max(tally.slowestHealMs, more.slowestHealMs);
  for (const [fault, times] of Object.entries(more.faults)) tally.faults[fault] = (tally.faults[fault] ?? 0) + times;
  tally.digest = createHash('sha256').update(tally.digest).update(more.digest).digest('hex');
}
