/** The end of the wizard: what fits the shakes that were made, told as a table and as lines of the configuration to paste. */
import { existsSync } from 'node:fs';
import { ownShake, SHAKE_DEFAULTS } from '../agent/detector/shake-settings.ts';
import type { WatchSettings } from '../agent/detector/watch.ts';
import { CommandError, EXIT } from './exit.ts';
import type { KeptSource } from './kept.ts';
import { print, printJson, table, tell } from './output.ts';
import { type Span, weighByKept } from './tune-kept.ts';
import { type Changes, entriesOf, type Search, search, type Trial } from './tune-search.ts';
import { type Recorded, SHAKES } from './tune-wizard.ts';

export interface ProposalParts {
  readonly options: { readonly collar: string; readonly json?: true };
  readonly kept: KeptSource | null;
  /** As the configuration has them, whatever was tried while looking on. */
  readonly configured: WatchSettings;
  /** When it was shaken, in wall time. */
  readonly shaken: Span;
}

/** Fewer shakes seen, or found by any setting, are no base for a proposal. */
const LEAST_SHAKES = 0.8 * SHAKES;
/** So many of what fits are weighed by what is kept, beside what is set now: each decides all of it anew. */
const WEIGHED = 12;
/** What finds all shakes as it is, is changed only where it would have found so many meows an hour, and the other half of them. */
const WORTH_PER_HOUR = 1;
const SLOW_MS = 40;

/** A trial that has been weighed; null: nothing of this collar is kept. */
export interface WeighedTrial extends Trial {
  readonly perHour: number | null;
  readonly spellsPerHour: number | null;
}

/** Sets the exit code 1 where nothing fits. */
export async function propose(recorded: Recorded, parts: ProposalParts): Promise<void> {
  const { options, configured } = parts;
  const { collar } = options;
  const seen = recorded.bouts.length;
  const searched = search(recorded, collar, configured);
  const isBase = seen >= LEAST_SHAKES;
  const { trials, hours } = await weigh(searched, isBase, parts);
  const [now, ...fitting] = trials;
  if (now === undefined) throw new Error('the settings as they are were not weighed');
  const chosen = isBase ? choose(now, fitting) : null;
  const fits = isBase && (chosen ?? now).found >= LEAST_SHAKES;
  if (!fits) process.exitCode = EXIT.checkFailed;
  const proposed = fits ? chosen : null;
  const { tried, untried } = searched;
  if (options.json === true) {
    const { measure, everyMs } = recorded;
    const told = { measure, everyMs, made: SHAKES, seen, fits, now: shown(now), proposed: proposed && shown(proposed) };
    const rest = { keptHours: hours, tried, untried, trials: fitting.map(shown) };
    return printJson({ type: 'proposal', collar, ...told, settings: settingsOf(parts, proposed), ...rest });
  }
  print(seenOf(recorded));
  if (seen > 0) print(tableOf(now, proposed, seen));
  for (const line of fits ? fittingWords(now, proposed, parts, hours) : unfitting(recorded, searched)) print(line);
  if (untried > 0) tell(`${untried} more settings were not tried: too much was recorded for it`);
}

/** As it is set now, and then what fits. */
async function weigh(
  { now, fitting }: Search,
  isBase: boolean,
  { options, kept, configured, shaken }: ProposalParts,
): Promise<{ readonly trials: readonly WeighedTrial[]; readonly hours: number | null }> {
  const trials = [now, ...(isBase ? fitting.slice(0, WEIGHED) : [])];
  const unweighed = { perHour: null, spellsPerHour: null };
  const without = (hours: number | null) => ({ trials: trials.map((one) => ({ ...one, ...unweighed })), hours });
  if (kept === null || !isBase) return without(null);
  if (!existsSync(kept.folder)) return without(0);
  if (options.json !== true) tell('looking through what is kept …');
  const set = ownShake(configured.shake, options.collar).quietMs ?? SHAKE_DEFAULTS.quietMs;
  const quietMs = Math.max(set, ...trials.map(({ changes }) => changes.quietMs ?? 0));
  const asked = trials.map(({ changes }) => changes);
  const weighed = await weighByKept(kept, options.collar, asked, quietMs, shaken).catch((error: unknown) => {
    // Ten shakes were made for it: what they have shown is told all the same.
    if (!(error instanceof CommandError)) throw error;
    tell(error.message);
    return null;
  });
  if (weighed === null) return without(null);
  return {
    trials: trials.map((one, i) => ({
      ...one,
      perHour: weighed.perHour[i] ?? null,
      spellsPerHour: weighed.spellsPerHour[i] ?? null,
    })),
    hours: weighed.hours,
  };
}

/**
 * Of what fits the safest, of these that of the fewest meows in what is kept, of these the nearest to what is set now. null: as it
 * is, it fits as well.
 */
