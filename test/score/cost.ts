/** What the detectors cost: processor time of a reading, and memory of a collar. Without any recording. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { agentSchema } from '../../src/agent/config.ts';
import type { Reading } from '../../src/agent/decoder/reading.ts';
import { createWatch, step, type WatchState } from '../../src/agent/detector/watch.ts';
import { accelerated } from '../agent/detector/motion.ts';
import { type Cell, table } from './table.ts';

const MINUTES = 3;
const ROUNDS = 3;
/** In one round: processor time is told in steps. */
const LEAST_READINGS = 100_000;
const RATES_HZ = [25, 50, 100] as const;
const COLLARS = [1, 100, 1_000] as const;
const MOST_COLLARS = 1_000;
const RECEIVERS = 4;
const settings = agentSchema.shape.detect.parse({});

export function costTables(): string {
  const rows = RATES_HZ.map((hz): Cell[] => [
    `${hz} Hz`,
    costUs(walking(hz, 0)).toFixed(2),
    costUs(walking(hz, 0.8)).toFixed(2),
  ]);
  const heard = [...Array(20_000).keys()].map((i) => heardBy(i, 'A'));
  const memory = COLLARS.map((count): Cell[] => [count, (memoryBytes(count) / count / 1_024).toFixed(1)]);
  return [
    '## Cost\n',
    'All detectors of a collar, best of three, in µs of processor time for a reading of acceleration.\n',
    table(['', 'asleep', 'trots all the time'], rows),
    `A reading with a signal strength and nothing else: ${costUs(heard).toFixed(2)} µs.\n`,
    table(['collars', 'kB for each'], memory),
  ].join('\n');
}

/** `g` 0: a cat asleep. Else one that trots, stronger than any walk. */
function walking(hz: number, g: number): Reading[] {
  const forMs = MINUTES * 60_000;
  return accelerated([{ fromMs: 0, forMs, hz: 2.5, amplitudeG: g }], forMs, hz);
}

function heardBy(i: number, collar: string): Reading {
  return { collar, atMs: i * 50, place: `place ${i % RECEIVERS}`, rssiDbm: -60 - (i % 7) };
}

function costUs(readings: readonly Reading[]): number {
  const times = Math.ceil(LEAST_READINGS / readings.length);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage().user;
    for (let time = 0; time < times; time += 1) {
      const state = createWatch();
      for (const reading of readings) step(state, { type: 'reading', reading }, settings);
    }
    best = Math.min(best, (process.cpuUsage().user - before) / (times * readings.length));
  }
  return best;
}

/** Of collars that move and are heard by four receivers. Of few there are several watches: one alone is lost in the noise. */
function memoryBytes(count: number): number {
  const moving = walking(25, 0.8).slice(0, 100);
  const collect = collector();
  collect();
  const before = inUse();
  const watches = Array.from({ length: Math.ceil(MOST_COLLARS / count) }, () => watchOf(count, moving));
  collect();
  const bytes = inUse() - before;
  for (const { collars } of watches) if (collars.size !== count) throw new Error(`${collars.size} collars of ${count}`);
  return bytes / watches.length;
}

function watchOf(count: number, moving: readonly Reading[]): WatchState {
  const state = createWatch();
  for (let no = 0; no < count; no += 1) {
    const collar = `collar ${no}`;
    for (const [i, reading] of moving.entries()) {
      step(state, { type: 'reading', reading: { ...reading, collar } }, settings);
      step(state, { type: 'reading', reading: heardBy(i, collar) }, settings);
    }
  }
  return state;
}

function inUse(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Collects what nobody holds any more, now. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
