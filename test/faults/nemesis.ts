/**
 * The nemesis: agent, broker and central under a seeded mix of faults, several at once, again and again. After each round all
 * is healed and the time is taken until a fresh event is stored; after each house the card and the store are compared.
 */
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { mosquittoPath } from '../servers.ts';
import { CARD_FAULTS } from './card-faults.ts';
import { copyDatabase } from './copies.ts';
import type { Fault, Past } from './fault.ts';
import { below, type Context, createTally, mulberry32, type Row, type Scenario, type Tally } from './frame.ts';
import { type House, openHouse } from './house.ts';
import { DISK_FAULTS, FAULTS, KEPT_FAULTS, NARROW_FAULTS } from './nemesis-faults.ts';
import { type Comparison, compareAll, readCard, readStore, rowsIn, unsoundCopies } from './nemesis-oracle.ts';
import { openSmallDisk, whyNoSmallDisk } from './small-disk.ts';

/** Houses side by side: where they wait for a processor, it is not the recovery that is measured. */
const LANES = Math.min(4, availableParallelism());
/** Rounds of faults that a house goes through. */
const ROUNDS = 40;
/** One house in so many has no quick settings. */
const SHIPPED_EVERY = 5;
/** Faults of a round: 1 to this. */
const AT_ONCE = 4;
/** Of the end of this process. */
const LISTENERS = 100;
const EVENTS_A_SECOND = 200;
const DISK_MB = 96;
/** What is longer is told, and more than one in a thousand of it, or one in all, is a breach. */
const RECOVERY_MS = 30_000;
const LATE_SHARE = 0.001;
/** Recoveries that are told one by one, of the slowest. */
const SLOW_MS = 10_000;
const KEPT_SLOW = 8;
const PATIENCE_MS = 120_000;
const DRAIN_MS = 120_000;
const UNCHANGED_MS = 25_000;
/** What a program has that is told to end. */
const STOP_MS = 5_000;

export const nemesis: Scenario = {
  name: 'nemesis',
  weight: 4,
  recovery: 'until a fresh event is stored',
  full: 3_000,
  missing: whyNoHouse,
  async run(context): Promise<readonly Row[]> {
    // Every program of every house is ended with us.
    process.setMaxListeners(LISTENERS);
    const plain = createReport('nemesis: kills, stops, links, broker and store');
    const cards = createReport('nemesis: with copied cards and forged marks');
    let no = 0;
    let broken = false;
    const lane = async () => {
      while (!broken && context.more(plain.tally.injected + cards.tally.injected)) {
        const seed = (context.seed + no) >>> 0;
        const withCards = no % 3 === 2;
        const shipped = no % SHIPPED_EVERY === SHIPPED_EVERY - 1;
        no += 1;
        await liveThrough(context, { seed, withCards, shipped }, withCards ? cards : plain);
        context.tell(`${plain.tally.injected} + ${cards.tally.injected} faults`);
      }
    };
    const lanes = Array.from({ length: LANES }, () =>
      lane().catch((error: unknown) => {
        broken = true;
        throw error;
      }),
    );
    for (const end of await Promise.allSettled(lanes)) if (end.status === 'rejected') throw end.reason;
    return [plain, cards].filter(({ tally }) => tally.injected > 0).map(rowOf);
  },
};

export function whyNoHouse(): string | null {
  return mosquittoPath === null ? 'needs mosquitto: apt-get install --no-install-recommends mosquitto' : null;
}

interface Report {
  readonly tally: Tally;
  readonly kinds: Map<string, number>;
  /** One for each fault, ms. */
  readonly recoveries: number[];
  /** Rounds after which it took longest. */
  readonly slow: { readonly ms: number; readonly text: string }[];
  readonly sums: { events: number; conflicting: number; gone: number; told: number; restarts: number; rssMb: number };
}

function createReport(name: string): Report {
  const sums = { events: 0, conflicting: 0, gone: 0, told: 0, restarts: 0, rssMb: 0 };
  return { tally: createTally(name), kinds: new Map(), recoveries: [], slow: [], sums };
}

