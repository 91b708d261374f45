/**
 * Which settings find the shakes that were made: each once, and nothing besides. Nothing is guessed: for each candidate the detector
 * itself decides the recorded readings anew. Pure.
 */
import { giveOwn, type OwnShakeSettings, ownShake, SHAKE_DEFAULTS } from '../agent/detector/shake-settings.ts';
import { createWatch, step, type WatchInput, type WatchSettings } from '../agent/detector/watch.ts';
import type { LiveMeasure } from '../contract/live.ts';
import { type Bout, pauseOf } from './tune-bouts.ts';
import type { Recorded } from './tune-wizard.ts';

export type Knob = keyof typeof SHAKE_DEFAULTS;
export type Changes = { readonly [K in Knob]?: number };

/** What some settings make of the shakes that were made. */
export interface Outcome {
  readonly found: number;
  /** Of the found ones those that were found more than once. */
  readonly inPieces: number;
  /** Not found by themselves, but as one with the one before. */
  readonly joined: number;
  /** Found where there was none: at rest, or between. */
  readonly besides: number;
  /** All that is wrong with it, piece by piece. */
  readonly faults: number;
}

export interface Trial extends Outcome {
  readonly changes: Changes;
  /** Of the steps next to its changes, up and down, how many do as well, at the knob that has the fewest: 2 is safe, 0 a lucky hit. */
  readonly room: number;
  /** How far it lies from what is set now. */
  readonly distance: number;
}

export interface Search {
  /** As it is set now. */
  readonly now: Trial;
  /** Of those with the fewest faults that have the fewest changes, one at least; the safest first, then the nearest. */
  readonly fitting: readonly Trial[];
  readonly tried: number;
  /** Left out: MOST_STEPS were made before their turn. */
  readonly untried: number;
}

/** Readings that are decided on for one search: some seconds here, and a quarter of a minute on a small board. */
export const MOST_STEPS = 2_000_000;

/** What is tried of each: from the least to the most that the configuration takes. */
export const TRIED: { readonly [K in Knob]: readonly number[] } = {
  sensitivity: [0.2, 0.25, 0.32, 0.4, 0.5, 0.63, 0.8, 1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5],
  quietMs: [300, 500, 700, 1_000, 1_500, 2_000, 3_000, 4_000, 5_000, 7_000, 10_000, 14_000, 20_000, 30_000],
  levelOn: [0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.5, 2, 3, 5],
  levelHold: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
  edgesOn: [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32],
  edgesMs: [250, 500, 1_000, 1_500, 2_000, 3_000, 5_000, 8_000, 12_000, 20_000, 30_000],
};
const KNOBS: { readonly [K in LiveMeasure]: readonly Knob[] } = {
  acceleration: ['sensitivity'],
  level: ['levelOn', 'levelHold'],
  edges: ['edgesOn', 'edgesMs'],
};
/** A burst that begins or ends so far from a shake is still that shake's. */
const LEAST_BESIDE_MS = 500;

export function search(
  recorded: Recorded,
  collar: string,
  settings: WatchSettings,
  mostSteps: number = MOST_STEPS,
): Search {
  const set = ownShake(settings.shake, collar);
  const knobs: readonly Knob[] = [...recorded.kinds.flatMap((kind) => KNOBS[kind]), 'quietMs'];
  const now = (knob: Knob) => set[knob] ?? SHAKE_DEFAULTS[knob];
  const steps = new Map(knobs.map((knob) => [knob, stepsOf(knob, now(knob))]));
  const outcomes = new Map<string, { readonly changes: Changes; readonly outcome: Outcome }>();
  let [left, untried] = [mostSteps, 0];
  const attempt = (changes: Changes) => {
    if (left < recorded.readings.length && outcomes.size > 0) {
      untried += 1;
      return;
    }
    left -= recorded.readings.length;
    outcomes.set(keyOf(changes), { changes, outcome: judge(recorded, withChanges(settings, collar, changes)) });
  };
  for (let changed = 0; changed <= knobs.length; changed += 1) {
    for (const changes of changesOf(
      knobs,
      changed,
      (knob) => steps.get(knob)?.filter((one) => one !== now(knob)) ?? [],
    ))
      attempt(changes);
    if (changed > 0 && leastOf(outcomes.values()) === 0) break;
  }
  const trialOf = ({ changes, outcome }: { readonly changes: Changes; readonly outcome: Outcome }): Trial => ({
    ...outcome,
    changes,
    room: roomOf(
      changes,
      steps,
      now,
      (near) => (outcomes.get(keyOf(near))?.outcome.faults ?? Infinity) <= outcome.faults,
    ),
    distance: entriesOf(changes).reduce((sum, [knob, value]) => sum + Math.abs(Math.log(value / now(knob))), 0),
  });
  const trials = [...outcomes.values()].map(trialOf).filter(({ changes }) => entriesOf(changes).length > 0);
  const least = Math.min(...trials.map(costOf));
  const best = trials.filter((one) => costOf(one) === least);
  const fewest = Math.min(...best.map(({ changes }) => entriesOf(changes).length));
  const fitting = best
    .filter(({ changes }) => entriesOf(changes).length === fewest)
    .sort((a, b) => b.room - a.room || a.distance - b.distance);
  const asIs = outcomes.get(keyOf({}));
  if (asIs === undefined) throw new Error('the settings as they are were not tried');
  return { now: trialOf(asIs), fitting, tried: outcomes.size, untried };
}

