/** What two detectors decided of the same readings, side by side: what one has and the other has not, and what lies elsewhere. */
import type { Detection } from './detection.ts';

/** A meow is one verdict, from its start to its end. */
export type Verdict =
  | {
      readonly type: 'meow';
      readonly collar: string;
      readonly startMs: number;
      /** null: not ended in these readings. */
      readonly endMs: number | null;
      readonly peakG: number | null;
      readonly place: string | null;
    }
  | {
      readonly type: 'cat.moved';
      readonly collar: string;
      readonly startMs: number;
      readonly from: string | null;
      readonly to: string;
    }
  | {
      readonly type: 'collar.silent' | 'collar.heard' | 'battery.low';
      readonly collar: string;
      readonly startMs: number;
    };

export interface Difference {
  readonly added: readonly Verdict[];
  readonly removed: readonly Verdict[];
  /** The same event at another time, of another length, or with another place. */
  readonly moved: readonly { readonly before: Verdict; readonly after: Verdict }[];
  readonly same: number;
}

/** What lies so near to each other is the same event. Meows that overlap are, too. */
const NEAR_MS: { readonly [T in Verdict['type']]: number } = {
  meow: 1_000,
  'cat.moved': 60_000,
  'collar.silent': 3_600_000,
  'collar.heard': 60_000,
  'battery.low': 3_600_000,
};
/** Times are told to a millisecond. */
const SAME_MS = 1;

/** Detections in the order in which they were decided, as verdicts by their time. */
export function verdictsOf(detections: readonly Detection[]): Verdict[] {
  const verdicts: Verdict[] = [];
  const open = new Map<string, number>();
  for (const one of detections) {
    const { collar } = one;
    // Heard, and nothing that was decided.
    if (one.type === 'collar.sighted') continue;
    if (one.type === 'meow.started') {
      open.set(collar, verdicts.length);
      verdicts.push({ type: 'meow', collar, startMs: one.startMs, endMs: null, peakG: null, place: null });
    } else if (one.type === 'meow.ended') {
      const { startMs, endMs, peakG, place } = one;
      const at = open.get(collar) ?? verdicts.length;
      open.delete(collar);
      verdicts[at] = { type: 'meow', collar, startMs, endMs, peakG, place };
    } else if (one.type === 'cat.moved') {
      verdicts.push({ type: one.type, collar, startMs: one.atMs, from: one.from, to: one.to });
    } else verdicts.push({ type: one.type, collar, startMs: one.atMs });
  }
  return verdicts.sort(byTime);
}

/** Both in the order of time. Each verdict has at most one counterpart, the nearest that is left. */
export function differenceOf(before: readonly Verdict[], after: readonly Verdict[]): Difference {
  const left = groupsOf(after);
  const added = new Set(after);
  const removed: Verdict[] = [];
  const moved: { before: Verdict; after: Verdict }[] = [];
  let same = 0;
  for (const one of before) {
    const group = left.get(keyOf(one)) ?? [];
    const at = nearest(one, group);
    const other = group[at];
    if (other === undefined) {
      removed.push(one);
      continue;
    }
    group.splice(at, 1);
    added.delete(other);
    if (isSame(one, other)) same += 1;
    else moved.push({ before: one, after: other });
  }
  return { added: [...added], removed, moved, same };
}

function groupsOf(verdicts: readonly Verdict[]): Map<string, Verdict[]> {
  const groups = new Map<string, Verdict[]>();
  for (const one of verdicts) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return groups;
}

/** A cat that moved elsewhere is another event. */
function keyOf(one: Verdict): string {
  return `${one.type}\n${one.collar}\n${one.type === 'cat.moved' ? one.to : ''}`;
}

/** Its index; -1 where none is near. The group is in the order of time: what lies too early cannot belong to a later one either. */
function nearest(one: Verdict, group: Verdict[]): number {
  let [best, bestMs] = [-1, Number.POSITIVE_INFINITY];
  for (const [i, other] of group.entries()) {
    if (other.startMs > endOf(one) + NEAR_MS[one.type]) break;
    const apartMs = Math.abs(other.startMs - one.startMs);
    if (apartMs < bestMs && (apartMs <= NEAR_MS[one.type] || overlaps(one, other))) [best, bestMs] = [i, apartMs];
  }
  return best;
}

function overlaps(a: Verdict, b: Verdict): boolean {
  return a.startMs <= endOf(b) && b.startMs <= endOf(a);
}

function endOf(one: Verdict): number {
  return one.type === 'meow' ? (one.endMs ?? one.startMs) : one.startMs;
}

function isSame(a: Verdict, b: Verdict): boolean {
  if (Math.abs(a.startMs - b.startMs) >= SAME_MS || Math.abs(endOf(a) - endOf(b)) >= SAME_MS) return false;
  if (a.type === 'meow' && b.type === 'meow') return a.place === b.place && (a.endMs === null) === (b.endMs === null);
  return a.type !== 'cat.moved' || b.type !== 'cat.moved' || a.from === b.from;
}

function byTime(a: Verdict, b: Verdict): number {
  return a.startMs - b.startMs;
}
