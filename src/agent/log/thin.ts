/**
 * Gives up events by their worth when the disk budget is spent: of the least worth first, of these the oldest first. What goes is
 * told by `history.lost` in the same transaction, exactly; the chain is kept where it goes on behind each hole.
 */
import { type EventType, fullType, type NewEvent, newEvent } from '../../contract/event.ts';
import { lostData } from '../../contract/lost.ts';
import type { SeqRange } from '../../contract/message.ts';
import type { TrimPorts } from './budget.ts';
import { appendRows, type EpochState, type LogCore, readFact, saveFact, write } from './core.ts';
import { beginAt, chainOfEpoch } from './epoch-chain.ts';
import { keptList } from './kept-json.ts';

/**
 * From the least worth on. What is in no row stays until the oldest of all must go: where a cat is and what it said, the clock
 * without which other events have no time, what tells of losses and corrections, and what this program does not know.
 */
export const WORTH: readonly Worth[] = [
  { name: 'sensors', types: ['collar.sighted', 'sensor.failed', 'sensor.recovered'] },
  { name: 'batteries and silence', types: ['battery.low', 'collar.silent', 'collar.heard'] },
  { name: 'starts of meows', types: ['meow.started'] },
];

interface Worth {
  readonly name: string;
  readonly types: readonly EventType[];
}

export interface Thinned {
  readonly lost: number;
  /** There is nothing more to be thinned. */
  readonly done: boolean;
}

/** Windows of rows that are looked through in one transaction. */
const WINDOWS = 10;
const CURSORS = 'thinned';

/** One transaction, over at most WINDOWS windows of `rows` each, until it is enough. No window gives up more than `most`. */
export function thin(
  core: LogCore,
  isEnough: () => boolean,
  most: () => number,
  rows: number,
  ports: Pick<TrimPorts, 'when'>,
): Thinned {
  const cursors = cursorsOf(core);
  const current = cursors.find(({ at }) => at < core.lastPos);
  if (current === undefined) return { lost: 0, done: true };
  return write(core, () => {
    core.memory.save(true);
    const lost = new Map<EpochState, SeqRange[]>();
    let cursor = current.at;
    for (let window = 0; window < WINDOWS && cursor < core.lastPos && !isEnough(); window += 1) {
      const next = windowAfter(core, cursor, rows);
      if (next === null) {
        cursor = core.lastPos;
        break;
      }
      cursor = thinWindow(core, next, current.worth.types, most(), lost);
    }
    saveFact(core.db, CURSORS, JSON.stringify(cursors.map((one) => (one === current ? cursor : one.at))));
    const reason = `disk budget: ${current.worth.name} were given up`;
    const told = [...lost].flatMap(([{ epoch }, ranges]) => lostData(epoch, ranges, reason));
    const events: NewEvent[] = told.map((data) => newEvent('history.lost', null, data, ports.when()));
    if (events.length > 0) appendRows(core, events);
    return { lost: told.reduce((sum, { count }) => sum + count, 0), done: false };
  });
}

/** How far each kind has been looked through, over restarts too. From the start where that cannot be read: it only saves time. */
function cursorsOf(core: LogCore): { readonly worth: Worth; readonly at: number }[] {
  const kept = keptList(readFact(core.db, CURSORS) ?? '[]') ?? [];
  return WORTH.map((worth, i) => ({ worth, at: Number(kept[i]) || 0 }));
}

interface Window {
  readonly epoch: EpochState;
  /** Positions. */
  readonly from: number;
  readonly to: number;
}

function windowAfter(core: LogCore, cursor: number, rows: number): Window | null {
  for (const epoch of core.epochs) {
    const from = Math.max(cursor + 1, epoch.base + epoch.firstSeq);
    const end = epoch.base + epoch.lastSeq;
    if (from <= end) return { epoch, from, to: Math.min(end, from + rows - 1) };
  }
  return null;
}

/** Gives up at most `most` events of these types. Returns up to where it came. */
function thinWindow(
  core: LogCore,
  { epoch, from, to }: Window,
  types: readonly EventType[],
  most: number,
  lost: Map<EpochState, SeqRange[]>,
): number {
  const ranges = lost.get(epoch) ?? [];
  const found = core.rows.ofTypes(from, to, types.map(fullType));
  for (const [first, last] of runsOf(found.slice(0, most))) {
    if (!cutOut(core, epoch, first, last)) continue;
    const before = ranges.at(-1);
    const range: SeqRange = [first - epoch.base, last - epoch.base];
    if (before !== undefined && before[1] + 1 === range[0]) ranges[ranges.length - 1] = [before[0], range[1]];
    else ranges.push(range);
  }
  if (ranges.length > 0) lost.set(epoch, ranges);
  const end = epoch.base + epoch.lastSeq;
  beginAt(core, epoch, core.rows.first(epoch.base, end) ?? end + 1);
  return found[most - 1] ?? to;
}

/**
 * Deletes a run of events and keeps the chain on both sides, so that what is held there can still be proved. A side that touches
 * another hole needs none: a hash within a hole is the trace of damage.
 */
function cutOut({ rows, chains }: LogCore, epoch: EpochState, first: number, last: number): boolean {
  const isHeld = (pos: number) => rows.first(pos - 1, pos) !== null;
  const isKept = (pos: number) => chains.first(pos - 1, pos) !== null;
  const before = isHeld(first - 1) && first - 1 > epoch.base;
  const behind = isHeld(last + 1) || last === epoch.base + epoch.lastSeq;
  const needed = [...(before ? [first - 1] : []), ...(behind ? [last] : [])].filter((pos) => !isKept(pos));
  // A hash takes about as much room as a small event: what wins nothing stays.
  if (last - first + 1 < 2 * needed.length) return false;
  const kept = needed.flatMap((pos) => {
    const hash = chainOfEpoch(rows, chains, epoch, pos - epoch.base);
    return hash === null ? [] : [{ pos, hash }];
  });
  if (kept.length < needed.length) return false;
  rows.remove(first, last);
  chains.remove(before ? first : Math.max(first - 1, epoch.base + 1), behind ? last - 1 : last);
  for (const { pos, hash } of kept) chains.save(pos, hash);
  return true;
}

function runsOf(positions: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const pos of positions) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === pos - 1) run[1] = pos;
    else runs.push([pos, pos]);
  }
  return runs;
}
