/** What goes wrong, and when: drawn from the seed. Each seed has its own few kinds of faults, so that each mix comes about. */
import { agentTopic, DEFAULT_BASE_TOPIC } from '../../src/contract/topic.ts';
import type { Random } from '../../src/simulator/random.ts';
import { type AgentMachine, PLENTY_BYTES } from './agent-machine.ts';
import type { Broker, Message } from './broker.ts';
import { type CentralMachine, GROUP } from './central-machine.ts';
import type { Network } from './link.ts';
import { fairWeather, type Weather } from './weather.ts';
import { POISON, type World } from './world.ts';

export interface Targets {
  readonly world: World;
  readonly network: Network;
  readonly broker: Broker;
  readonly weather: Weather;
  readonly agents: readonly [AgentMachine, ...AgentMachine[]];
  readonly central: CentralMachine;
  /** `stored` messages that were sent at any time. */
  readonly storedBefore: readonly Message[];
}

interface Kind {
  readonly name: string;
  /** Times in a minute, on average, where a seed has this kind. */
  readonly perMinute: number;
  strike(targets: Targets, random: Random): void;
}

/** Sets a part of the weather for a while. */
function spell(change: (random: Random) => Partial<Weather>, maxMs: number, fault?: string): Kind['strike'] {
  return ({ weather, world }, random) => {
    const changed = change(random);
    const fair: Partial<Weather> = fairWeather();
    Object.assign(weather, changed);
    if (fault !== undefined) world.count(fault);
    world.time.after(random.whole(200, maxMs), () => {
      for (const key of Object.keys(changed)) Object.assign(weather, { [key]: fair[key as keyof Weather] });
    });
  };
}

const anyClient = ({ agents }: Targets, random: Random): string =>
  random.pick([GROUP, ...agents.map((agent) => agent.clientId)]);

const MINUTE_MS = 60_000;

