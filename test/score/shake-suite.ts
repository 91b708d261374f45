/** Shakes: each set of recordings by what it tells, beside baselines, and what is left of it where rows are lost, few or clipped. */
import { type Mishap, mishap, type Recording, readRecordings } from '../train/recordings.ts';
import { detectShakes, emptyTally, f1, median, type Tally, tallyShakes } from '../train/score.ts';
import { type Burst, hysteresis, type ShakeBaseline, threeQuarters, threshold } from './baselines.ts';
import { type Cell, ratio, share, table } from './table.ts';

const MISHAPS: readonly Mishap[] = [
  ...(['none', '25 Hz', '12.5 Hz', '30 % lost', 'bursts of 25 lost', 'clipped at 2 g', 'rounded as kept'] as const),
];
const SEED = 7;

type Detector = (recording: Recording, how: Mishap) => ReturnType<typeof detectShakes>;

const ours: Detector = ({ rows }, how) => detectShakes(mishap(rows, how, SEED), { sensitivity: 1 });

const of =
  (baseline: ShakeBaseline): Detector =>
  ({ rows }, how) =>
    baseline(mishap(rows, how, SEED)).flatMap((burst) => asDetections(burst));

function asDetections({ toldMs, fromMs, toMs }: Burst): ReturnType<typeof detectShakes> {
  const collar = 'A';
  return [
    { type: 'meow.started', collar, atMs: toldMs, startMs: fromMs, level: 0 },
    {
      type: 'meow.ended',
      collar,
      atMs: toMs,
      startMs: fromMs,
      endMs: toMs,
      durationMs: toMs - fromMs,
      peakG: 0,
      readings: 0,
      place: null,
    },
  ];
}

export function shakeSuite(folder: string): string {
  const recordings = readRecordings(folder);
  const sets = [...new Set(recordings.map(({ set }) => set))];
  const withShakes = sets.filter((set) => recordings.some((one) => one.set === set && one.shakes.length > 0));
  const tallyOf = (detector: Detector, wanted: readonly string[], how: Mishap = 'none'): Tally => {
    const tally = emptyTally();
    for (const one of recordings) if (wanted.includes(one.set)) tallyShakes(tally, one, detector(one, how));
    return tally;
  };
  const row = (name: string, tally: Tally): Cell[] => {
    const { hits, falses, missed, twice, seconds, latencyS } = tally;
    const isQuiet = hits + missed === 0;
    return [
      name,
      isQuiet ? '' : share(ratio(hits, hits + falses)),
      isQuiet ? '' : share(ratio(hits, hits + missed)),
      isQuiet ? '' : share(f1(tally)),
      twice,
      Math.round(ratio(falses, seconds / 3_600)),
      latencyS.length === 0 ? '' : median(latencyS).toFixed(2),
    ];
  };
  const head = ['', 'precision', 'recall', 'F1', 'told twice', 'false alarms an hour', 'median latency in s'];
  const all = `all with shakes (${withShakes.join(', ')})`;
  const rest = sets.filter((set) => !withShakes.includes(set));
  const quiet = (how: Mishap) => {
    const { falses, seconds } = tallyOf(ours, rest, how);
    return rest.length === 0 ? '' : ratio(falses, seconds / 3_600).toFixed(1);
  };
  const robust = MISHAPS.map((how): Cell[] => {
    const tally = tallyOf(ours, withShakes, how);
    return [how, share(f1(tally)), tally.twice, median(tally.latencyS).toFixed(2), quiet(how)];
  });
  return [
    '## Shakes\n',
    'The forest that is shipped has learnt from such recordings: what it does on others is less, see test/train/README.md. No cat is among\n' +
      'them whose shakes somebody has labelled.\n',
    table(head, [
      row(all, tallyOf(ours, withShakes)),
      ...sets.map((set) => row(set, tallyOf(ours, [set]))),
      row('threshold of 1 g, then 2 s of silence', tallyOf(of(threshold), withShakes)),
      row('3/4 of the samples of 0.5 s over 1.33 g', tallyOf(of(threeQuarters), withShakes)),
      row('dynamic acceleration with hysteresis', tallyOf(of(hysteresis), withShakes)),
    ]),
    '### What happens to readings on their way\n',
    table(['', 'F1', 'told twice', 'median latency in s', 'false alarms an hour where nothing shakes'], robust),
  ].join('\n');
}
