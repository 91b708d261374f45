/**
 * The event loop of the agent, of central, or of both at once stands still for 10 s while readings come: the broker may drop who
 * says nothing, and the card and the store may lose nothing. After it all must go on by itself.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { below, type Context, createTally, mulberry32, type Row, type Scenario, type Tally } from './frame.ts';
import { type House, openHouse } from './house.ts';
import { compareAtRest, whyNoHouse } from './nemesis.ts';
import type { Supervised } from './supervised.ts';

const LANES = 2;
/** Of one house. */
const BLOCKS = 8;
const EVENTS_A_SECOND = 100;
const STOOD_MS = 10_000;
const RECOVERY_MS = 30_000;
const PATIENCE_MS = 60_000;
const hook = new URL('./block-loop.ts', import.meta.url).href;
const STOOD = /event loop stood for (\d+) ms/g;

export const blockedLoop: Scenario = {
  name: 'blocked-loop',
  weight: 1,
  recovery: 'until a fresh event is stored',
  full: 50,
  missing: whyNoHouse,
  async run(context): Promise<readonly Row[]> {
    const tally = createTally('event loop stands still for 10 s');
    let no = 0;
    const lane = async () => {
      while (context.more(tally.injected)) {
        no += 1;
        await liveThrough(context, (context.seed + no) >>> 0, no % 2 === 0, tally);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return [tally.row()];
  },
};

/** One house; every other one has the waits that the program has by itself. */
async function liveThrough(context: Context, seed: number, shipped: boolean, tally: Tally): Promise<void> {
  const random = mulberry32(seed);
  const env = { NODE_OPTIONS: `--no-warnings --import=${hook}` };
  const house = await openHouse({
    folder: join(context.folder, `house-${seed}`),
    random,
    broker: 'persistent',
    eventsPerSecond: EVENTS_A_SECOND,
    shipped,
    agentEnv: env,
    centralEnv: env,
  });
  const where = `seed ${seed}${shipped ? ', as shipped' : ''}`;
  const recoveries: number[] = [];
  let breach = (await house.recovered(PATIENCE_MS)) === null ? 'the house never began to work' : null;
  try {
    for (let i = 0; i < BLOCKS && breach === null && context.more(tally.injected + recoveries.length); i += 1) {
      const blocked = [[house.agent], [house.central], [house.agent, house.central]][below(random, 3)] ?? [];
      await Promise.all(blocked.map(block));
      const recoveryMs = await house.recovered(PATIENCE_MS);
      recoveries.push(recoveryMs ?? PATIENCE_MS);
      if (recoveryMs !== null && recoveryMs <= RECOVERY_MS) continue;
      breach = `block ${i} of ${blocked.map(({ name }) => name)}: stored again after ${recoveryMs ?? 'no'} ms`;
    }
    await conclude(house, recoveries, { breach, where }, tally);
  } finally {
    await house.close();
  }
}

/** Resolves when it has stood still, as it says itself. */
async function block(part: Supervised): Promise<void> {
  const before = standsOf(part).length;
  if (part.pid !== null) process.kill(part.pid, 'SIGUSR2');
  const until = performance.now() + PATIENCE_MS;
  while (standsOf(part).length === before) {
    if (performance.now() > until) throw new Error(`${part.name} never stood still`);
    await pause(50);
  }
  const stood = standsOf(part).at(-1) ?? 0;
  if (stood < STOOD_MS) throw new Error(`${part.name} stood for ${stood} ms only`);
}

function standsOf({ log }: Supervised): number[] {
  return [...readFileSync(log, 'utf8').matchAll(STOOD)].map(([, ms]) => Number(ms));
}

async function conclude(
  house: House,
  recoveries: readonly number[],
  { breach, where }: { readonly breach: string | null; readonly where: string },
  tally: Tally,
): Promise<void> {
  const end = await compareAtRest(house, { cardBackup: null, storeBackup: null, replaced: [] }, true);
  const none = { acked: 0, lost: 0, doubled: 0, breach: null };
  for (const [i, recoveryMs] of recoveries.entries()) {
    const all = i === recoveries.length - 1 ? { ...end, breach: breach ?? end.breach } : none;
    tally.add({ ...all, recoveryMs }, where);
  }
  if (recoveries.length === 0) throw new Error(`${where}: ${breach ?? end.breach ?? 'nothing was blocked'}`);
}
