/**
 * Trains the forest that tells shakes: `node test/train/shake.ts --data FOLDER [--write]`. Prints how it does on persons, animals
 * and days that it has not seen (each in turn), and with rows lost, slower or clipped. The recordings are not part of this
 * project: see README.md beside this file.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Forest, LEAVES, NODES, packForest } from '../../src/agent/detector/forest.ts';
import { FEATURES } from '../../src/agent/detector/motion-features.ts';
import { type Look, looksAt, madeUp } from './examples.ts';
import { type Example, type Growth, growForest, lossOf } from './grow.ts';
import { FOLDS, type Mishap, mishap, type Recording, readRecordings } from './recordings.ts';
import { detectShakes, emptyTally, f1, median, type Tally, tallyShakes } from './score.ts';

const GROWTH: Growth = { trees: 50, rate: 0.15, leastShare: 0.002, ridge: 0 };
const MADE_UP = 300;
/** Weight of what teaches "no" and "yes" in each set of recordings. What is made up says least. */
const WEIGHT: Readonly<Record<string, readonly [no: number, yes: number]>> = {
  wii: [1, 0.7],
  collar: [1.5, 1],
  unitn: [0.5, 0.5],
  hmp: [1, 0],
  'made up': [0.1, 0.3],
};
const ASKED: readonly Mishap[] = ['none', '25 Hz', '12.5 Hz', '30 % lost', 'bursts of 25 lost', 'clipped at 2 g'];
/** Of daily life without any shake one look in so many is enough. */
const THINNED = 4;
/** The forest's file in the source. */
const FILE = new URL('../../src/agent/detector/shake-forest.ts', import.meta.url);

interface Lesson {
  readonly fold: number;
  readonly looks: readonly Look[];
}

const { values } = parseArgs({ options: { data: { type: 'string' }, write: { type: 'boolean' } } });
if (values.data === undefined) throw new Error('name the folder of the recordings: --data FOLDER');
const recordings = readRecordings(values.data);
const lessons = lessonsOf(recordings);
const forest = teach(lessons);
const all = examplesOf(lessons);
tell(`all: ${all.length} looks, log loss ${lossOf(forest, all).toFixed(3)}`);
if (values.write === true) writeFileSync(FILE, textOf(forest));
const forests = Array.from({ length: FOLDS }, (_, fold) => teach(lessons.filter((lesson) => lesson.fold !== fold)));
for (const how of ASKED) report(how);

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

function lessonsOf(from: readonly Recording[]): Lesson[] {
  return [...from, ...madeUp(MADE_UP)].map((recording) => {
    const looks = looksAt(recording, recording.rows);
    return { fold: recording.fold, looks: recording.set === 'hmp' ? looks.filter((_, i) => i % THINNED === 0) : looks };
  });
}

/** Each set counts by its weight and not by its length. */
function examplesOf(of: readonly Lesson[]): Example[] {
  const looks = of.flatMap((lesson) => lesson.looks);
  const count = new Map<string, number>();
  for (const { set, yes } of looks) count.set(`${set} ${yes}`, (count.get(`${set} ${yes}`) ?? 0) + 1);
  return looks.map(({ features, yes, set }) => {
    const share = WEIGHT[set]?.[yes ? 1 : 0] ?? 0;
    return { features, yes, weight: share / (count.get(`${set} ${yes}`) ?? 1) };
  });
}

function teach(of: readonly Lesson[]): Forest {
  return growForest(examplesOf(of), GROWTH);
}

function report(how: Mishap): void {
  const sets = new Map<string, Tally>();
  const pooled = emptyTally();
  for (const recording of recordings) {
    const learnt = forests[recording.fold];
    if (learnt === undefined) continue;
    const rows = mishap(recording.rows, how, 5);
    const found = detectShakes(rows, { sensitivity: 1, forest: packForest(learnt) });
    const tally = sets.get(recording.set) ?? emptyTally();
    sets.set(recording.set, tally);
    tallyShakes(tally, recording, found);
    if (recording.set !== 'hmp') tallyShakes(pooled, recording, found);
  }
  const words = [...sets].map(([set, t]) => {
    const hourly = (3_600 * t.falses) / t.seconds;
    return `${set} ${t.hits}/+${t.falses}/-${t.missed} F1 ${f1(t).toFixed(2)} ${hourly.toFixed(1)}/h ${median(t.latencyS).toFixed(2)} s`;
  });
  const { twice, early, latencyS } = pooled;
  tell(
    `${how}: F1 ${f1(pooled).toFixed(3)}, twice ${twice}, early ${early}, ${median(latencyS).toFixed(2)} s | ${words.join(' | ')}`,
  );
  if (how === 'none') tell(`  ${pooled.wrong.join(', ')}`);
}

function textOf({ bias, feature, threshold, leaf }: Forest): string {
  const rows = (numbers: readonly number[], each: number) =>
    Array.from(
      { length: Math.ceil(numbers.length / each) },
      (_, i) => `    ${numbers.slice(i * each, (i + 1) * each).join(', ')},`,
    ).join('\n');
  return `/**
 * Written by test/train/shake.ts, which tells from what. A look at the last second is a shake by log-odds. Features by number:
 * ${FEATURES.slice(0, 8).join(', ')},
 * ${FEATURES.slice(8).join(', ')}.
 */
import type { Forest } from './forest.ts';

// biome-ignore format: a tree a line
export const shakeForest: Forest = {
  bias: ${bias},
  feature: [
${rows(feature, NODES)}
  ],
  threshold: [
${rows(threshold, NODES)}
  ],
  leaf: [
${rows(leaf, LEAVES)}
  ],
};
`;
}
