/**
 * Clusters under kill -9: three agents, brokers, three nodes of Galera, and central, each killed again and again while events
 * flow, one node of a kind at a time. Afterwards the cards and the store are compared, and the models with a fresh fold.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startNats } from '../clusters/nats.ts';
import { etcdPath, galeraPath, natsPath, rabbitmqPath } from '../clusters/paths.ts';
import { startRabbitmq } from '../clusters/rabbitmq.ts';
import { mosquittoPath, startMosquitto } from '../servers.ts';
import { type ClusterWatch, watchCluster } from './cluster-watch.ts';
import { AGENTS, type Brokers, DATABASE, type Fleet, openFleet } from './fleet.ts';
import { below, type Context, createTally, mulberry32, type Row, type Scenario, scenarioSeed } from './frame.ts';
import { compareAll, type Held, readCard } from './nemesis-oracle.ts';

/** Of a full run: readings over all agents, of which those are no events that come while their agent is down, and kills of each kind. */
const READINGS = 205_000;
const KILLS = 10;
/** All that a quiet machine bears, and what comes while the clusters are behind, by events that wait or by their age. */
const EVENTS_A_SECOND = 450;
const SLOW_A_SECOND = 30;
const MAX_WAITING = 2_000;
const MAX_BEHIND_MS = 4_000;
/** The last kill comes before so much of the time is over: what waits then needs the rest. */
const KILLING_SHARE = 0.7;
/** Nothing is stored for so long: a breach. */
const PATIENCE_MS = 180_000;
const DRAIN_MS = 300_000;
/** After the last reading: what an agent says of itself then holds. */
const SETTLE_MS = 1_500;
/** A node of the database that runs and refuses all work is started again so often. */
const STARTS = 4;

type Kind = 'broker' | 'database' | 'central' | 'agent';

interface Way {
  readonly name: string;
  readonly fault: string;
  readonly brokers: () => Promise<Brokers>;
  readonly missing: () => string | null;
  readonly kills: Readonly<Record<Kind, number>>;
  readonly workers: number;
  readonly control?: boolean;
}

const ALL: Way['kills'] = { broker: KILLS, database: KILLS, central: KILLS, agent: KILLS };

export const clusterNats = scenarioOf([
  {
    name: 'cluster',
    fault: 'kill -9 of 3 NATS, 3 Galera, 3 agents, 3 workers',
    brokers: startNats,
    missing: () => lacking(natsPath, 'nats-server') ?? lacking(etcdPath, 'etcd-server'),
    kills: ALL,
    workers: 3,
  },
]);

export const clusterRabbitmq = scenarioOf([
  {
    name: 'cluster-rabbitmq',
    fault: 'kill -9 of 3 RabbitMQ (quorum), 3 Galera, 3 agents, central',
    brokers: startRabbitmq,
    missing: () => lacking(rabbitmqPath, 'rabbitmq-server'),
    kills: { ...ALL, broker: 4 },
    workers: 1,
  },
]);

export const clusterMosquitto = scenarioOf([
  {
    name: 'cluster-mosquitto',
    fault: 'kill -9 of mosquitto at its worst defaults, 3 Galera, 3 agents, 3 workers',
    brokers: worstMosquitto,
    missing: () => lacking(mosquittoPath, 'mosquitto') ?? lacking(etcdPath, 'etcd-server'),
    kills: ALL,
    workers: 3,
  },
  {
    name: 'cluster-mosquitto',
    fault: 'PUBACK of that mosquitto is believed',
    brokers: worstMosquitto,
    missing: () => null,
    kills: { broker: 4, database: 0, central: 0, agent: 0 },
    workers: 1,
    control: true,
  },
]);

function scenarioOf(ways: readonly [Way, ...Way[]]): Scenario {
  const full = sum(ways[0].kills);
  return {
    name: ways[0].name,
    weight: 4,
    recovery: 'until fresh events of all agents are stored',
    full,
    alone: true,
    missing: () => ways[0].missing() ?? lacking(galeraPath, 'galera-4 rsync mariadb-server'),
    async run(context): Promise<readonly Row[]> {
      process.setMaxListeners(100);
      let asked = 0;
      while (asked < full && context.more(asked)) asked += 1;
      const rows: Row[] = [];
      for (const way of ways) rows.push(await runWay(context, way, asked / full));
      return rows;
    },
  };
}

function lacking(path: string | null, debian: string): string | null {
  return path === null ? `needs ${debian}: apt-get install --no-install-recommends ${debian}` : null;
}

function sum(kills: Way['kills']): number {
  return Object.values(kills).reduce((a, b) => a + b, 0);
}

/** What its makers set: 1 000 messages wait for a client that is away, and what waits is written down every half hour. */
async function worstMosquitto(): Promise<Brokers> {
  const lines = ['persistence true', 'max_queued_messages 1000', 'autosave_interval 1800'];
  const broker = await startMosquitto(lines);
  const start = () => broker.restart();
  const kill = async () => {
    await broker.kill();
    return true;
  };
  return { nodes: [{ name: 'mosquitto', start, kill }], urls: [broker.url], close: broker.stop };
}

