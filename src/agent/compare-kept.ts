/** What other settings of shakes would have made of the readings that are kept of one collar. Reads only. */
import {
  COMPARE_COLUMNS,
  type Compared,
  type ComparedChange,
  type ComparedShake,
  type CompareQuestion,
  MAX_COMPARE_CHANGES,
  MAX_COMPARE_MARKS,
  SHAKE_KEYS,
  type TriedSettings,
} from '../contract/compare.ts';
import { accountOf, changesIn } from './account.ts';
import type { Detection } from './detector/detection.ts';
import { type Verdict, verdictsOf } from './detector/difference.ts';
import { viewShake } from './detector/shake-view.ts';
import type { WatchSettings } from './detector/watch.ts';
import { nameDetectors } from './detector-names.ts';
import { type ReadBlock, readKept } from './kept/read-kept.ts';
import { type Seen, timeOf } from './rederive.ts';

export interface CompareJob {
  /** Where the readings are kept. */
  readonly folder: string;
  /** As they are in force. */
  readonly settings: WatchSettings;
  readonly question: CompareQuestion;
  /** Wall time. */
  readonly nowMs: number;
}

type Meow = Verdict & { readonly type: 'meow' };

/** null: nothing of this collar is kept of that time. `rest`: waited for after each block. Rejects with the disk's errors. */
export async function compareKept(
  { folder, settings, question, nowMs }: CompareJob,
  rest: () => Promise<void> = async () => undefined,
): Promise<Compared | null> {
  const { collar, hours } = question;
  const own: TriedSettings = { ...ownOf(settings, collar), ...question.shake };
  const tried = { ...settings, shake: { ...settings.shake, collars: { ...settings.shake.collars, [collar]: own } } };
  const levels = new Array<number>(COMPARE_COLUMNS).fill(0);
  const sinceMs = nowMs - hours * 3_600_000;
  const blocks = ofCollar(
    readKept(folder, () => undefined, { sinceMs }),
    collar,
    rest,
  );
  const account = await accountOf(blocks, tried, collar, gather(levels, sinceMs, nowMs));
  const { fromMs, toMs, coveredMs, readings, decidedBy } = account;
  if (fromMs === null || toMs === null || readings === 0) return null;
  // A segment may begin before that time.
  const isWanted = (one: Detection) =>
    (one.type === 'meow.started' || one.type === 'meow.ended') && one.startMs >= sinceMs;
  const { added, removed, moved, same } = changesIn({
    live: account.live.filter(isWanted),
    anew: account.anew.filter(isWanted),
  });
  const shakeOf = (one: Verdict): ComparedShake => {
    const { startMs, endMs } = one as Meow;
    return [Math.round(startMs - sinceMs), endMs === null ? null : Math.round(endMs - sinceMs)];
  };
  const shakesOf = (detections: readonly Detection[]) =>
    verdictsOf(detections.filter(isWanted)).slice(-MAX_COMPARE_MARKS).map(shakeOf);
  const changes: ComparedChange[] = [
    ...added.map((one) => ({ what: 'added' as const, before: null, after: shakeOf(one) })),
    ...removed.map((one) => ({ what: 'removed' as const, before: shakeOf(one), after: null })),
    ...moved.map(({ before, after }) => ({ what: 'moved' as const, before: shakeOf(before), after: shakeOf(after) })),
  ];
  return {
    ...{ collar, fromMs: sinceMs, toMs: nowMs, coveredMs, readings, levels: levels.map(rounded) },
    past: shakesOf(account.live),
    anew: shakesOf(account.anew),
    changes: changes.sort((a, b) => startOf(a) - startOf(b)).slice(-MAX_COMPARE_CHANGES),
    ...{ added: added.length, removed: removed.length, moved: moved.length, same },
    decidedBy: (decidedBy.shake ?? []).slice(-8),
    triedBy: nameDetectors(tried).shake,
    own,
  };
}

/** What other collars did says nothing of this one, and takes time. What a room's sensor saw stays. */
async function* ofCollar(
  blocks: AsyncIterable<ReadBlock>,
  collar: string,
  rest: () => Promise<void>,
): AsyncGenerator<ReadBlock> {
  for await (const block of blocks) {
    const entries = block.entries.filter(({ input }) => {
      if (input.type !== 'reading' || input.reading.collar === collar) return true;
      const { axG, shake, edges } = input.reading;
      return axG === undefined && shake === undefined && edges === undefined;
    });
    yield { ...block, entries };
    await rest();
  }
}

/** The strongest level of each column. */
function gather(levels: number[], fromMs: number, toMs: number): Seen {
  return ({ input }, state, offsetMs) => {
    if (input.type !== 'reading') return;
    const { reading } = input;
    const watched = state.collars.get(reading.collar);
    if (
      watched === undefined ||
      (reading.axG === undefined && reading.shake === undefined && reading.edges === undefined)
    )
      return;
    const at = Math.floor(
      (COMPARE_COLUMNS * (timeOf({ input, detections: [] }) + offsetMs - fromMs)) / (toMs - fromMs),
    );
    const { level } = viewShake(watched.shake, reading);
    if (level > (levels[at] ?? Number.POSITIVE_INFINITY)) levels[at] = level;
  };
}

function ownOf({ shake: { collars } }: WatchSettings, collar: string): TriedSettings {
  const own = collars !== undefined && Object.hasOwn(collars, collar) ? collars[collar] : undefined;
  const set = SHAKE_KEYS.flatMap((key) => (own?.[key] === undefined ? [] : [[key, own[key]] as const]));
  return Object.fromEntries(set);
}

function startOf({ before, after }: ComparedChange): number {
  return (after ?? before)?.[0] ?? 0;
}

function rounded(level: number): number {
  return Math.round(level * 1_000) / 1_000;
}
