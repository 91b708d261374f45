/** The end of the wizard: what fits the shakes that were made, told as a table and as the lines of the configuration. */
import type { WatchSettings } from '../agent/detector/watch.ts';
import { EXIT } from './exit.ts';
import type { KeptSource } from './kept.ts';
import { print, printJson, table, tell } from './output.ts';
import { weighByKept } from './tune-kept.ts';
import { choose, fittingOf, type Recorded, SHAKES, type Trial, tryAll } from './tune-wizard.ts';

export interface ProposalParts {
  readonly options: { readonly collar: string; readonly json?: true };
  readonly kept: KeptSource | null;
  readonly settings: WatchSettings;
}

/** Fewer of them found by any setting are no base for a proposal. */
const LEAST_SHARE = 0.8;

/** Sets the exit code 1 where nothing fits. */
export async function propose(recorded: Recorded, { options, kept, settings }: ProposalParts): Promise<void> {
  const trials = tryAll(recorded, settings);
  const best = Math.max(...trials.map(({ found }) => found));
  const fitting = best < LEAST_SHARE * SHAKES ? [] : fittingOf(trials);
  if (kept !== null && fitting.length > 0 && options.json !== true) tell('looking through what is kept …');
  const weighed = kept === null || fitting.length === 0 ? null : await weighByKept(kept, options.collar, fitting);
  const chosen = choose(weighed?.trials ?? fitting);
  const all = trials.map((one) => weighed?.trials.find(({ sensitivity }) => sensitivity === one.sensitivity) ?? one);
  if (chosen === null) process.exitCode = EXIT.checkFailed;
  const proposal = { sensitivity: chosen?.sensitivity ?? null, made: SHAKES, best, keptHours: weighed?.hours ?? null };
  if (options.json === true) return printJson({ type: 'proposal', collar: options.collar, ...proposal, trials: all });
  print(tableOf(all, chosen));
  for (const line of chosen === null ? tooFew(best) : wordsOf(chosen, weighed?.hours ?? null)) print(line);
}

function tableOf(trials: readonly Trial[], chosen: Trial | null): string {
  const rows = trials.map(({ sensitivity, found, falseAtRest, perHour }) => [
    `${sensitivity}${sensitivity === chosen?.sensitivity ? ' *' : ''}`,
    `${found} of ${SHAKES}`,
    String(falseAtRest),
    perHour === null ? '-' : perHour.toFixed(2),
  ]);
  return table(['sensitivity', 'found', 'found at rest', 'meows per hour of what is kept'], rows);
}

function wordsOf({ sensitivity, found, perHour }: Trial, hours: number | null): string[] {
  const kept =
    hours === null || perHour === null
      ? ['No readings are kept, so false alarms cannot be told: readings: { keep: 48h / 200 MB } in agent.yaml.']
      : [
          `In ${hours.toFixed(1)} h that are kept it would have found ${perHour.toFixed(2)} meows an hour.`,
          'Where the cat did not shake then, these are false alarms.',
        ];
  return [
    '',
    `Sensitivity ${sensitivity} finds ${found} of ${SHAKES}.`,
    ...kept,
    '',
    'detect:',
    '  shake:',
    `    sensitivity: ${sensitivity}`,
  ];
}

function tooFew(best: number): string[] {
  return [
    '',
    `At most ${best} of ${SHAKES} were found: no setting fits. Was each a second long, to and fro, with a pause of a second behind it?`,
    'Look at the rate and at what it weighs at rest first; a shake of less than 3 or more than 12 swings a second is none.',
  ];
}