export function choose(now: WeighedTrial, fitting: readonly WeighedTrial[]): WeighedTrial | null {
  const worth = ({ room, spellsPerHour, distance }: WeighedTrial) => [-room, spellsPerHour ?? 0, distance] as const;
  const [best] = fitting.toSorted((a, b) => {
    const [ofA, ofB] = [worth(a), worth(b)];
    return ofA[0] - ofB[0] || ofA[1] - ofB[1] || ofA[2] - ofB[2];
  });
  if (best === undefined || best.faults < now.faults) return best ?? null;
  const isNoisy = now.spellsPerHour !== null && now.spellsPerHour >= WORTH_PER_HOUR;
  return isNoisy && best.room === 2 && (best.spellsPerHour ?? 0) <= (now.spellsPerHour ?? 0) / 2 ? best : null;
}

function shown({ changes, found, inPieces, joined, besides, perHour }: WeighedTrial) {
  return { changes, found, inPieces, joined, besides, perHour };
}

/** What the collar then has of its own: what it has already, too. */
function settingsOf({ options: { collar }, configured }: ProposalParts, proposed: WeighedTrial | null): Changes | null {
  if (proposed === null) return null;
  const { collars = {} } = configured.shake;
  return { ...(Object.hasOwn(collars, collar) ? (collars[collar] as Changes) : {}), ...proposed.changes };
}

const WORDS = { acceleration: 'acceleration', level: 'levels', edges: 'edges or counted movements' } as const;

function seenOf({ bouts, measure, everyMs }: Recorded): string {
  if (measure === null || everyMs === null) return 'Nothing was heard that says anything of shakes.';
  const every = everyMs < 1_000 ? `${Math.round(everyMs)} ms` : `${(everyMs / 1_000).toFixed(1)} s`;
  const asked = bouts.length === SHAKES ? '' : ` of the ${SHAKES} that were asked for`;
  return `${bouts.length} shakes${asked} were seen, by ${WORDS[measure]}, a reading each ${every}.`;
}

function tableOf(now: WeighedTrial, proposed: WeighedTrial | null, seen: number): string {
  const row = (name: string, { found, inPieces, joined, besides, perHour }: WeighedTrial) => [
    name,
    `${found} of ${seen}`,
    String(inPieces),
    String(joined),
    String(besides),
    perHour === null ? '-' : perHour.toFixed(2),
  ];
  const rows = [row('as it is', now), ...(proposed === null ? [] : [row('proposed', proposed)])];
  return table(['', 'found', 'in pieces', 'joined', 'besides', 'kept: meows/h'], rows);
}

function fittingWords(
  now: WeighedTrial,
  proposed: WeighedTrial | null,
  parts: ProposalParts,
  hours: number | null,
): readonly string[] {
  const { options, configured } = parts;
  const kept = keptWords(parts.kept !== null, hours);
  if (proposed === null) {
    const words = now.faults === 0 ? 'As it is set, it fits: nothing is to be changed.' : 'No setting does better.';
    return ['', words, ...kept];
  }
  const set = ownShake(configured.shake, options.collar);
  const lines = entriesOf(proposed.changes).map(
    ([knob, to]) => `${knob}: ${to} instead of ${set[knob] ?? SHAKE_DEFAULTS[knob]}`,
  );
  const { quietMs } = proposed.changes;
  const late =
    quietMs === undefined
      ? []
      : [`A meow ends ${quietMs / 1_000} s after its last shake then, and shakes with shorter pauses between are one.`];
  const own = entriesOf(settingsOf(parts, proposed) ?? {}).map(([knob, value]) => `${knob}: ${value}`);
  return [
    '',
    ...lines,
    ...late,
    ...kept,
    'Into agent.yaml, and collard detect --from-kept --compare tells what else it changes:',
    '',
    'detect:',
    '  shake:',
    '    collars:',
    `      ${JSON.stringify(options.collar)}: { ${own.join(', ')} }`,
  ];
}

function keptWords(isKept: boolean, hours: number | null): readonly string[] {
  if (hours === null && isKept) return ['What is kept cannot be read, so false alarms cannot be told.'];
  if (hours === null)
    return ['No readings are kept, so false alarms cannot be told: readings: { keep: 48h / 200 MB } in agent.yaml.'];
  if (hours === 0) return ['Nothing of this collar is kept yet, so false alarms cannot be told.'];
  const [time, little] =
    hours < 1 ? [`${(60 * hours).toFixed(1)} min`, ' That is little: a day says more.'] : [`${hours.toFixed(1)} h`, ''];
  return [
    `Kept of it are ${time} besides these shakes. Meows there are false alarms where the cat did not shake.${little}`,
  ];
}

function unfitting({ bouts, measure, everyMs }: Recorded, { now, fitting }: Search): readonly string[] {
  const best = Math.max(now.found, ...fitting.map(({ found }) => found));
  const why =
    bouts.length < LEAST_SHAKES
      ? `Only ${bouts.length} of ${SHAKES} can be told apart: too few to go by. Was each as long as asked for, with a pause behind it?`
      : `At most ${best} of ${SHAKES} were found: no setting fits.`;
  const isSlow = measure === 'acceleration' && (everyMs ?? 0) > SLOW_MS;
  return [
    '',
    why,
    isSlow
      ? `Acceleration of ${(1_000 / (everyMs ?? 1_000)).toFixed(1)} readings a second shows no shake: it needs 25.`
      : 'Look at the rate and at what it weighs at rest first; a shake of less than 3 or more than 12 swings a second is none.',
  ];
}
