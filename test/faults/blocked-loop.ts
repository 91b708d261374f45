/**
 * The event loop of the agent, of central, or of both at once stands still for 10 s while readings come: the broker may drop who
 * says nothing, and the card and the store may lose nothing. After it all must go on by itself.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { below, type Row, type Scenario } from './frame.ts';
import type { House } from './house.ts';
import { whyNoHouse } from './nemesis.ts';
import { standStill } from './stand-still.ts';
import type { Supervised } from './supervised.ts';

const LANES = 2;
/** Of one house. */
const BLOCKS = 8;
const EVENTS_A_SECOND = 100;
const STOOD_MS = 10_000;
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
    const env = { NODE_OPTIONS: `--no-warnings --import=${hook}` };
    return [
      await standStill(context, 'event loop stands still for 10 s', LANES, {
        times: BLOCKS,
        eventsPerSecond: EVENTS_A_SECOND,
        env,
        stand,
      }),
    ];
  },
};

async function stand(house: House, random: () => number): Promise<string> {
  const blocked = [[house.agent], [house.central], [house.agent, house.central]][below(random, 3)] ?? [];
  await Promise.all(blocked.map(block));
  return `block of ${blocked.map(({ name }) => name)}`;
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
