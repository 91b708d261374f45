/**
 * Too little memory: the kernel kills the agent (SIGKILL), or V8 gives up (SIGABRT), at its start or in the middle of its work.
 * What keeps it running starts it again, and nothing is lost.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Context, createTally, mulberry32, type Row, type Scenario, type Tally, type Verdict } from './frame.ts';
import { agentBin, type House, openHouse } from './house.ts';
import { compareAtRest, whyNoHouse } from './nemesis.ts';
import { createSupervised } from './supervised.ts';

const ROOT = '/sys/fs/cgroup/memory';
const MEGABYTE = 1024 * 1024;
const ENDS_A_HOUSE = 12;
/** It has so long to run out of memory. */
const TRY_MS = 8_000;
const PATIENCE_MS = 60_000;

export const memoryLimit: Scenario = {
  name: 'memory-limit',
  weight: 1,
  recovery: 'until a fresh event is stored',
  full: 100,
  missing: whyNoHouse,
  async run(context): Promise<readonly Row[]> {
    const killed = createTally('memory limit: killed by the kernel (SIGKILL)');
    const aborted = createTally('heap limit: given up by V8 (SIGABRT)');
    const why = whyNoGroup();
    if (why !== null) context.tell(`the kernel's limit is left out: ${why}`);
    const ways: Way[] = [{ tally: aborted, run: byHeap, expected: 'SIGABRT' }];
    if (why === null) ways.unshift({ tally: killed, run: byKernel, expected: 'SIGKILL' });
    for (let no = 0; context.more(Math.min(...ways.map(({ tally }) => tally.injected))); no += 1)
      for (const way of ways) await lifeOf(context, (context.seed + no) >>> 0, way);
    return ways.map(({ tally }) => tally.row());
  },
};

/** What this machine lacks to limit the memory of a process, or null. */
export function whyNoGroup(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  return existsSync(join(ROOT, 'memory.limit_in_bytes')) ? null : 'needs the memory controller of cgroup v1';
}

interface Way {
  readonly tally: Tally;
  readonly expected: string;
  /** Makes the agent run out of memory once. Returns how it ended, or null. */
  run(house: House, random: () => number): Promise<string | null>;
}

async function lifeOf(context: Context, seed: number, { tally, run, expected }: Way): Promise<void> {
  const random = mulberry32(seed);
  const folder = join(context.folder, `house-${seed}-${expected}`);
  const house = await openHouse({ folder, random, broker: 'persistent', eventsPerSecond: 100 });
  const verdicts: Verdict[] = [];
  let breach: string | null = null;
  try {
    if ((await house.recovered(PATIENCE_MS)) === null) throw new Error('the house never began to work');
    for (let tries = 0; tries < 2 * ENDS_A_HOUSE && context.more(tally.injected + verdicts.length); tries += 1) {
      const end = await run(house, random);
      if (end === null) continue;
      if (end !== expected) breach = `it ended with ${end}`;
      const recoveryMs = await house.recovered(PATIENCE_MS);
      if (recoveryMs === null) breach ??= `nothing is stored after ${end}`;
      verdicts.push({ acked: 0, lost: 0, doubled: 0, breach: null, recoveryMs: recoveryMs ?? PATIENCE_MS });
      if (verdicts.length >= ENDS_A_HOUSE || breach !== null) break;
    }
    const past = { cardBackup: null, storeBackup: null, replaced: [] };
    const found = await compareAtRest(house, past, true);
    for (const [i, verdict] of verdicts.entries()) {
      const { acked, lost, doubled } = found;
      const all = i === verdicts.length - 1 ? { acked, lost, doubled, breach: breach ?? found.breach } : {};
      tally.add({ ...verdict, ...all }, `seed ${seed}, end ${i}`);
    }
  } finally {
    await house.close();
  }
}

/** The same agent in a group that gets hardly more than it uses; its growth does the rest. */
async function byKernel(house: House, random: () => number): Promise<string | null> {
  const group = join(ROOT, `collard-faults-${process.pid}-${Math.floor(random() * 1e9)}`);
  mkdirSync(group);
  try {
    const inGroup = ['sh', '-c', `echo $$ > ${join(group, 'cgroup.procs')} && exec "$0" "$@"`];
    return await asSmall(house, inGroup, [], async (end) => {
      // Sometimes while it starts, sometimes at work.
      for (const untilMs = random() * 3_000, began = performance.now(); performance.now() - began < untilMs; )
        await pause(50);
      if (end() !== null) return;
      const used = Number(readFileSync(join(group, 'memory.usage_in_bytes'), 'utf8'));
      tighten(group, Math.round(used * (0.6 + random() * 0.4)));
    });
  } finally {
    await emptied(group);
    rmdirSync(group);
  }
}

/** A process that has been killed leaves its group a moment later. */
async function emptied(group: string): Promise<void> {
  for (let i = 0; i < 100 && readFileSync(join(group, 'cgroup.procs'), 'utf8') !== ''; i += 1) await pause(20);
}

/** The kernel refuses a limit that it cannot reach by taking pages back: then a little more. */
function tighten(group: string, bytes: number): void {
  for (let limit = bytes; ; limit += MEGABYTE) {
    try {
      writeFileSync(join(group, 'memory.limit_in_bytes'), String(limit));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    }
  }
}

/** The same agent on the same log, with a heap that is too small. */
function byHeap(house: House, random: () => number): Promise<string | null> {
  const heapMb = 8 + Math.floor(random() * 9);
  return asSmall(house, [], [`--max-old-space-size=${heapMb}`], async () => undefined);
}

/** Runs the agent in a way that lets it run out of memory, then as it was before. Returns how it ended, or null. */
async function asSmall(
  house: House,
  wrap: readonly string[],
  flags: readonly string[],
  squeeze: (end: () => string | null) => Promise<void>,
): Promise<string | null> {
  if (!(await house.agent.kill())) return null;
  const config = join(house.folder, 'agent.yaml');
  const command = [...wrap, process.execPath, ...flags, agentBin, 'agent', '--config', config];
  const log = join(house.folder, 'small.log');
  const small = createSupervised({ name: 'small', log, command, restartMs: Number.POSITIVE_INFINITY });
  const end = () => small.ends[0] ?? null;
  small.start();
  try {
    await squeeze(end);
    for (let ms = 0; ms < TRY_MS && end() === null; ms += 50) await pause(50);
    return end();
  } finally {
    await small.kill();
    house.agent.start();
  }
}
