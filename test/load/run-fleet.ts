/** A fleet of simulated agents against a real mosquitto and real processes of central, for as long as it is to last. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { openStore } from '../../src/central/open-store.ts';
import { aborted } from '../../src/lib/wait.ts';
import { createCentrals, startCentrals } from '../bench/centrals.ts';
import { slopeOf } from '../bench/slope.ts';
import { type Database, openDatabase } from '../bench/stores.ts';
import { startMosquitto, until } from '../servers.ts';
import { type AgentFleet, collarOfAgent, startAgents } from './agents.ts';
import { type LagFigures, lagFigures, makeLoad, mapRoles, rounded, type Sample } from './make-load.ts';
import { type Proof, proveStored, storeBytes } from './proof.ts';
import { type BrokerCounts, brokerCounts, type Role, type Use, usesOf } from './watch.ts';

export interface FleetLoad {
  readonly agents: number;
  readonly minutes: number;
  /** Events of each agent a minute. */
  readonly rate: number;
  readonly database: Database;
  /** Processes of central; 1: one alone. */
  readonly workers: number;
  /** Collars that a cat wears, the first ones; those of the other agents are nobody's. */
  readonly cats: number;
  readonly seed: number;
  /** Between two lines on the way. */
  readonly everyMs: number;
  /** Within so long all agents connect. */
  readonly rampMs: number;
  readonly tell: (line: string) => void;
}

export interface FleetResult {
  readonly agents: number;
  readonly minutes: number;
  readonly rate: number;
  readonly database: Database;
  readonly workers: number;
  readonly cats: number;
  readonly seed: number;
  readonly sessions: number;
  readonly reconnects: number;
  readonly sent: number;
  readonly stored: number;
  readonly eventsPerSecond: number;
  readonly lagMs: LagFigures;
  /** Of the loop that all agents share: what it stands still is in the lag. */
  readonly agentsLoopMs: { readonly p99: number; readonly max: number };
  /** Over the time of events: mean CPU in percent of a core, RSS at the end and its slope over the later two thirds. */
  readonly uses: Readonly<Record<Role, RoleFigures>>;
  /** Of the broker, for each event: PUBLISH in and out, packets of all kinds and bytes; and words on health, which are in them. */
  readonly perEvent: BrokerCounts & { readonly healths: number };
  readonly storedBytesPerEvent: number;
  readonly writtenBytesPerEvent: { readonly central: number; readonly database: number };
  readonly proof: Proof;
  readonly lines: Readonly<Record<string, number>>;
  readonly samples: readonly Sample[];
}

interface RoleFigures {
  readonly cpuPercent: number;
  readonly rssMb: number;
  readonly rssMbPerMinute: number;
  readonly plusMinus: number;
}

/** Descriptors besides one for each session. */
const OTHER_FILES = 200;
const UP_MS = 300_000;

/** Rejects with the signal's reason where that aborts. Whatever was begun has ended when it settles. */
export async function runFleet(load: FleetLoad, signal = new AbortController().signal): Promise<FleetResult> {
  assertFiles(load.agents);
  const begun = new AsyncDisposableStack();
  const cut = aborted(signal).then(() => signal.throwIfAborted());
  try {
    const house = await openHouse(load, begun, signal);
    const { agents, seed, rate: perMinute, rampMs } = load;
    const fleet = startAgents({ agents, seed, brokerUrl: house.brokerUrl, perMinute, rampMs });
    begun.defer(fleet.stop);
    const run = Promise.race([loaded(load, house, fleet), fleet.failed, cut]);
    return (await run) as FleetResult;
  } finally {
    await begun.disposeAsync();
  }
}

interface House {
  readonly brokerUrl: string;
  readonly storeUrl: string;
  readonly centrals: readonly number[];
}

