/**
 * Who may say that an event is safe: central after its commit. The controls believe the broker's PUBACK, or a central that
 * answers before its commit; the agent trims what is confirmed at once, and so must lose.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../servers.ts';
import { type Context, createTally, mulberry32, type Row, type Scenario, type Verdict } from './frame.ts';
import { startBroker } from './house.ts';
import { whyNoHouse } from './nemesis.ts';
import { readStore } from './nemesis-oracle.ts';
import { nothingHeard, startChild } from './run-child.ts';
import { createSupervised, type Supervised } from './supervised.ts';
import { sameEvent, truthOf } from './workload.ts';

const agentProgram = fileURLToPath(new URL('./trimming-agent.ts', import.meta.url));
const centralProgram = fileURLToPath(new URL('./early-central.ts', import.meta.url));
/** Kills in one life of the store. */
const KILLS = 4;
/** Lives of a control until it has lost something. */
const CONTROL_LIVES = 5;
/** Between the seeds of two lives of a control, so that no life is lived twice. */
const LIFE_SEEDS = 10_000;

interface Way {
  readonly name: string;
  readonly control: boolean;
  readonly confirm: 'store' | 'broker';
  readonly early: boolean;
  /** What dies under load: central alone, or the broker while central is away. */
  readonly kills: 'central' | 'broker';
}

const WAYS: readonly Way[] = [
  { name: 'central killed, trimmed at once', control: false, confirm: 'store', early: false, kills: 'central' },
  { name: 'broker killed, trimmed at once', control: false, confirm: 'store', early: false, kills: 'broker' },
  { name: '`stored` before the commit', control: true, confirm: 'store', early: true, kills: 'central' },
  { name: 'PUBACK trusted', control: true, confirm: 'broker', early: false, kills: 'broker' },
];

export const confirmation: Scenario = {
  name: 'confirmation',
  weight: 1,
  recovery: 'how long the victim is away',
  full: 40,
  missing: whyNoHouse,
  async run(context): Promise<readonly Row[]> {
    const tallies = WAYS.map(({ name, control }) => createTally(name, control));
    for (let no = 0; context.more(tallies[0]?.injected ?? 0); no += 1) {
      for (const [i, way] of WAYS.entries()) {
        const seed = (context.seed + no) >>> 0;
        const tally = tallies[i];
        // A kill may fall where even a control has nothing to lose: then it lives again.
        for (let life = 0; life === 0 || (way.control && tally?.losing === 0 && life < CONTROL_LIVES); life += 1) {
          const own = (seed + life * LIFE_SEEDS) >>> 0;
          for (const verdict of await lifeOf(context, way, own)) tally?.add(verdict, `seed ${own}`);
        }
      }
    }
    return tallies.map((tally) => tally.row());
  },
};

/** One verdict for each kill; what was lost is in the last. */
async function lifeOf(context: Context, way: Way, seed: number): Promise<Verdict[]> {
  const random = mulberry32(seed);
  const folder = join(context.folder, `life-${seed}`);
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const url = `mqtt://127.0.0.1:${port}`;
  const storePath = join(folder, 'central.db');
  const broker = startBroker(folder, port, ['persistence true', 'max_queued_messages 0']);
  const command = [
    process.execPath,
    '--no-warnings',
    centralProgram,
    JSON.stringify({ url, storePath, early: way.early }),
  ];
  const central = createSupervised({ name: 'central', log: join(folder, 'central.log'), command });
  const heard = nothingHeard();
  const plan = { url, path: join(folder, 'events.db'), seed, confirm: way.confirm };
  central.start();
  try {
    await pause(1_000);
    const agent = startChild(plan, { program: agentProgram, heard });
    await agent.acking;
    const times: number[] = [];
    for (let i = 0; i < KILLS; i += 1) times.push(await killOne(way, { broker, central }, random));
    agent.process.kill('SIGTERM');
    const { code, stderr } = await agent.ended;
    if (code !== 0) throw new Error(`the agent ended with ${code}: ${stderr}`);
    await central.stop();
    const last = judge(storePath, seed, heard.acked);
    return times.map((recoveryMs, i) =>
      i === KILLS - 1 ? { ...last, recoveryMs } : { acked: 0, lost: 0, doubled: 0, breach: null, recoveryMs },
    );
  } finally {
    await Promise.all([central.kill(), broker.kill()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Resolves with how long the victim was away. */
async function killOne(
  way: Way,
  { broker, central }: { readonly broker: Supervised; readonly central: Supervised },
  random: () => number,
): Promise<number> {
  await pause(800 + random() * 600);
  const began = performance.now();
  if (!(await central.kill())) throw new Error('central was not there to be killed');
  if (way.kills === 'broker') {
    await pause(500 + random() * 500);
    if (!(await broker.kill())) throw new Error('the broker was not there to be killed');
    broker.start();
  }
  await pause(random() * 200);
  central.start();
  return performance.now() - began;
}

function judge(storePath: string, seed: number, acked: number): Omit<Verdict, 'recoveryMs'> {
  const truth = truthOf(seed);
  const { events } = readStore(storePath);
  let breach: string | null = null;
  let whole = 0;
  for (const event of events) {
    if (sameEvent(event, truth.event(event.seq))) whole += event.seq <= acked ? 1 : 0;
    else breach ??= `event ${event.seq} at central is not what was logged`;
  }
  return { acked, lost: acked - whole, doubled: events.length - new Set(events.map(({ seq }) => seq)).size, breach };
}
