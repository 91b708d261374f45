/** A scripted run of the log in which one call after the other fails, or is the last one: every index of every call. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  below,
  type Context,
  createTally,
  mulberry32,
  type Row,
  type Scenario,
  type Tally,
  type Verdict,
} from './frame.ts';
import { checkLog } from './oracle.ts';
import { startChild } from './run-child.ts';
import { truthOf } from './workload.ts';

export const STRACE = '/usr/bin/strace';
const CALLS = ['pread64', 'pwrite64', 'fsync', 'ftruncate', 'unlink', 'openat'] as const;
/** As strace has it after the colon; `+`: from that call on. */
const FAULTS = ['error=EIO', 'error=ENOSPC', 'error=EIO+', 'error=ENOSPC+', 'signal=KILL'] as const;
const EXIT_IO = 74;
/** Runs side by side. */
const LANES = 2;
const SEED = 3;

type Call = (typeof CALLS)[number];
type Fault = (typeof FAULTS)[number];

interface Point {
  readonly call: Call;
  readonly fault: Fault;
  /** 1 is the first. */
  readonly index: number;
}

export const ioErrors: Scenario = {
  name: 'io-errors',
  weight: 2,
  recovery: 'until the log is open again',
  full: Number.POSITIVE_INFINITY,
  missing: whyNoStrace,
  async run(context): Promise<readonly Row[]> {
    const counts = await countCalls(context.folder);
    const points = allPoints(counts);
    // A short run has something of each.
    const todo = inTurns(shuffled(points, mulberry32(context.seed)), ({ fault }) => fault);
    const tallies = new Map(FAULTS.map((fault) => [fault, createTally(`I/O call: ${fault}`)]));
    const done = () => [...tallies.values()].reduce((sum, { injected }) => sum + injected, 0);
    let idle = 0;
    const lane = async (no: number) => {
      for (let point = todo.shift(); point !== undefined; point = context.more(done()) ? todo.shift() : undefined) {
        if (!(await inject(context, point, tallies.get(point.fault), no))) idle += 1;
      }
    };
    await Promise.all(Array.from({ length: LANES }, (_, no) => lane(no)));
    const found = CALLS.map((call) => `${counts.get(call) ?? 0} ${call}`).join(', ');
    const [first, ...others] = [...tallies.values()].map((tally) => tally.row());
    if (first === undefined) return [];
    const note = `${done()} of ${points.length} points of a run with ${found}; ${idle} were not reached`;
    return [{ ...first, notes: [note] }, ...others];
  },
};

/** One of each kind after the other. */
export function inTurns<P>(points: readonly P[], kindOf: (point: P) => string): P[] {
  const kinds = [...Map.groupBy(points, kindOf).values()];
  return points.flatMap((_, i) => kinds.flatMap((kind) => kind[i] ?? []));
}

/** Where it is, if we may trace. */
export function findStrace(): string | null {
  return whyNoStrace() === null ? STRACE : null;
}

export function whyNoStrace(): string | null {
  try {
    accessSync(STRACE, constants.X_OK);
    execFileSync(STRACE, ['-qq', '-o', '/dev/null', '/bin/true'], { stdio: 'pipe' });
    return null;
  } catch {
    return 'needs strace, and the right to trace: apt-get install strace';
  }
}

function planOf(path: string): object {
  return { path, seed: SEED, groups: 22, reopenEvery: 10, keepBytes: 40_000 };
}

function traced(path: string, out: string, inject: readonly string[]): string[] {
  const paths = [path, `${path}-wal`, `${path}-journal`, join(path, '..')].flatMap((one) => ['-P', one]);
  const trace = ['-e', `trace=${CALLS.join(',')}`, '-e', 'signal=none'];
  return [
    STRACE,
    ...quietly(inject),
    '-f',
    '-o',
    out,
    ...trace,
    ...inject.flatMap((one) => ['-e', `inject=${one}`]),
    ...paths,
  ];
}

/** Calls that are not asked for do not stop the program: most are no such. strace 6 kills nobody that way. */
export function quietly(rules: readonly string[]): readonly string[] {
  return rules.some((rule) => rule.includes(':signal=')) ? ['-qq'] : ['-qq', '--seccomp-bpf'];
}

/** What is compiled is kept there: of a thousand short lives half would be spent on it. */
export function cacheIn(folder: string): Readonly<Record<string, string>> {
  return { NODE_COMPILE_CACHE: join(folder, 'compiled') };
}

async function countCalls(around: string): Promise<ReadonlyMap<Call, number>> {
  const folder = join(around, 'count');
  mkdirSync(join(folder, 'log'), { recursive: true });
  const path = join(folder, 'log', 'events.db');
  const out = join(folder, 'trace');
  const { code, stderr } = await startChild(planOf(path), { wrap: traced(path, out, []), env: cacheIn(around) }).ended;
  if (code !== 0) throw new Error(`the scripted run ended with ${code}: ${stderr}`);
  const lines = readFileSync(out, 'utf8').split('\n');
  return new Map(CALLS.map((call) => [call, lines.filter((line) => line.includes(` ${call}(`)).length]));
}

function allPoints(counts: ReadonlyMap<Call, number>): Point[] {
  return CALLS.flatMap((call) =>
    FAULTS.filter((fault) => mayBe(call, fault)).flatMap((fault) =>
      Array.from({ length: counts.get(call) ?? 0 }, (_, i) => ({ call, fault, index: i + 1 })),
    ),
  );
}

/** What is only read needs no room. */
export function mayBe(call: string, fault: string): boolean {
  return call !== 'pread64' || !fault.includes('ENOSPC');
}

/** Returns false when the run ended before that call: then nothing was injected. */
async function inject(context: Context, point: Point, tally: Tally | undefined, lane: number): Promise<boolean> {
  const folder = join(context.folder, `lane-${lane}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'log'), { recursive: true });
  const path = join(folder, 'log', 'events.db');
  const out = join(folder, 'trace');
  const { call, fault, index } = point;
  const fromThere = fault.endsWith('+');
  const rule = `${call}:${fault.replace('+', '')}:when=${index}${fromThere ? '+' : ''}`;
  const child = startChild(planOf(path), { wrap: traced(path, out, [rule]), env: cacheIn(context.folder) });
  const { code, signal } = await child.ended;
  const killed = fault === 'signal=KILL';
  if (killed ? signal !== 'SIGKILL' : !readFileSync(out, 'utf8').includes('(INJECTED)')) return false;
  const { heard } = child;
  const verdict: Verdict = await checkLog(path, { seed: SEED, truth: truthOf(SEED), heard });
  let breach = verdict.breach;
  if (!killed && code !== 0 && code !== EXIT_IO) breach ??= `ended with ${code ?? signal}`;
  if (heard.errors.some((error) => error.startsWith('none'))) breach ??= `an error without a code: ${heard.errors}`;
  if (heard.afterError > 0) breach ??= 'acknowledged an append after an error';
  tally?.add({ ...verdict, breach }, rule);
  return true;
}

export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const all = [...items];
  const mixed: T[] = [];
  while (all.length > 0) mixed.push(...all.splice(below(random, all.length), 1));
  return mixed;
}