export function withChanges(settings: WatchSettings, collar: string, changes: Changes): WatchSettings {
  return { ...settings, shake: giveOwn(settings.shake, collar, changes as OwnShakeSettings) };
}

export function entriesOf(changes: Changes): readonly (readonly [Knob, number])[] {
  return Object.entries(changes) as [Knob, number][];
}

/** The detector as it runs, over all that was recorded. */
export function judge({ readings, bouts, everyMs }: Recorded, settings: WatchSettings): Outcome {
  const found = bouts.map(() => 0);
  const joined = new Set<number>();
  let besides = 0;
  const besideMs = besideOf(bouts, everyMs);
  for (const { fromMs, toMs } of burstsOf(
    readings.map((reading) => ({ type: 'reading', reading })),
    settings,
  )) {
    const touched = bouts.flatMap((bout, i) =>
      fromMs <= bout.toMs + besideMs && toMs >= bout.fromMs - besideMs ? [i] : [],
    );
    const [first, ...others] = touched;
    if (first === undefined) besides += 1;
    else found[first] = (found[first] ?? 0) + 1;
    for (const i of others) joined.add(i);
  }
  const count = (isWanted: (times: number, i: number) => boolean) => found.filter(isWanted).length;
  const pieces = found.reduce((sum, times) => sum + Math.max(0, times - 1), 0);
  const missed = count((times) => times === 0);
  return {
    found: bouts.length - missed,
    inPieces: count((times) => times > 1),
    joined: count((times, i) => times === 0 && joined.has(i)),
    besides,
    faults: missed + pieces + besides,
  };
}

function burstsOf(inputs: readonly WatchInput[], settings: WatchSettings): readonly Bout[] {
  let state = createWatch();
  const last = inputs.at(-1);
  const end: WatchInput = { type: 'end', atMs: last?.type === 'reading' ? last.reading.atMs : 0 };
  return [...inputs, end].flatMap((input) => {
    const watched = step(state, input, settings);
    state = watched.state;
    return watched.detections.flatMap((one) =>
      one.type === 'meow.ended' ? [{ fromMs: one.startMs, toMs: one.endMs }] : [],
    );
  });
}

/** Never beyond the middle of the shortest pause: what lies there may be of either. */
function besideOf(bouts: readonly Bout[], everyMs: number | null): number {
  const pauses = bouts.slice(1).map(({ fromMs }, i) => fromMs - (bouts[i]?.toMs ?? fromMs));
  return Math.min(Math.max(LEAST_BESIDE_MS, pauseOf(everyMs) / 2), ...pauses.map((pause) => (pause - 1) / 2));
}

function stepsOf(knob: Knob, now: number): readonly number[] {
  return [...new Set([...TRIED[knob], now])].sort((a, b) => a - b);
}

/** All ways to change exactly so many of them. */
function changesOf(knobs: readonly Knob[], many: number, valuesOf: (knob: Knob) => readonly number[]): Changes[] {
  if (many === 0) return [{}];
  return knobs.flatMap((knob, i) =>
    changesOf(knobs.slice(i + 1), many - 1, valuesOf).flatMap((others) =>
      valuesOf(knob).map((value) => ({ [knob]: value, ...others })),
    ),
  );
}

/** The last step has one neighbour only: at the end of a range nothing is safe. */
function roomOf(
  changes: Changes,
  steps: ReadonlyMap<Knob, readonly number[]>,
  now: (knob: Knob) => number,
  doesAsWell: (near: Changes) => boolean,
): number {
  const rooms = entriesOf(changes).map(([knob, value]) => {
    const values = steps.get(knob) ?? [];
    const at = values.indexOf(value);
    return [values[at - 1], values[at + 1]].filter((near) => {
      if (near === undefined) return false;
      const { [knob]: _changed, ...others } = changes;
      return doesAsWell(near === now(knob) ? others : { ...others, [knob]: near });
    }).length;
  });
  return Math.min(2, ...rooms);
}

/** In the order of the knobs, which is that of the keys. */
function keyOf(changes: Changes): string {
  return JSON.stringify(entriesOf(changes).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** A lucky hit, next to which nothing does as well, is worth no more than one fault: ten shakes are few to go by. */
function costOf({ faults, room }: Trial): number {
  return faults + (room === 0 ? 1 : 0);
}

function leastOf(outcomes: Iterable<{ readonly outcome: Outcome }>): number {
  return Math.min(...[...outcomes].map(({ outcome }) => outcome.faults));
}
