/** kill -9 at random moments: while the log is opened, written, checkpointed, trimmed, closed. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { below, type Context, createTally, mulberry32, type Row, type Scenario, type Tally } from './frame.ts';
import { checkLog } from './oracle.ts';
import { type Heard, nothingHeard, startChild } from './run-child.ts';
import { truthOf } from './workload.ts';

/** Kills of one log before the next one is begun. */
const KILLS_A_LOG = 25;
/** Logs that are killed side by side. */
const LANES = 2;

export const kill: Scenario = {
  name: 'kill',
  weight: 2,
  recovery: 'until the log is open again',
  full: 2_000,
  missing: () => null,
  async run(context): Promise<readonly Row[]> {
    const tally = createTally('kill -9 at random');
    const lanes = Array.from({ length: LANES }, (_, lane) => runLane(context, tally, lane));
    await Promise.all(lanes);
    return [tally.row()];
  },
};

async function runLane(context: Context, tally: Tally, lane: number): Promise<void> {
  for (let no = lane; context.more(tally.injected); no += LANES) {
    const seed = (context.seed + no) >>> 0;
    const random = mulberry32(seed);
    const log = {
      seed,
      truth: truthOf(seed),
      path: join(context.folder, `log-${no}`, 'events.db'),
      heard: nothingHeard(),
    };
    for (let i = 0; i < KILLS_A_LOG && context.more(tally.injected); i += 1) {
      const killed = await killOnce(log.path, seed, log.heard, random);
      // A child that ended by itself is no injection, and no end that it may have.
      if (killed !== null) throw new Error(`the child ended by itself: ${killed}`);
      tally.add(await checkLog(log.path, log), `seed ${seed}, kill ${i}`);
    }
  }
}

/** Returns null when SIGKILL ended it, else how it ended. */
async function killOnce(path: string, seed: number, heard: Heard, random: () => number): Promise<string | null> {
  const plan = { path, seed, groups: null, reopenEvery: 1 + below(random, 60), keepBytes: 150_000 };
  const before = heard.acked;
  const child = startChild(plan, { heard: { ...heard, acked: 0 } });
  // One in eight while it starts, the others while it works.
  await (random() < 0.125 ? pause(random() * 300) : child.acking.then(() => pause(random() * 120)));
  child.process.kill('SIGKILL');
  const { code, signal, stderr } = await child.ended;
  heard.acked = Math.max(before, child.heard.acked);
  heard.marked = Math.max(heard.marked, child.heard.marked);
  return signal === 'SIGKILL' ? null : `code ${code}, signal ${signal}: ${child.heard.errors.join(' ')} ${stderr}`;
}
