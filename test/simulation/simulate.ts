/** One seed: a broker, central, one or two agents, faults for some minutes, then fair weather until all is well again. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../src/simulator/random.ts';
import { type AgentMachine, createAgentMachine } from './agent-machine.ts';
import { type Broker, createBroker, type Message } from './broker.ts';
import { type CentralMachine, createCentralMachine } from './central-machine.ts';
import { planFaults } from './faults.ts';
import type { Network } from './link.ts';
import { within } from './machine.ts';
import { isSettled, judge } from './oracle.ts';
import { fairWeather, faultsOf, type Weather } from './weather.ts';
import { createWorld, type World } from './world.ts';

/** Programs that must break a promise: they prove that the oracle sees it. PUBACK is trusted; `stored` comes before the commit. */
export const CONTROLS = ['puback', 'early'] as const;
export type Control = (typeof CONTROLS)[number];

export interface SimulationOptions {
  /** A folder in memory; the seed makes its own in it. */
  readonly folder: string;
  /** A store as central's first start makes it. */
  readonly template: string;
  readonly control?: Control;
  readonly keepsNotes?: boolean;
  /** Names of the kinds of faults that strike more often. */
  readonly often?: readonly string[];
  /** In the place of all faults: the first life of a machine ends in front of its n-th step. */
  readonly death?: Death;
}

export interface Death {
  readonly of: 'agent' | 'central';
  readonly step: number;
}

export interface Outcome {
  readonly seed: number;
  readonly hash: string;
  readonly breaches: readonly string[];
  readonly simulatedMs: number;
  /** From the end of the faults until all was well; null where it never was. */
  readonly healedMs: number | null;
  readonly events: number;
  readonly told: number;
  readonly conflicts: number;
  readonly turns: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly notes: readonly string[];
}

/** After the last fault all must be well again within this: an agent hears another store than before once a minute. */
export const HEAL_MS = 120_000;
/** Long enough for all that a life does again and again: the log is trimmed once a minute. */
const DEATH_MS = 90_000;
const LOOK_MS = 500;
const NAMES = ['porch', 'shed'] as const;
const COLLARS = ['C0FFEE01', 'C0FFEE02', 'C0FFEE03'] as const;
const PLACES = ['kitchen', 'hall', 'garden', 'attic'] as const;

interface House {
  readonly world: World;
  readonly network: Network;
  readonly broker: Broker;
  readonly weather: Weather;
  readonly agents: readonly [AgentMachine, ...AgentMachine[]];
  readonly central: CentralMachine;
  readonly storedBefore: Message[];
}

export async function simulate(seed: number, options: SimulationOptions): Promise<Outcome> {
  const folder = join(options.folder, `seed-${seed}`);
  mkdirSync(folder, { recursive: true });
  const world = createWorld(seed, folder, options.keepsNotes ?? false);
  const random = world.random('house');
  const house = build(world, random, options);
  const { agents, central, weather } = house;
  try {
    // The log is trimmed once a minute: some last long enough for that.
    const { death } = options;
    const long = random.next() < 0.4 ? random.whole(90_000, 300_000) : random.whole(20_000, 80_000);
    const faultyMs = death === undefined ? long : DEATH_MS;
    central.start();
    for (const agent of agents) agent.start();
    live(house, faultyMs);
    if (death === undefined) planFaults(house, faultyMs, options.often ?? []);
    await world.time.runUntil(faultyMs);
    Object.assign(weather, fairWeather());
    central.heal();
    for (const agent of agents) agent.heal();
    const healedMs = await heal(house);
    const findings = judge(agents, central);
    if (healedMs === null) world.breach(`not well ${HEAL_MS} ms after the last fault`);
    for (const breach of findings.breaches) world.breach(breach);
    // Then a seed does not replay: what asks for time must ask the simulated one.
    if (process.getActiveResourcesInfo().includes('Timeout'))
      world.breach('somebody waits by the clock of this machine');
    return {
      seed,
      hash: world.hash(),
      breaches: world.breaches,
      simulatedMs: world.time.nowMs,
      healedMs,
      events: findings.events,
      told: findings.told,
      conflicts: findings.conflicts,
      turns: world.time.turns,
      faults: world.faults,
      notes: world.notes,
    };
  } finally {
    central.close();
    for (const agent of agents) agent.kill(false);
    // Node keeps signals that are made of others, with all that listens to them, until they abort.
    for (const life of world.lives) within(life, () => life.stop.abort());
    await world.time.runUntil(world.time.nowMs);
    rmSync(folder, { recursive: true, force: true });
  }
}

