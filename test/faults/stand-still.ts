/** Programs of a house that stand still for a while, and go on by themselves. */
import { join } from 'node:path';
import { type Context, createTally, mulberry32, type Row, type Tally } from './frame.ts';
import { type House, openHouse } from './house.ts';
import { compareAtRest } from './nemesis.ts';

const RECOVERY_MS = 30_000;
const PATIENCE_MS = 60_000;

export interface Stand {
  /** How often in one house. */
  readonly times: number;
  readonly eventsPerSecond: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Resolves, with what it was, when it has stood and goes on. Rejects where it never stood. */
  stand(house: House, random: () => number): Promise<string>;
}

/** House after house, `lanes` of them side by side; every other one has the waits that the program has by itself. */
export async function standStill(context: Context, fault: string, lanes: number, how: Stand): Promise<Row> {
  const tally = createTally(fault);
  let no = 0;
  const lane = async () => {
    while (context.more(tally.injected)) {
      no += 1;
      await liveThrough(context, (context.seed + no) >>> 0, no % 2 === 0, how, tally);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return tally.row();
}

/** One house; `shipped`: with the waits that the program has by itself. */
async function liveThrough(
  context: Context,
  seed: number,
  shipped: boolean,
  { times, eventsPerSecond, env = {}, stand }: Stand,
  tally: Tally,
): Promise<void> {
  const random = mulberry32(seed);
  const house = await openHouse({
    folder: join(context.folder, `house-${seed}`),
    random,
    broker: 'persistent',
    eventsPerSecond,
    shipped,
    agentEnv: env,
    centralEnv: env,
  });
  const where = `seed ${seed}${shipped ? ', as shipped' : ''}`;
  const recoveries: number[] = [];
  let breach = (await house.recovered(PATIENCE_MS)) === null ? 'the house never began to work' : null;
  try {
    for (let i = 0; i < times && breach === null && context.more(tally.injected + recoveries.length); i += 1) {
      const what = await stand(house, random);
      const recoveryMs = await house.recovered(PATIENCE_MS);
      recoveries.push(recoveryMs ?? PATIENCE_MS);
      if (recoveryMs !== null && recoveryMs <= RECOVERY_MS) continue;
      breach = `${i}, ${what}: stored again after ${recoveryMs ?? 'no'} ms`;
    }
    await conclude(house, recoveries, { breach, where }, tally);
  } finally {
    await house.close();
  }
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
  if (recoveries.length === 0) throw new Error(`${where}: ${breach ?? end.breach ?? 'nothing stood still'}`);
}