function rowOf({ tally, kinds, recoveries, slow, sums }: Report): Row {
  const sorted = [...recoveries].sort((a, b) => a - b);
  const at = (share: number) => ((sorted[Math.ceil(sorted.length * share) - 1] ?? 0) / 1_000).toFixed(1);
  const within = sorted.filter((ms) => ms <= RECOVERY_MS).length;
  tally.note(`recovered after median ${at(0.5)} s, 99 % ${at(0.99)} s, 99.9 % ${at(0.999)} s, at most ${at(1)} s`);
  tally.note(`${within} of ${sorted.length} within ${RECOVERY_MS / 1_000} s`);
  const late = sorted.length - within;
  if (late > Math.max(1, LATE_SHARE * sorted.length))
    tally.fail(`${late} of ${sorted.length} recoveries took longer than ${RECOVERY_MS / 1_000} s`);
  for (const { text } of [...slow].sort((a, b) => b.ms - a.ms).slice(0, KEPT_SLOW)) tally.note(text);
  const { conflicting, gone, told, restarts, rssMb } = sums;
  if (conflicting + gone > 0) {
    const lost = `${gone} went with a card that was replaced before they were sent`;
    tally.note(`${conflicting} kept as conflicts; ${lost}, ${told} of them told by history.lost`);
  }
  tally.note(`central ended by itself ${restarts} times (locked or full store), agent at most ${rssMb} MB`);
  for (const [kind, count] of [...kinds].sort()) tally.note(`${count} × ${kind}`);
  return tally.row();
}

interface Life {
  readonly seed: number;
  readonly withCards: boolean;
  /** With the waits that the program has by itself. */
  readonly shipped: boolean;
}

/** One house from its first event to the comparison. */
async function liveThrough(context: Context, { seed, withCards, shipped }: Life, report: Report): Promise<void> {
  const random = mulberry32(seed);
  const folder = join(context.folder, `house-${seed}`);
  const broker = (['persistent', 'forgetful', 'narrow'] as const)[below(random, 3)] ?? 'persistent';
  const small = whyNoSmallDisk('ext4') === null && random() < 0.5;
  mkdirSync(folder);
  const disk = small ? openSmallDisk(folder, 'ext4', DISK_MB) : null;
  const storeFolder = disk?.folder ?? folder;
  const house = await openHouse({ folder, random, broker, storeFolder, eventsPerSecond: EVENTS_A_SECOND, shipped });
  const faults = [
    ...FAULTS,
    ...(broker === 'forgetful' ? [] : KEPT_FAULTS),
    ...(broker === 'narrow' ? NARROW_FAULTS : []),
    ...(disk === null ? [] : DISK_FAULTS),
    ...(withCards ? CARD_FAULTS : []),
  ];
  const past: Past = { cardBackup: null, storeBackup: null, replaced: [] };
  const where = `seed ${seed}, broker ${broker}${shipped ? ', as shipped' : ''}`;
  const happened: { readonly name: string; readonly recoveryMs: number }[] = [];
  let breach = (await house.recovered(PATIENCE_MS)) === null ? 'the house never began to work' : null;
  try {
    const { tally } = report;
    for (let i = 0; i < ROUNDS && breach === null && context.more(tally.injected + happened.length); i += 1) {
      const names = await runRound(house, past, faults, random);
      const recoveryMs = await house.recovered(PATIENCE_MS);
      const slowMs = recoveryMs ?? PATIENCE_MS;
      const after = `${(slowMs / 1_000).toFixed(1)} s after ${names.join(' + ')} (${where}, round ${i})`;
      if (slowMs > SLOW_MS) report.slow.push({ ms: slowMs, text: after });
      if (recoveryMs === null) breach = `round ${i}: nothing is stored after ${names.join(' + ')}`;
      appendFileSync(
        join(folder, 'rounds.txt'),
        `${i} ${new Date().toISOString()} ${recoveryMs} ${names.join(' + ')}\n`,
      );
      for (const name of names) happened.push({ name, recoveryMs: recoveryMs ?? PATIENCE_MS });
      report.sums.rssMb = Math.max(report.sums.rssMb, Math.round(house.agent.rssBytes() / 1e6));
    }
    const end = await compareAtRest(house, past, !withCards);
    breach ??= end.breach;
    conclude(report, happened, { ...end, breach }, where);
    report.sums.restarts += house.central.ends.length;
    if (breach !== null) {
      context.tell(`${where}: ${breach}`);
      // Its disk goes with the house.
      if (disk !== null) copyDatabase(house.storePath, join(folder, 'central.db'));
    }
  } finally {
    await house.close();
    disk?.close();
    if (breach === null && !context.keep) rmSync(folder, { recursive: true, force: true });
  }
}

