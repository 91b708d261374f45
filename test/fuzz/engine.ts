/**
 * The loop: mutate, run, look at what ran. An input that reaches a new branch, or one a new number of times, is kept and
 * goes on to be mutated. What throws or takes too long is a finding, cut down to what is needed for it.
 */
import type { Coverage } from './instrument.ts';
import { createMutator } from './mutate.ts';
import { createRandom } from './random.ts';
import type { FuzzTarget } from './target.ts';

/** The longest run that is no finding. Measured again, by processor time, before it is believed: the machine has other work. */
export const MAX_RUN_MS = 50;
const MEASURED_AGAIN = 5;
/** What is faster is not measured again. */
const NOTABLE_MS = 5;
const USUAL_BYTES = 400;
const MINIMISE_RUNS = 2_000;
const TRIM_RUNS = 150;

export interface Finding {
  readonly message: string;
  readonly input: Uint8Array;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly runs: number;
  readonly untilMs: number;
  /** Asked now and then: true ends it with what it has. */
  readonly isOver: () => boolean;
  /** False: nothing is learnt, every input comes from a seed. The control of the experiment. */
  readonly guided: boolean;
  readonly maxFindings: number;
  readonly corpus: readonly Uint8Array[];
  /** Told before each run, for who watches from outside. */
  readonly before: (input: Uint8Array) => void;
}

export interface FuzzResult {
  readonly runs: number;
  readonly seconds: number;
  readonly corpus: readonly Uint8Array[];
  /** Branches that ran, of how many. */
  readonly branches: number;
  readonly of: number;
  /** 0 where nothing took longer than NOTABLE_MS. */
  readonly slowestMs: number;
  readonly findings: readonly Finding[];
  /** Of all inputs that were run: the same for the same seed. */
  readonly digest: number;
}

/** How often a branch ran, in classes: one bit each. */
const classes = Uint8Array.from({ length: 256 }, (_, n) => {
  if (n < 3) return n;
  return n === 3 ? 4 : n < 8 ? 8 : n < 16 ? 16 : n < 32 ? 32 : n < 128 ? 64 : 128;
});