function build(world: World, random: Random, { template, control, death }: SimulationOptions): House {
  const weather = fairWeather();
  const storedBefore: Message[] = [];
  const names = random.next() < 0.25 ? NAMES : NAMES.slice(0, 1);
  const protocol = random.next() < 0.2 ? '3.1.1' : '5';
  const chance = world.random('network');
  const broker = createBroker({
    time: world.time,
    queueLimit: random.pick([5, 20, 1_000]),
    protocol,
    faults: faultsOf(weather, world),
    routed: (message) => {
      world.note('routed', `${message.topic} ${message.payload}`);
      if (message.topic.endsWith('/stored')) storedBefore.push(message);
    },
  });
  const network: Network = {
    time: world.time,
    broker,
    protocol,
    receiveMaximum: random.pick([65_535, 65_535, 20, 3]),
    maxPacketBytes: random.pick([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 3_000]),
    latencyMs: () => chance.between(0.2, 5) + chance.next() * weather.slowMs,
    reachable: () => weather.reachable,
    open: new Map(),
    delivered: (client, message) => world.note('delivered', `${client} ${message.topic} ${message.payload}`),
    breach: world.breach,
  };
  const around = { world, network, broker, weather };
  const central = createCentralMachine(around, {
    template,
    answersEarly: control === 'early',
    diesAtStep: death?.of === 'central' ? death.step : undefined,
  });
  const machineOf = (name: string) =>
    createAgentMachine(around, {
      name,
      signs: random.next() < 0.3,
      keepDays: random.pick([0, 30 / 86_400, 7]),
      config: {
        confirm: control === 'puback' ? 'broker' : 'store',
        batchEvents: random.pick([1, 3, 20, 500]),
        windowBatches: random.pick([1, 2, 8]),
        unconfirmedEvents: random.pick([10, 20_000]),
      },
      committed: central.committed,
      diesAtStep: death?.of === 'agent' ? death.step : undefined,
    });
  const [first, ...others] = names.map(machineOf);
  if (first === undefined) throw new Error('a house has an agent');
  return { world, network, broker, weather, agents: [first, ...others], central, storedBefore };
}

/** What happens in the house while faults do. */
function live({ world, agents, central }: House, untilMs: number): void {
  const { time } = world;
  const random = world.random('cats');
  const often = (meanMs: number, work: () => void) => {
    const next = () => {
      const pauseMs = -Math.log(1 - random.next()) * meanMs;
      if (time.nowMs + pauseMs >= untilMs) return;
      time.after(pauseMs, () => {
        work();
        next();
      });
    };
    next();
  };
  const hear = (agent: AgentMachine) => {
    const line =
      random.next() < 0.7
        ? { collar: random.pick(COLLARS), motion: 1, place: random.pick(PLACES) }
        : { collar: random.pick(COLLARS), battery: random.pick([3, 99]) };
    agent.hear(JSON.stringify(line));
  };
  for (const agent of agents) {
    often(random.pick([4_000, 20_000]), () => hear(agent));
    if (random.next() < 0.3) often(60_000, () => Array.from({ length: random.whole(5, 40) }, () => hear(agent)));
    // The last word comes when all is well: it must get through, too.
    time.after(untilMs + 1_000, () => agent.hear(JSON.stringify({ collar: 'LAST', motion: 1, place: 'roof' })));
  }
  often(30_000, () => {
    const cat = random.whole(1, 3);
    switch (random.whole(1, 4)) {
      case 1:
        return central.ask((cats) => cats.addCat(`cat ${random.whole(1, 5)}`));
      case 2:
        return central.ask((cats) => cats.assignCollar(cat, random.pick(COLLARS)));
      case 3:
        return central.ask((cats) => cats.updateCatLocation(cat, random.pick(PLACES)));
      default:
        return central.ask((cats) => cats.renameCat(cat, `cat ${random.whole(1, 9)}`));
    }
  });
}

/** Resolves with how long it took until all was well for a while; null where it took too long. */
async function heal({ world, agents, central }: House): Promise<number | null> {
  const { time } = world;
  const from = time.nowMs;
  for (let calm = 0; time.nowMs < from + HEAL_MS; ) {
    await time.runUntil(time.nowMs + LOOK_MS);
    calm = time.nowMs > from + 2_000 && isSettled(agents, central) ? calm + 1 : 0;
    if (calm === 4) return time.nowMs - from - 3 * LOOK_MS;
  }
  return null;
}
