/** One cat with its collar: what it does, where it is, and the truth about both. Pure: time and randomness come in. */
import { ROOMS, type Room } from './house.ts';
import { type Bout, drawBout, type Sample, sampleAt } from './motion.ts';
import type { Random } from './random.ts';

/** What truly happened, in ms since the start. `from` is null where the cat is at the start. */
export type Truth =
  | { readonly collar: string; readonly type: 'meow'; readonly startMs: number; readonly endMs: number }
  | {
      readonly collar: string;
      readonly type: 'move';
      readonly tMs: number;
      readonly from: string | null;
      readonly to: string;
    };

export interface SimulatedCollar {
  readonly id: string;
  readonly room: Room;
  batteryPercent(tMs: number): number;
  /** The sample at a time; times must not go back. What has become true is added to `truth`. */
  sample(tMs: number, truth: Truth[]): Sample;
  /** The end: a shake that is open ends here. */
  finish(truth: Truth[]): void;
}

/** The first shake is early, so that a short run shows one of every collar. */
const FIRST_SHAKE_MS = [1_500, 5_000] as const;
const SHAKE_MS = [400, 1_500] as const;
/** From the end of a shake to the next: at least this, and this much more on average. */
const SHAKE_GAP_MS = 2_500;
const SHAKE_GAP_MEAN_MS = 16_500;
/** A cat stays in a room at least this long. */
const STAY_MS = [15_000, 60_000] as const;
/** It walks around the moment in which it enters a room. */
const WALK_MS = 4_000;
const BATTERY_MS_PER_PERCENT = 20 * 60_000;

export function createCollar(id: string, random: Random): SimulatedCollar {
  const turn = random.between(0, 2 * Math.PI);
  const fullPercent = random.whole(60, 100);
  let room = random.pick(ROOMS);
  let told = false;
  let bout = drawBout('rest', 0, random.between(500, 1_500), random);
  let nextShakeMs = random.between(...FIRST_SHAKE_MS);
  let nextMoveMs = random.between(...STAY_MS);
  /** First and last sample of the shake that is going on. */
  let shake: { startMs: number; endMs: number } | null = null;

  const endShake = (truth: Truth[]) => {
    if (shake === null) return;
    truth.push({ collar: id, type: 'meow', ...shake });
    shake = null;
  };
  const move = (tMs: number, truth: Truth[]) => {
    const from = room.name;
    while (room.name === from) room = random.pick(ROOMS);
    truth.push({ collar: id, type: 'move', tMs, from, to: room.name });
    nextMoveMs = tMs + random.between(...STAY_MS);
  };
  const nextBout = (tMs: number): Bout => {
    if (tMs >= nextShakeMs) {
      const lengthMs = random.between(...SHAKE_MS);
      const gapMs = SHAKE_GAP_MS - SHAKE_GAP_MEAN_MS * Math.log(1 - random.next());
      nextShakeMs = tMs + lengthMs + gapMs;
      return drawBout('shake', tMs, lengthMs, random);
    }
    const activity = Math.abs(nextMoveMs - tMs) < WALK_MS ? 'gait' : random.pick(['rest', 'rest', 'gait', 'groom']);
    return drawBout(activity, tMs, Math.min(random.between(800, 5_000), nextShakeMs - tMs), random);
  };

  return {
    id,
    get room() {
      return room;
    },
    batteryPercent: (tMs) => Math.max(1, Math.round(fullPercent - tMs / BATTERY_MS_PER_PERCENT)),
    sample(tMs, truth) {
      if (!told) {
        truth.push({ collar: id, type: 'move', tMs, from: null, to: room.name });
        told = true;
      }
      if (tMs >= nextMoveMs) move(tMs, truth);
      if (tMs >= bout.endMs) {
        endShake(truth);
        bout = nextBout(tMs);
      }
      if (bout.activity === 'shake') shake = { startMs: shake?.startMs ?? tMs, endMs: tMs };
      return sampleAt(tMs, bout, turn, random);
    },
    finish: endShake,
  };
}
