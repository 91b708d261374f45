/**
 * Agent, central, broker, or agent and central together get no processor for 20 s to 5 minutes, as in a virtual machine that is put aside
 * (SIGSTOP, SIGCONT): the others take them for gone, and they learn of it afterwards.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { below, type Row, type Scenario } from './frame.ts';
import type { House } from './house.ts';
import { whyNoHouse } from './nemesis.ts';
import { standStill } from './stand-still.ts';

/** They mostly wait. */
const LANES = 8;
/** Of one house. */
const STOPS = 5;
const EVENTS_A_SECOND = 10;

export const frozen: Scenario = {
  name: 'frozen',
  weight: 2,
  recovery: 'until a fresh event is stored',
  full: 200,
  missing: whyNoHouse,
  async run(context): Promise<readonly Row[]> {
    return [
      await standStill(context, 'a program is stopped for 20 s to 5 minutes, and goes on', LANES, {
        times: STOPS,
        eventsPerSecond: EVENTS_A_SECOND,
        stand,
      }),
    ];
  },
};

async function stand(house: House, random: () => number): Promise<string> {
  const { agent, central, broker } = house;
  const parts = [[agent], [central], [broker], [agent, central]][below(random, 4)] ?? [];
  const ms = stopMs(random);
  for (const part of parts) if (!part.freeze()) throw new Error(`${part.name} does not run`);
  await pause(ms);
  for (const part of parts) part.thaw();
  return `stop of ${parts.map(({ name }) => name)} for ${Math.round(ms / 1_000)} s`;
}

/** Mostly below a minute. */
function stopMs(random: () => number): number {
  const kind = random();
  if (kind < 0.6) return 20_000 + random() * 40_000;
  if (kind < 0.9) return 60_000 + random() * 90_000;
  return 150_000 + random() * 150_000;
}