async function runRound(house: House, past: Past, faults: readonly Fault[], random: () => number): Promise<string[]> {
  const chosen = new Map<string, Fault>();
  for (let n = 1 + below(random, AT_ONCE); n > 0; n -= 1) {
    const fault = choose(faults, random);
    if (!chosen.has(fault.target)) chosen.set(fault.target, fault);
  }
  const runs = [...chosen.values()].map(async (fault) => {
    await pause(random() * 400);
    return { name: fault.name, took: await fault.run(house, past, random) };
  });
  return (await Promise.all(runs)).filter(({ took }) => took).map(({ name }) => name);
}

function choose(faults: readonly Fault[], random: () => number): Fault {
  let left = random() * faults.reduce((sum, { weight }) => sum + weight, 0);
  for (const fault of faults) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  throw new Error('there is no fault');
}

/** Lets all arrive, ends both programs, and compares what they hold. `agentEnds`: how the agent may have ended by itself. */
export async function compareAtRest(
  house: House,
  past: Past,
  whole: boolean,
  agentEnds: readonly string[] = [],
): Promise<Comparison> {
  const { agent, central, logPath, storePath, folder } = house;
  house.quiet();
  await pause(300);
  const drained = await arrived(house, whole);
  const [a, c] = await Promise.all([agent.stop(), central.stop()]);
  const scratch = join(folder, 'scratch');
  const found = compareAll(await readCard(logPath, scratch), past.replaced, readStore(storePath), whole);
  let { breach } = found;
  const ends = agent.ends.filter((end) => !agentEnds.includes(end));
  if (ends.length > 0) breach ??= `the agent ended by itself: ${ends.join(', ')}`;
  if (central.ends.some((end) => end !== 'code 74')) breach ??= `central ended by itself: ${central.ends.join(', ')}`;
  if (house.broker.ends.length > 0) breach ??= `the broker ended by itself: ${house.broker.ends.join(', ')}`;
  if (a.code !== 0 || c.code !== 0) breach ??= `at SIGTERM they ended with ${a.code} and ${c.code}`;
  for (const [name, { ms }] of [
    ['agent', a],
    ['central', c],
  ] as const)
    if (ms > STOP_MS) breach ??= `SIGTERM took the ${name} ${Math.round(ms)} ms`;
  if (!drained) breach ??= `not all had arrived after ${DRAIN_MS / 1_000} s`;
  breach ??= unsoundCopies([logPath, storePath], scratch);
  return { ...found, breach };
}

/**
 * Waits until the agent says that nothing waits any more. Where numbers were used twice some may wait for ever: then until
 * nothing has changed for a while.
 */
async function arrived(house: House, whole: boolean): Promise<boolean> {
  const began = performance.now();
  let [last, since] = [Number.NaN, began];
  while (performance.now() - began < DRAIN_MS) {
    const { queue, atMs } = house.listener.health;
    // What goes to the conflicts moves no mark.
    const now = queue + (whole ? 0 : rowsIn(house.storePath));
    if (now !== last) [last, since] = [now, performance.now()];
    const fresh = atMs > began + 1_000 && performance.now() - atMs < 3_000;
    if (fresh && queue === 0) return true;
    if (fresh && !whole && performance.now() - since > UNCHANGED_MS) return true;
    await pause(whole ? 100 : 500);
  }
  return false;
}

/** Each fault is a row of its own in the tally; what the house held is counted once. */
function conclude(
  { tally, kinds, recoveries, sums }: Report,
  happened: readonly { readonly name: string; readonly recoveryMs: number }[],
  end: Comparison,
  where: string,
): void {
  sums.events += end.acked;
  sums.conflicting += end.conflicting;
  sums.gone += end.gone;
  sums.told += end.told;
  for (const [i, { name, recoveryMs }] of happened.entries()) {
    kinds.set(name, (kinds.get(name) ?? 0) + 1);
    recoveries.push(recoveryMs);
    const last = i === happened.length - 1;
    const { acked, lost, doubled, breach } = end;
    const all = last ? { acked, lost, doubled, breach } : { acked: 0, lost: 0, doubled: 0, breach: null };
    tally.add({ ...all, recoveryMs }, where);
  }
  if (happened.length === 0 && end.breach !== null) throw new Error(`${where}: ${end.breach}`);
}
