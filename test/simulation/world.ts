/** What one seed makes: time, chance, a network, and a record of all that happened. */
import { createHash, type Hash } from 'node:crypto';
import { createRandom, type Random } from '../../src/simulator/random.ts';
import type { Broker } from './broker.ts';
import type { Network } from './link.ts';
import type { Life } from './machine.ts';
import { createTimeline, type Timeline } from './timeline.ts';
import type { Weather } from './weather.ts';

/** The moment at which every simulation begins, by the clocks that are right. */
export const T0 = Date.parse('2026-11-23T06:00:00.000Z');

/** What strangers send. No message of ours holds it. */
export const POISON = '"poison"';

export interface World {
  readonly seed: number;
  readonly time: Timeline;
  readonly folder: string;
  /** A stream of chance of its own, so that what one part draws changes no other. */
  random(stream: string): Random;
  /** Notes what happened: two runs of one seed have the same notes. */
  note(kind: string, text: string): void;
  readonly notes: readonly string[];
  readonly hash: () => string;
  /** A promise of the program was broken. */
  breach(what: string): void;
  readonly breaches: readonly string[];
  /** A fault has happened. */
  count(fault: string, times?: number): void;
  readonly faults: ReadonlyMap<string, number>;
  /** Every life so far. */
  readonly lives: Life[];
}

export function createWorld(seed: number, folder: string, keepsNotes: boolean): World {
  const time = createTimeline();
  const hash: Hash = createHash('sha256');
  const notes: string[] = [];
  const breaches: string[] = [];
  const faults = new Map<string, number>();
  const note = (kind: string, text: string) => {
    const line = `${time.nowMs.toFixed(3)} ${kind} ${text}\n`;
    hash.update(line);
    if (keepsNotes) notes.push(line);
  };
  return {
    seed,
    time,
    folder,
    random: (stream) => createRandom(seed, hashOf(stream)),
    note,
    notes,
    hash: () => hash.copy().digest('hex'),
    breach(what) {
      note('breach', what);
      breaches.push(what);
    },
    breaches,
    count(fault, times = 1) {
      faults.set(fault, (faults.get(fault) ?? 0) + times);
    },
    faults,
    lives: [],
  };
}

export interface Surroundings {
  readonly world: World;
  readonly network: Network;
  readonly broker: Broker;
  readonly weather: Weather;
}

/** A new life on a machine. */
export function createLife(
  world: World,
  name: string,
  options: Pick<Life, 'wallNow' | 'onCrash' | 'countsStatements'>,
): Life {
  const life: Life = {
    name,
    time: world.time,
    random: world.random(name),
    stop: new AbortController(),
    dead: false,
    stepsLeft: Number.POSITIVE_INFINITY,
    databases: new Set(),
    files: new Set(),
    ...options,
  };
  world.lives.push(life);
  return life;
}

function hashOf(text: string): number {
  let hash = 7;
  for (const character of text) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0;
  return hash;
}