/** `share` of the kills and events of a full run. */
async function runWay(context: Context, way: Way, share: number): Promise<Row> {
  const { control = false, workers } = way;
  const brokers = await way.brokers();
  const folder = join(context.folder, control ? 'control' : 'fleet');
  mkdirSync(folder);
  let watch: ClusterWatch | null = null;
  const eventsPerSecond = () => (watch !== null && keepsUp(watch) ? EVENTS_A_SECOND : SLOW_A_SECOND);
  const fleet = await openFleet({ folder, brokers, workers, eventsPerSecond, confirm: control ? 'broker' : 'store' });
  watch = watchCluster(fleet.database, DATABASE);
  const began = performance.now();
  const wanted = Math.ceil(READINGS * share);
  const killingMs = context.shareMs * KILLING_SHARE;
  const progress = () => Math.max(fleet.written / wanted, (performance.now() - began) / killingMs);
  const run: Run = { context, way, fleet, watch, progress, kills: [], notes: [] };
  try {
    if ((await watch.fresh(AGENTS, 0, PATIENCE_MS)) === null) throw new Error('the fleet never began to work');
    const kinds = Object.entries(way.kills) as [Kind, number][];
    await Promise.all(kinds.map(([kind, times]) => killAll(run, kind, Math.ceil(times * share))));
    while (progress() < 1) await pause(100);
    return rowOf(run, await judge(run));
  } finally {
    await watch.close();
    await fleet.close();
  }
}

function keepsUp({ waiting, newest }: ClusterWatch): boolean {
  const queue = [...waiting.values()].reduce((all, one) => all + one.queue, 0);
  return queue <= MAX_WAITING && AGENTS.every((agent) => Date.now() - (newest.get(agent) ?? 0) <= MAX_BEHIND_MS);
}

interface Kill {
  readonly kind: Kind;
  readonly recoveryMs: number;
  /** How long the killed one took until it did its work again. */
  readonly backMs: number;
  readonly breach: string | null;
}

interface Run {
  readonly context: Context;
  readonly way: Way;
  readonly fleet: Fleet;
  readonly watch: ClusterWatch;
  /** From 0 to 1, by readings (each is an event where its agent lives) or by time. */
  readonly progress: () => number;
  readonly kills: Kill[];
  readonly notes: string[];
}

/** One after the other, spread over the readings; the next only when this one is back and something fresh of all agents is stored. */
async function killAll(run: Run, kind: Kind, times: number): Promise<void> {
  const { fleet, progress, context } = run;
  const random = mulberry32(scenarioSeed(context.seed, kind));
  for (let no = 0; no < times; no += 1) {
    const due = (no + 0.2 + random() * 0.6) / times;
    while (progress() < due) await pause(50);
    // Recovery took longer than there is time: what is left out shows in the count.
    if (progress() > 1.2) return;
    const kill = await killOne(run, kind, random);
    run.kills.push(kill);
    const [fresh, back] = [kill.recoveryMs, kill.backMs].map((ms) => (ms / 1_000).toFixed(1));
    context.tell(
      `${kind} ${no + 1} of ${times}: fresh after ${fresh} s, back after ${back} s; ${fleet.written} readings`,
    );
  }
}

async function killOne({ fleet, watch, way, notes }: Run, kind: Kind, random: () => number): Promise<Kill> {
  const parts = partsOf(fleet, kind);
  const victim = parts[below(random, parts.length)];
  if (victim === undefined) throw new Error(`there is no ${kind}`);
  // What the broker keeps for a central that is away is what it loses.
  if (way.control === true) await fleet.centrals[0]?.kill();
  if (way.control === true) await pause(1_000);
  if (!(await victim.kill())) throw new Error(`${victim.name} was not there to be killed`);
  const at = Date.now();
  const began = performance.now();
  const back = pause(random() * 1_500).then(async () => {
    const starts = await victim.start();
    if (starts > 1) notes.push(`${victim.name} had to be started ${starts} times until it did its work`);
    if (way.control === true) fleet.centrals[0]?.start();
    return performance.now() - began;
  });
  const fresh = await watch.fresh(AGENTS, at, PATIENCE_MS);
  const backMs = await back;
  const breach = fresh === null ? `nothing is stored ${PATIENCE_MS / 1_000} s after ${victim.name} was killed` : null;
  return { kind, recoveryMs: fresh ?? PATIENCE_MS, backMs, breach };
}

interface Part {
  readonly name: string;
  kill(): Promise<boolean>;
  /** Resolves with how often it had to be started, once it does its work. */
  start(): Promise<number>;
}

function partsOf(fleet: Fleet, kind: Kind): readonly Part[] {
  const programs = { central: fleet.centrals, agent: fleet.agents };
  const clusters = { broker: fleet.brokers.nodes, database: fleet.database.nodes };
  if (kind === 'central' || kind === 'agent')
    return programs[kind].map((one) => ({
      name: one.name,
      kill: one.kill,
      start: async () => {
        one.start();
        return 1;
      },
    }));
  return clusters[kind].map((node) => ({ name: node.name, kill: node.kill, start: () => startedAgain(node) }));
}

