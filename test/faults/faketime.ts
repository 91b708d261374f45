/**
 * A clock that jumps under the running agent: by hours, to 1970, over 2038 and back. What it decides and waits for goes by the
 * monotonic clock and must not notice; its events keep their order, and say where their time cannot be trusted.
 */
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { StoredEvent } from '../../src/contract/event.ts';
import { below, type Context, createTally, mulberry32, type Row, type Scenario, type Verdict } from './frame.ts';
import { type House, openHouse } from './house.ts';
import { compareAtRest, whyNoHouse } from './nemesis.ts';
import { readStore } from './nemesis-oracle.ts';

const JUMPS_A_HOUSE = 25;
const PATIENCE_MS = 60_000;
/** A burst of shaking: so many readings, so far apart. */
const BURST = { readings: 12, everyMs: 50 };
/** So long between two readings is a stall of this machine: the agent may rightly see two bursts. */
const STALL_MS = 250;
/** What a busy machine may make of it. */
const DURATION_MS = { least: 300, most: 2_500 };
/** The clock is trusted from here on. */
const BUILD_YEAR = 2026;
const HOUR_S = 3_600;

const JUMPS: readonly (readonly [name: string, seconds: (random: () => number) => number])[] = [
  ['hours ahead', (random) => HOUR_S * (1 + random() * 12)],
  ['hours back', (random) => -HOUR_S * (1 + random() * 12)],
  ['1970', () => 60 - Date.now() / 1_000],
  ['just before 2038-01-19', () => Date.parse('2038-01-19T03:14:06Z') / 1_000 - Date.now() / 1_000],
  ['a day with a leap second', () => Date.parse('2016-12-31T23:59:59Z') / 1_000 - Date.now() / 1_000],
  ['right again', () => 0],
];

export const faketime: Scenario = {
  name: 'faketime',
  weight: 1,
  recovery: 'until a fresh event is stored',
  full: 100,
  missing: () => whyNoHouse() ?? (findFaketime() === null ? 'needs libfaketime: apt-get install faketime' : null),
  async run(context): Promise<readonly Row[]> {
    const tally = createTally('the clock jumps');
    for (let no = 0; context.more(tally.injected); no += 1) {
      const seed = (context.seed + no) >>> 0;
      for (const verdict of await lifeOf(context, seed, tally.injected)) tally.add(verdict, `seed ${seed}`);
    }
    return [tally.row()];
  },
};

/** The library for programs with threads, or null. */
export function findFaketime(): string | null {
  const lib = '/usr/lib';
  if (!existsSync(lib)) return null;
  const paths = readdirSync(lib).map((folder) => join(lib, folder, 'faketime', 'libfaketimeMT.so.1'));
  return paths.find((path) => existsSync(path)) ?? null;
}

interface Jump {
  readonly name: string;
  readonly seconds: number;
  readonly recoveryMs: number | null;
}

async function lifeOf(context: Context, seed: number, before: number): Promise<Verdict[]> {
  const random = mulberry32(seed);
  const folder = join(context.folder, `house-${seed}`);
  const clock = join(context.folder, `clock-${seed}`);
  setClock(clock, 0);
  const agentEnv = {
    LD_PRELOAD: findFaketime() ?? '',
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  const house = await openHouse({ folder, random, broker: 'persistent', eventsPerSecond: 20, agentEnv });
  const jumps: Jump[] = [];
  let stalls = 0;
  try {
    if ((await house.recovered(PATIENCE_MS)) === null) throw new Error('the house never began to work');
    while (jumps.length < JUMPS_A_HOUSE && context.more(before + jumps.length)) {
      const [name, secondsOf] = JUMPS[below(random, JUMPS.length)] ?? JUMPS[0] ?? ['', () => 0];
      const seconds = Math.round(secondsOf(random));
      if ((await shakeOver(house, () => setClock(clock, seconds))) > STALL_MS) stalls += 1;
      jumps.push({ name, seconds, recoveryMs: await house.recovered(PATIENCE_MS) });
    }
    const { lost, doubled, acked, breach } = await compareAtRest(
      house,
      { cardBackup: null, storeBackup: null, replaced: [] },
      true,
    );
    const { events } = readStore(house.storePath);
    const wrong = breach ?? wrongBursts(events, jumps.length, stalls);
    return jumps.map((jump, i) => {
      const last = i === jumps.length - 1;
      const none = jump.recoveryMs === null ? `nothing is stored after "${jump.name}"` : wrongTime(events, jump, i);
      const recoveryMs = jump.recoveryMs ?? PATIENCE_MS;
      return last
        ? { acked, lost, doubled, breach: wrong ?? none, recoveryMs }
        : { acked: 0, lost: 0, doubled: 0, breach: none, recoveryMs };
    });
  } finally {
    await house.close();
  }
}

/** Relative to the true time, so that it goes on. */
function setClock(path: string, seconds: number): void {
  writeFileSync(`${path}.new`, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}`);
  renameSync(`${path}.new`, path);
}

/** One burst of shaking, with the jump in its middle, and the quiet that ends it. Resolves with the longest time between two readings. */
async function shakeOver(house: House, jump: () => void): Promise<number> {
  let longestMs = 0;
  let before = performance.now();
  for (let i = 0; i < BURST.readings; i += 1) {
    if (i === BURST.readings >> 1) jump();
    await house.say({ collar: 'SHAKY', shake: 1 });
    await pause(BURST.everyMs);
    const now = performance.now();
    longestMs = Math.max(longestMs, now - before);
    before = now;
  }
  await pause(1_500);
  return longestMs;
}

/** Each burst gives one start and one end, or one more for each stall in the middle, and lasts as long as it did. */
function wrongBursts(events: readonly StoredEvent[], bursts: number, stalls: number): string | null {
  const shaky = events.filter(({ subject }) => subject === 'collar/SHAKY').sort((a, b) => a.seq - b.seq);
  const types = shaky.map(({ type }) => type.replace('collard.meow.', ''));
  const pairs = types.length / 2;
  const isPaired = types.join() === Array.from({ length: pairs }, () => 'started,ended').join();
  if (!isPaired || pairs < bursts || pairs > bursts + stalls)
    return `${bursts} bursts with ${stalls} stalls gave ${types.join()}`;
  if (stalls > 0) return null;
  const durations = shaky.flatMap(({ data }) => (JSON.parse(data) as { durationMs?: number }).durationMs ?? []);
  const odd = durations.find((ms) => ms < DURATION_MS.least || ms > DURATION_MS.most);
  return odd === undefined ? null : `a burst of ${BURST.readings * BURST.everyMs} ms is told as ${odd} ms`;
}

/** The marker of this jump must carry the time that the agent was told, and say whether it can be trusted. */
function wrongTime(events: readonly StoredEvent[], { name, seconds }: Jump, i: number): string | null {
  // The first marker came before the first jump.
  const marker = events.find(({ data }) => data.includes(`"to":"m${i + 2}-`));
  if (marker === undefined) return `the event after "${name}" is gone`;
  const told = Date.parse(marker.time);
  const year = new Date(told).getUTCFullYear();
  const offBy = Math.abs(told - (Date.now() + seconds * 1_000));
  if (offBy > 15 * 60_000) return `the clock did not jump to "${name}": ${marker.time}`;
  const expected = year >= BUILD_YEAR ? 'synced' : 'unsynced';
  if (marker.clock !== expected) return `${marker.time} is called ${marker.clock}`;
  if (expected === 'unsynced' && (marker.boot === null || marker.monoMs === null))
    return `${marker.time} has no monotonic time`;
  return null;
}
