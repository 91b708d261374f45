/** What a collar's accelerometer measures: gravity that turns slowly, and what the cat does at the moment. */
import type { Random } from './random.ts';

export type Activity = 'rest' | 'gait' | 'groom' | 'shake';

/** One thing a cat does for a while. Times in ms since the start, accelerations in g, frequency in Hz. */
export interface Bout {
  readonly activity: Activity;
  readonly startMs: number;
  readonly endMs: number;
  readonly hertz: number;
  readonly peakG: number;
  readonly phase: number;
}

/** One sample in whole mg: what the wire carries, so that every format says the same. */
export type Sample = readonly [x: number, y: number, z: number];

const NOISE_G = 0.02;
const MAX_MG = 32_767;

/** A bout of an activity as cats do it. */
export function drawBout(activity: Activity, startMs: number, lengthMs: number, random: Random): Bout {
  const [hertz, peakG] = drawStyle(activity, random);
  return { activity, startMs, endMs: startMs + lengthMs, hertz, peakG, phase: random.between(0, 2 * Math.PI) };
}

function drawStyle(activity: Activity, random: Random): [hertz: number, peakG: number] {
  switch (activity) {
    case 'rest':
      return [0, 0];
    case 'gait':
      return [random.between(1, 3), random.between(0.2, 0.6)];
    // Licking is slow and weak; scratching is faster and stronger, yet neither as fast nor as strong as a shake.
    case 'groom':
      return random.next() < 0.7
        ? [random.between(2, 3.5), random.between(0.1, 0.25)]
        : [random.between(3.5, 4.5), random.between(0.3, 0.5)];
    case 'shake':
      return [random.between(6, 10), random.between(1.5, 4)];
  }
}

/** The sample of a bout at a time. `turn` sets a collar apart: where its slow turning of gravity begins. */
export function sampleAt(tMs: number, bout: Bout, turn: number, random: Random): Sample {
  const s = tMs / 1000;
  const pitch = 0.4 * Math.sin((2 * Math.PI * s) / 37 + turn);
  const roll = 0.6 * Math.sin((2 * Math.PI * s) / 53 + 2 * turn);
  const [dx, dy, dz] = dynamic(tMs, bout);
  return [
    mg(Math.sin(pitch) + dx + noise(random)),
    mg(Math.cos(pitch) * Math.sin(roll) + dy + noise(random)),
    mg(Math.cos(pitch) * Math.cos(roll) + dz + noise(random)),
  ];
}

/** The movement's own acceleration: gait bobs up and down, grooming rocks, a shake rolls the collar to and fro. */
function dynamic(tMs: number, bout: Bout): [number, number, number] {
  const angle = 2 * Math.PI * bout.hertz * ((tMs - bout.startMs) / 1000) + bout.phase;
  const g = bout.peakG;
  switch (bout.activity) {
    case 'rest':
      return [0, 0, 0];
    case 'gait':
      return [0.4 * g * Math.sin(angle), 0.3 * g * Math.sin(angle / 2), g * Math.cos(angle)];
    case 'groom':
      return [g * Math.sin(angle), 0.3 * g * Math.cos(angle), 0.2 * g * Math.sin(angle)];
    case 'shake': {
      const level = g * envelope((tMs - bout.startMs) / (bout.endMs - bout.startMs));
      return [0.2 * level * Math.cos(angle), level * Math.sin(angle), 0.4 * level * Math.sin(angle + 0.8)];
    }
  }
}

/** Rises in the first and falls in the last fifth. */
function envelope(part: number): number {
  const edge = Math.min(part, 1 - part) / 0.2;
  return edge >= 1 ? 1 : Math.sin((Math.PI / 2) * Math.max(0, edge));
}

/** Uniform is enough for sensor noise, and cheap. */
function noise(random: Random): number {
  return random.between(-NOISE_G, NOISE_G);
}

function mg(g: number): number {
  return Math.max(-MAX_MG, Math.min(MAX_MG, Math.round(g * 1000)));
}