export async function fuzz(target: FuzzTarget, coverage: Coverage, options: FuzzOptions): Promise<FuzzResult> {
  const { counters } = coverage;
  const words = [...new Set([...target.words, ...coverage.words()])]
    .map((word) => Buffer.from(word, 'utf8'))
    .filter((word) => word.length > 0 && word.length <= 64);
  const mutator = createMutator(createRandom(options.seed), words, coverage.bytes(), target.usualBytes ?? USUAL_BYTES);
  const seen = new Uint8Array(counters.length);
  const corpus: Uint8Array[] = [];
  const findings = new Map<string, Finding>();
  const work = new Uint8Array(target.maxBytes);
  const started = performance.now();
  // Most inputs are refused by a throw: its stack would cost more than all the rest.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  let runs = 0;
  let slowestMs = 0;
  let digest = 0;

  /** What it throws, or null. */
  const execute = async (input: Uint8Array): Promise<string | null> => {
    counters.fill(0, 0, coverage.used());
    options.before(input);
    try {
      const running = target.run(input);
      if (running !== undefined) await running;
      return null;
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
  };
  const attempt = (input: Uint8Array) => {
    runs++;
    return execute(input);
  };
  const timed = async (input: Uint8Array) => {
    const from = performance.now();
    const fault = await attempt(input);
    let ms = performance.now() - from;
    const notableMs = Math.max(slowestMs, NOTABLE_MS);
    if (ms > notableMs) {
      // Once it was fast it is: the machine had other work.
      for (let i = 0; i < MEASURED_AGAIN && ms > notableMs; i++) {
        const { user, system } = process.cpuUsage();
        await execute(input);
        const spent = process.cpuUsage({ user, system });
        ms = Math.min(ms, (spent.user + spent.system) / 1_000);
      }
      slowestMs = Math.max(slowestMs, ms);
    }
    return fault ?? (ms > MAX_RUN_MS ? `takes ${ms.toFixed(0)} ms` : null);
  };
  /** Marks what has run; true where something of it is new. */
  const learn = (): boolean => {
    const used = coverage.used();
    let fresh = false;
    for (let i = 0; i < used; i++) {
      const hits = counters[i] as number;
      if (hits === 0) continue;
      const bit = classes[hits] as number;
      if (((seen[i] as number) & bit) !== 0) continue;
      seen[i] = (seen[i] as number) | bit;
      fresh = true;
    }
    return fresh;
  };
  const profile = () => counters.slice(0, coverage.used()).map((hits) => classes[hits] as number);
  const hasProfile = (whole: Uint8Array) => {
    for (let i = 0; i < whole.length; i++) if (classes[counters[i] as number] !== whole[i]) return false;
    return whole.length === coverage.used();
  };
  const report = async (message: string, input: Uint8Array) => {
    const kind = kindOf(message);
    if (findings.has(kind)) return;
    const same = async (less: Uint8Array) => kindOf((await timed(less)) ?? '') === kind;
    const least = await shorten(input, same, message.startsWith('takes') ? 50 : MINIMISE_RUNS);
    Error.stackTraceLimit = stackTraceLimit;
    findings.set(kind, { message: (await attempt(least)) ?? message, input: least });
    Error.stackTraceLimit = 0;
  };
  /** Runs an input, and keeps it where it reaches something new; `mutated` ones without what is not needed for that. */
  const take = async (input: Uint8Array, mutated: boolean) => {
    for (const byte of input) digest = Math.imul(digest ^ byte, 16_777_619);
    const fault = await timed(input);
    if (fault !== null) return report(fault, input);
    if (!learn() || !options.guided) return;
    if (!mutated) return void corpus.push(input);
    await attempt(input);
    const whole = profile();
    const same = async (less: Uint8Array) => (await attempt(less)) === null && hasProfile(whole);
    corpus.push(await shorten(input, same, TRIM_RUNS));
  };

  for (const input of [...target.seeds, ...options.corpus]) await take(input.subarray(0, target.maxBytes), false);
  const seeds = target.seeds.length > 0 ? target.seeds : [new Uint8Array()];
  while (runs < options.runs && findings.size < options.maxFindings) {
    if ((runs & 63) === 0 && (performance.now() > options.untilMs || options.isOver())) break;
    const length = mutator.mutate(work, corpus.length > 0 ? corpus : seeds);
    await take(work.slice(0, length), true);
  }
  const branches = seen.subarray(0, coverage.used()).reduce((sum, bits) => sum + (bits > 0 ? 1 : 0), 0);
  Error.stackTraceLimit = stackTraceLimit;
  const seconds = (performance.now() - started) / 1_000;
  return { runs, seconds, corpus, branches, of: coverage.used(), slowestMs, findings: [...findings.values()], digest };
}

/** The same fault in other words: numbers and quoted texts apart. */
function kindOf(message: string): string {
  return message
    .split('\n')
    .slice(0, 1)
    .join(' ')
    .replace(/"[^"]*"|\d+/g, '#')
    .slice(0, 80);
}

/** Leaves out pieces, large ones first, while `holds`. */
async function shorten(input: Uint8Array, holds: (less: Uint8Array) => Promise<boolean>, limit: number) {
  let best = input;
  let left = limit;
  for (let size = Math.max(1, best.length >> 1); size > 0 && left > 0; size >>= 1) {
    for (let at = 0; at + size <= best.length && left > 0; left--) {
      const less = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (await holds(less)) best = less;
      else at += size;
    }
  }
  return best;
}

/** The fewest inputs, small ones first, that reach all that these reach. */
export async function distil(
  target: FuzzTarget,
  coverage: Coverage,
  corpus: readonly Uint8Array[],
  maxBytes: number,
  written: (input: Uint8Array) => number,
) {
  const { counters } = coverage;
  const profiles: { input: Uint8Array; hits: Uint8Array }[] = [];
  for (const input of corpus) {
    counters.fill(0);
    await target.run(input);
    profiles.push({ input, hits: counters.slice(0, coverage.used()).map((n) => classes[n] as number) });
  }
  profiles.sort((a, b) => a.input.length - b.input.length);
  const reached = new Uint8Array(coverage.used());
  const kept: Uint8Array[] = [];
  let size = 0;
  for (const { input, hits } of profiles) {
    if (!hits.some((bit, i) => (bit & ~(reached[i] as number)) !== 0) || size + written(input) > maxBytes) continue;
    hits.forEach((bit, i) => {
      reached[i] = (reached[i] as number) | bit;
    });
    kept.push(input);
    size += written(input);
  }
  return kept;
}
