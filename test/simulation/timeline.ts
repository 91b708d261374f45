/**
 * Virtual time. Everything that waits stands in one line, by its moment and then by its order of coming; between two of them
 * all that can go on at once does. So one seed has one order of events.
 */

export interface Waiting {
  readonly atMs: number;
  cancel(): void;
}

export interface Timeline {
  readonly nowMs: number;
  after(ms: number, work: () => void): Waiting;
  /** Lets time pass up to this moment. */
  runUntil(atMs: number): Promise<void>;
  /** How many have waited so far. */
  readonly turns: number;
}

interface Entry {
  readonly atMs: number;
  readonly order: number;
  work: (() => void) | null;
}

export function createTimeline(): Timeline {
  const heap: Entry[] = [];
  let nowMs = 0;
  let order = 0;
  let turns = 0;
  return {
    get nowMs() {
      return nowMs;
    },
    get turns() {
      return turns;
    },
    after(ms, work) {
      order += 1;
      const entry: Entry = { atMs: nowMs + Math.max(0, ms), order, work };
      push(heap, entry);
      return {
        atMs: entry.atMs,
        cancel: () => {
          entry.work = null;
        },
      };
    },
    async runUntil(atMs) {
      await settled();
      for (let first = heap[0]; first !== undefined && first.atMs <= atMs; first = heap[0]) {
        pop(heap);
        if (first.work === null) continue;
        nowMs = first.atMs;
        turns += 1;
        first.work();
        await settled();
      }
      nowMs = Math.max(nowMs, atMs);
    },
  };
}

/** Resolves when every promise that could go on has gone on: Node takes the next tick when no microtask is left. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || isBefore(above, entry)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): void {
  const entry = heap.pop();
  if (entry === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    const [l, r] = [heap[left], heap[left + 1]];
    if (l === undefined) break;
    const child = r !== undefined && isBefore(r, l) ? left + 1 : left;
    const below = child === left ? l : (r ?? l);
    if (isBefore(entry, below)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = entry;
}
