/** What a scenario is, what it hands back, and how a row is judged: a fault must not lose, a negative control must. */
import { crc32 } from 'node:zlib';

export interface Context {
  readonly seed: number;
  /** A folder of the scenario's own, on the disk of the temp folder. It is removed afterwards. */
  readonly folder: string;
  /** What scenarios would remove stays, for whoever looks into a breach. */
  readonly keep: boolean;
  /** Its share of the time. */
  readonly shareMs: number;
  /** False when the time or the count of this scenario is spent. Each row asks before it injects again. */
  more(injected: number): boolean;
  tell(line: string): void;
}

export interface Scenario {
  readonly name: string;
  /** Its share of the minutes, against the others. */
  readonly weight: number;
  /** What the time of recovery of its rows is: `until the log is open again`. Null: nothing has to recover. */
  readonly recovery: string | null;
  /** How often it injects in a full run: in each row, or in all of them where they are of one run. */
  readonly full: number;
  /** It starts whole clusters: run only where it is asked for by name, with minutes of its own. */
  readonly alone?: boolean;
  /** What this machine lacks for it, or null. */
  missing(): string | null;
  run(context: Context): Promise<readonly Row[]>;
}

export interface Row {
  readonly fault: string;
  /** The same oracle over a writer that must lose. */
  readonly control: boolean;
  /** Runs in which the fault is proved to have happened. */
  readonly injected: number;
  /** Runs in which an invariant broke. */
  readonly losing: number;
  /** Events acknowledged before the faults, summed over the runs. */
  readonly acked: number;
  readonly lost: number;
  readonly doubled: number;
  readonly recoveryMs: { readonly median: number; readonly max: number };
  /** Upper bound at 95 % of the share of faults that break something; null where one did. */
  readonly bound: number | null;
  readonly notes: readonly string[];
  /** The first breaches, each with what reproduces it. */
  readonly breaches: readonly string[];
}

/** What one run found. */
export interface Verdict {
  readonly acked: number;
  readonly lost: number;
  readonly doubled: number;
  readonly recoveryMs: number;
  /** Why an invariant broke, or null. */
  readonly breach: string | null;
}

const KEPT_BREACHES = 5;

export interface Tally {
  readonly injected: number;
  readonly losing: number;
  /** `where` reproduces it: seed and place. */
  add(verdict: Verdict, where: string): void;
  /** What no single run shows. */
  fail(why: string): void;
  note(line: string): void;
  row(): Row;
}

export function createTally(fault: string, control = false): Tally {
  const sum = { injected: 0, losing: 0, acked: 0, lost: 0, doubled: 0 };
  const times: number[] = [];
  const breaches: string[] = [];
  const notes: string[] = [];
  return {
    get injected() {
      return sum.injected;
    },
    get losing() {
      return sum.losing;
    },
    add(verdict, where) {
      sum.injected += 1;
      sum.acked += verdict.acked;
      sum.lost += verdict.lost;
      sum.doubled += verdict.doubled;
      times.push(verdict.recoveryMs);
      if (verdict.breach === null && verdict.lost === 0 && verdict.doubled === 0) return;
      sum.losing += 1;
      const why = verdict.breach ?? `${verdict.lost} lost, ${verdict.doubled} doubled`;
      if (breaches.length < KEPT_BREACHES) breaches.push(`${where}: ${why}`);
    },
    fail(why) {
      sum.losing += 1;
      breaches.unshift(why);
    },
    note: (line) => {
      notes.push(line);
    },
    row() {
      times.sort((a, b) => a - b);
      return {
        fault,
        control,
        ...sum,
        recoveryMs: { median: times[times.length >> 1] ?? 0, max: times.at(-1) ?? 0 },
        bound: ruleOfThree(sum.injected, sum.losing),
        notes,
        breaches,
      };
    },
  };
}

/** No failure in n runs: with 95 % confidence fewer than 3 in n fail. */
export function ruleOfThree(injected: number, losing: number): number | null {
  return losing > 0 || injected === 0 ? null : Math.min(1, 3 / injected);
}

/** What is wrong with a row, or null. */
export function whyBad(row: Row): string | null {
  if (row.injected === 0) return 'no fault was injected: it proves nothing';
  if (row.control) return row.losing === 0 ? 'the negative control lost nothing: the oracle is blind' : null;
  return row.losing === 0 ? null : (row.breaches[0] ?? 'an invariant broke');
}

/** Tommy Ettinger's mulberry32: small, seeded, good enough to choose moments. */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Far apart for seeds that are neighbours: within a scenario each recording, house or life has the seed of the one before plus one. */
export function scenarioSeed(seed: number, name: string): number {
  return crc32(`${seed} ${name}`);
}

/** A whole number in [0, n). */
export function below(random: () => number, n: number): number {
  return Math.floor(random() * n);
}