export const KINDS: readonly Kind[] = [
  {
    name: 'slow network',
    perMinute: 1,
    strike: spell((r) => ({ slowMs: r.whole(20, 2_000) }), 20_000, 'slow network'),
  },
  {
    name: 'broker away',
    perMinute: 0.5,
    strike(targets, random) {
      spell((r) => ({ reachable: r.pick(['refused', 'silent']) }), 30_000, 'broker away')(targets, random);
      for (const connection of [...targets.network.open.values()]) connection.cut();
    },
  },
  { name: 'dropping', perMinute: 1, strike: spell((r) => ({ swallow: r.between(0.05, 1) }), 15_000) },
  { name: 'refusing', perMinute: 1, strike: spell((r) => ({ refuse: r.between(0.05, 1) }), 15_000) },
  { name: 'doubling', perMinute: 1, strike: spell((r) => ({ copy: r.between(0.1, 1) }), 20_000) },
  { name: 'overtaking', perMinute: 1, strike: spell((r) => ({ holdBack: r.between(0.1, 0.7) }), 20_000) },
  { name: 'stored lost', perMinute: 1, strike: spell((r) => ({ storedLost: r.between(0.2, 1) }), 20_000) },
  { name: 'stored late', perMinute: 1, strike: spell((r) => ({ storedLate: r.between(0.2, 1) }), 20_000) },
  {
    name: 'stale stored',
    perMinute: 3,
    strike({ storedBefore, broker, world }, random) {
      const message = storedBefore[random.whole(0, storedBefore.length - 1)];
      if (message === undefined) return;
      world.count('stale `stored`');
      broker.publish(message);
    },
  },
  {
    name: 'cut',
    perMinute: 2.5,
    strike(targets, random) {
      const connection = targets.network.open.get(anyClient(targets, random));
      if (connection === undefined) return;
      targets.world.count('connection cut');
      connection.cut();
    },
  },
  {
    name: 'half-open',
    perMinute: 0.75,
    strike(targets, random) {
      const connection = targets.network.open.get(anyClient(targets, random));
      if (connection === undefined) return;
      targets.world.count('half-open');
      const until = targets.world.time.nowMs + random.pick([1_000, 4_000, 12_000, 60_000, 180_000]);
      const which = random.whole(1, 3);
      if ((which & 1) !== 0) connection.wire.toBroker.freeze(until);
      if ((which & 2) !== 0) connection.wire.toClient.freeze(until);
    },
  },
  {
    name: 'broker restart',
    perMinute: 0.5,
    strike({ broker, world }, random) {
      const forgets = random.pick<Parameters<Broker['restart']>[0]>([
        { sessions: false, retained: false },
        { sessions: true, retained: false },
        { sessions: true, retained: true },
      ]);
      world.count(forgets.sessions ? 'broker amnesia' : 'broker restart');
      broker.restart(forgets);
    },
  },
  {
    name: 'agent killed',
    perMinute: 1.5,
    strike({ agents, world }, random) {
      const agent = random.pick(agents);
      if (!agent.running) return;
      world.count('agent killed');
      agent.killAtStep(random.whole(1, 30));
    },
  },
  {
    name: 'power off',
    perMinute: 0.5,
    strike({ agents, world }, random) {
      world.count('power off');
      random.pick(agents).kill(true);
    },
  },
  {
    name: 'agent stopped',
    perMinute: 0.5,
    strike({ agents, world }, random) {
      world.count('agent stopped');
      random.pick(agents).stop();
    },
  },
  {
    name: 'clock steps',
    perMinute: 0.75,
    strike({ agents, world }, random) {
      world.count('clock step');
      random.pick(agents).stepClock(random.whole(-7_200_000, 7_200_000));
    },
  },
  {
    name: 'card full',
    perMinute: 0.5,
    strike({ agents, world }, random) {
      const agent = random.pick(agents);
      world.count('card full');
      agent.budgetBytes = 30_000 + random.whole(0, 40_000);
      world.time.after(random.whole(5_000, 90_000), () => {
        agent.budgetBytes = PLENTY_BYTES;
      });
    },
  },
  {
    name: 'card put back',
    perMinute: 0.4,
    strike({ agents }, random) {
      const agent = random.pick(agents);
      if (random.next() < 0.5) agent.keepCopyOfCard();
      else agent.putBackCopy(random.next() < 0.5);
    },
  },
  {
    name: 'unplugged',
    perMinute: 1,
    strike({ agents, world }, random) {
      world.count('port unplugged');
      random.pick(agents).unplug();
    },
  },
  {
    name: 'central killed',
    perMinute: 1.5,
    strike({ central, world }, random) {
      if (!central.running) return;
      world.count('central killed');
      central.killAtStep(random.whole(1, 60));
    },
  },
  {
    name: 'central stopped',
    perMinute: 0.5,
    strike({ central, world }) {
      world.count('central stopped');
      central.stop();
    },
  },
  {
    name: 'slow card',
    perMinute: 0.5,
    strike: spell((r) => ({ slowCardMs: r.whole(50, 3_000) }), 20_000, 'slow card'),
  },
  {
    name: 'slow store',
    perMinute: 0.5,
    strike: spell((r) => ({ slowStoreMs: r.whole(50, 3_000) }), 20_000, 'slow store'),
  },
  {
    name: 'card takes nothing',
    perMinute: 0.5,
    strike({ agents, world }, random) {
      if (random.pick(agents).fill()) world.count('card takes nothing more');
    },
  },
  {
    name: 'store takes nothing',
    perMinute: 0.5,
    strike({ central, world }) {
      if (central.fill()) world.count('store takes nothing more');
    },
  },
  {
    name: 'poison',
    perMinute: 1.5,
    strike({ agents, broker, world }, random) {
      const channel = random.pick(['events', 'backlog', 'sync', 'state', 'health', 'stored']);
      const topic = agentTopic(DEFAULT_BASE_TOPIC, random.pick(agents).name, channel);
      world.count('poison');
      broker.publish({ topic, payload: random.pick([POISON, `[${POISON}]`, `{${POISON}`]), qos: 1, retain: false });
    },
  },
  {
    name: 'central restored',
    perMinute: 0.5,
    strike({ central, world }, random) {
      if (random.next() < 0.5) central.keepBackup();
      else if (central.restore()) world.count('central restored from a backup');
    },
  },
  {
    name: 'both put back',
    perMinute: 0.75,
    strike({ agents, central, world }, random) {
      const agent = random.pick(agents);
      if (random.next() < 0.6) {
        agent.keepCopyOfCard();
        if (random.next() < 0.5) central.keepBackup();
        return;
      }
      agent.putBackCopy(false);
      if (central.restore()) world.count('central restored from a backup');
    },
  },
];

/** Of the kinds that are looked into: how many of the seeds have them, and how much more often they strike there. */
const OFTEN_SHARE = 0.7;
const OFTEN_TIMES = 2;

/** Lets the faults of this seed strike until `untilMs`, those of `often` more often. Returns the names of its kinds. */
export function planFaults(targets: Targets, untilMs: number, often: readonly string[]): readonly string[] {
  const { world } = targets;
  const random = world.random('faults');
  const density = random.pick([0.1, 0.3, 0.6]);
  const kinds = KINDS.filter(({ name }) => random.next() < (often.includes(name) ? OFTEN_SHARE : density));
  for (const kind of kinds) {
    const own = world.random(`fault ${kind.name}`);
    const perMinute = kind.perMinute * (often.includes(kind.name) ? OFTEN_TIMES : 1);
    const next = () => {
      const pauseMs = (-Math.log(1 - own.next()) * MINUTE_MS) / perMinute;
      if (world.time.nowMs + pauseMs >= untilMs) return;
      world.time.after(pauseMs, () => {
        world.note('fault', kind.name);
        kind.strike(targets, own);
        next();
      });
    };
    next();
  }
  return kinds.map(({ name }) => name);
}
