/** Kept readings decided anew, in one pass: how much there is, what was decided then, and what is decided now. */
import type { Detection } from './detector/detection.ts';
import { type Difference, differenceOf, verdictsOf } from './detector/difference.ts';
import type { WatchSettings } from './detector/watch.ts';
import type { ReadBlock } from './kept/read-kept.ts';
import { createRederiver, type Seen, timeOf } from './rederive.ts';

/** What a range of kept readings is, and what was made of it. */
export interface Account {
  /** Wall times; null where there are none. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** Without the pauses in between. */
  readonly coveredMs: number;
  readonly readings: number;
  readonly collars: readonly string[];
  /** Names of the detectors that decided live, by what they decide. */
  readonly decidedBy: { readonly [kind: string]: readonly string[] };
  readonly live: readonly Detection[];
  readonly anew: readonly Detection[];
}

/** `collar`: of this one alone. Rejects with what the blocks reject with. */
export async function accountOf(
  blocks: AsyncIterable<ReadBlock>,
  settings: WatchSettings,
  collar: string | undefined,
  seen?: Seen,
): Promise<Account> {
  const rederiver = createRederiver(settings);
  const [live, anew]: [Detection[], Detection[]] = [[], []];
  const collars = new Set<string>();
  const decidedBy = new Map<string, Set<string>>();
  let [fromMs, toMs, coveredMs, readings] = [null as number | null, null as number | null, 0, 0];
  for await (const block of blocks) {
    const { live: then, anew: now } = rederiver.take(block, seen);
    const isWanted = (one: { readonly collar: string }) => collar === undefined || one.collar === collar;
    for (const one of then) if (isWanted(one)) live.push(one);
    for (const one of now) if (isWanted(one)) anew.push(one);
    for (const [kind, name] of Object.entries(block.head.detectors)) {
      decidedBy.set(kind, (decidedBy.get(kind) ?? new Set()).add(name));
    }
    for (const { input } of block.entries) {
      if (input.type !== 'reading' || !isWanted(input.reading)) continue;
      readings += 1;
      collars.add(input.reading.collar);
    }
    const [first, last] = [block.entries[0], block.entries.at(-1)];
    if (first === undefined || last === undefined) continue;
    coveredMs += timeOf(last) - timeOf(first);
    fromMs ??= timeOf(first) + block.head.offsetMs;
    toMs = timeOf(last) + block.head.offsetMs;
  }
  return {
    ...{ fromMs, toMs, coveredMs, readings, live, anew },
    collars: [...collars].sort(),
    decidedBy: Object.fromEntries([...decidedBy].map(([kind, names]) => [kind, [...names]])),
  };
}

export function changesIn({ live, anew }: Pick<Account, 'live' | 'anew'>): Difference {
  return differenceOf(verdictsOf(live), verdictsOf(anew));
}