/** A broker, a store with its cats, and centrals that answer. */
async function openHouse(load: FleetLoad, begun: AsyncDisposableStack, signal: AbortSignal): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-load-'));
  begun.defer(() => rmSync(folder, { recursive: true, force: true }));
  const broker = await startMosquitto(['max_queued_messages 0', 'max_inflight_messages 500', 'sys_interval 1']);
  begun.defer(broker.stop);
  const database = await openDatabase(load.database);
  begun.defer(database.stop);
  const storeUrl = await database.newUrl();
  await addCats(storeUrl, load.cats, signal);
  signal.throwIfAborted();
  load.tell(`${load.cats} cats are known`);
  const mqtt = `mqtt: { url: "${broker.url}", retryFirstMs: 100, retryMaxMs: 1000 }`;
  const centrals = await createCentrals(folder, { url: storeUrl, mqtt, workers: load.workers });
  for (const { part } of centrals) begun.defer(async () => void (await part.stop()));
  await startCentrals(centrals);
  return { brokerUrl: broker.url, storeUrl, centrals: centrals.map(({ part }) => part.pid()) };
}

async function loaded(load: FleetLoad, house: House, fleet: AgentFleet): Promise<FleetResult> {
  const { brokerUrl, storeUrl, centrals } = house;
  const { agents, minutes, rate, database, workers, cats, seed } = load;
  const look = async () => ({
    bytes: await storeBytes(storeUrl),
    broker: await brokerCounts(brokerUrl),
    uses: usesOf(centrals),
    healths: fleet.counts().healths,
  });
  await allAreUp(fleet, load);
  const before = await look();
  const { samples, loop, seconds } = await makeLoad(load, fleet, centrals);
  const after = await look();
  const { reconnects, sent, stored, up } = fleet.counts();
  await fleet.stop();
  const proof = await proveStored(storeUrl, fleet.logs);
  const per = (of: (one: typeof before) => number) => rounded((of(after) - of(before)) / sent, 2);
  return {
    ...{ agents, minutes, rate, database, workers, cats, seed },
    ...{ sessions: up, reconnects, sent, stored },
    eventsPerSecond: rounded(sent / seconds, 1),
    lagMs: lagFigures(fleet.lags),
    agentsLoopMs: loop,
    uses: mapRoles((role) => roleFigures(role, samples, before.uses[role], after.uses[role], seconds)),
    perEvent: {
      // mosquitto does not count what is to be retained, as each word on health is.
      received: per(({ broker, healths }) => broker.received + healths),
      sent: per(({ broker }) => broker.sent),
      packets: per(({ broker }) => broker.packets),
      bytes: per(({ broker }) => broker.bytes),
      healths: per(({ healths }) => healths),
    },
    storedBytesPerEvent: per(({ bytes }) => bytes),
    writtenBytesPerEvent: {
      central: per(({ uses }) => uses.central.writtenBytes),
      database: per(({ uses }) => uses.database.writtenBytes),
    },
    proof,
    lines: Object.fromEntries(fleet.lines),
    samples,
  };
}

/** Throws where this shell may not open so many connections. */
function assertFiles(agents: number): void {
  const limit = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 'unlimited';
  const needed = agents + OTHER_FILES;
  if (limit === 'unlimited' || Number(limit) >= needed) return;
  throw new Error(`${agents} agents need ${needed} open files, and ${limit} are allowed: ulimit -n ${needed}`);
}

/** So that the models have their work. */
async function addCats(url: string, count: number, signal: AbortSignal): Promise<void> {
  const store = await openStore({ url });
  const cats = openCatService(store, () => new Date());
  for (let n = 0; n < count && !signal.aborted; n += 1) await cats.addCat(`Cat ${n}`, collarOfAgent(n));
  await store.close();
}

async function allAreUp(fleet: AgentFleet, { agents, everyMs, tell }: FleetLoad): Promise<void> {
  let toldAt = performance.now();
  const areUp = () => {
    const { up } = fleet.counts();
    if (up === agents || performance.now() - toldAt >= everyMs) {
      toldAt = performance.now();
      tell(`${up} of ${agents} sessions are up`);
    }
    return up === agents;
  };
  await until(`${agents} sessions are up`, areUp, UP_MS);
}

function roleFigures(role: Role, samples: readonly Sample[], before: Use, after: Use, seconds: number): RoleFigures {
  const later = samples.slice(Math.floor(samples.length / 3));
  const { perUnit, plusMinus } = slopeOf(later.map(({ seconds: at, uses }) => [at / 60, uses[role].rssMb]));
  return {
    cpuPercent: rounded(((after.cpuSeconds - before.cpuSeconds) / seconds) * 100, 1),
    rssMb: rounded(after.rssMb, 1),
    rssMbPerMinute: rounded(perUnit, 3),
    plusMinus: rounded(plusMinus, 3),
  };
}