/** A node of Galera may run and refuse all work for ever: whoever looks after it starts it again. */
async function startedAgain(node: Brokers['nodes'][number]): Promise<number> {
  for (let starts = 1; ; starts += 1) {
    try {
      await node.start();
      return starts;
    } catch (error) {
      if (starts === STARTS) throw error;
      await node.kill();
    }
  }
}

/** Why it ended, in its own words: the folder of a run that held is gone afterwards. */
function saidBy({ log }: Fleet['centrals'][number]): string {
  const lines = readFileSync(log, 'utf8').split('\n');
  return lines.flatMap((line) => (line.startsWith('error: ') ? [`; ${line.slice(0, 300)}`] : [])).join('');
}

interface Found {
  readonly acked: number;
  readonly lost: number;
  readonly doubled: number;
  readonly breach: string | null;
}

/** Lets all arrive, has the program compare, ends everything, and compares what cards and store hold. */
async function judge({ fleet, watch, way, notes, context }: Run): Promise<Found> {
  fleet.quiet();
  let breach = (await arrived(watch)) ? null : `not all had arrived after ${DRAIN_MS / 1_000} s`;
  if (way.control !== true) breach ??= await comparedByProgram(fleet, notes);
  for (const one of [...fleet.agents, ...fleet.centrals]) {
    const { code } = await one.stop();
    if (code !== 0) breach ??= `${one.name} ended with ${code} at SIGTERM`;
    if (one.ends.length > 0) notes.push(`${one.name} ended by itself: ${one.ends.join(', ')}${saidBy(one)}`);
  }
  let [acked, lost, doubled] = [0, 0, 0];
  for (const agent of AGENTS) {
    const card = await readCard(fleet.logPath(agent), join(context.folder, 'scratch'));
    const found = compareAll(card, [], await heldOf(watch, agent), true);
    acked += found.acked;
    lost += found.lost;
    doubled += found.doubled;
    if (found.breach !== null) breach ??= `${agent}: ${found.breach}`;
  }
  return { acked, lost, doubled, breach };
}

async function arrived({ waiting }: ClusterWatch): Promise<boolean> {
  const since = Date.now() + SETTLE_MS;
  for (const began = performance.now(); performance.now() - began < DRAIN_MS; await pause(200)) {
    const all = AGENTS.map((agent) => waiting.get(agent));
    if (all.every((one) => one !== undefined && one.queue === 0 && one.heardAt > since)) return true;
  }
  return false;
}

/** The node that was asked last may be gone. */
async function heldOf(watch: ClusterWatch, agent: string): Promise<Held> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await watch.held(agent);
    } catch (error) {
      if (tries === 3) throw error;
    }
  }
}

async function comparedByProgram({ collard, centralYaml, logPath }: Fleet, notes: string[]): Promise<string | null> {
  for (const agent of AGENTS) {
    const args = ['--agent', agent, '--log', logPath(agent), '--config', centralYaml];
    const { code, stdout, stderr } = await collard('verify', ...args);
    if (code !== 0) return `collard verify --agent ${agent} ends with ${code}: ${stdout} ${stderr}`;
  }
  for (const began = performance.now(); ; await pause(1_000)) {
    const { code, stdout, stderr } = await collard('verify', '--models', '--json', '--config', centralYaml);
    if (code !== 0) return `collard verify --models ends with ${code}: ${stdout} ${stderr}`;
    const { models } = JSON.parse(stdout) as { models: { inFlight: number; cats: number; events: number } };
    if (models.inFlight > 0 && performance.now() - began < DRAIN_MS) continue;
    notes.push(
      `models of ${models.cats} cats equal to a fresh fold of ${models.events} events, ${models.inFlight} in flight`,
    );
    return models.inFlight === 0 ? null : `the models are behind after ${DRAIN_MS / 1_000} s`;
  }
}

function rowOf({ way, kills, notes, context }: Run, found: Found): Row {
  const tally = createTally(way.fault, way.control);
  for (const [i, { recoveryMs, breach }] of kills.entries()) {
    const all = i === kills.length - 1 ? found : { acked: 0, lost: 0, doubled: 0, breach: null };
    tally.add({ ...all, breach: all.breach ?? breach, recoveryMs }, `seed ${context.seed}`);
  }
  for (const kind of Object.keys(way.kills) as Kind[]) {
    const own = kills.filter((kill) => kill.kind === kind);
    if (own.length === 0) continue;
    const fresh = spread(own.map((kill) => kill.recoveryMs));
    tally.note(
      `${own.length} × ${kind}: fresh events stored after ${fresh}, back after ${spread(own.map((k) => k.backMs))}`,
    );
  }
  for (const note of notes) tally.note(note);
  const { acked, lost, doubled, breach } = found;
  context.tell(`${way.fault}: ${acked} events, ${lost} lost, ${doubled} doubled, ${breach ?? 'no breach'}`);
  return tally.row();
}

/** Of times in ms. */
function spread(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const seconds = (ms = 0) => (ms / 1_000).toFixed(1);
  return `median ${seconds(sorted[sorted.length >> 1])} s, at most ${seconds(sorted.at(-1))} s`;
}
