/** The project loop: store → models. Wakes when something was stored, folds it in slices, and tells what became of it. */
import { setImmediate } from 'node:timers/promises';
import { collarOf } from '../contract/event.ts';
import { delay } from '../lib/wait.ts';
import type { Changes } from './api/changes.ts';
import type { Outage } from './outage.ts';
import type { Stopped } from './store/fold-status.ts';
import type { CatRow, Projected, ProjectStore, ReadStore } from './store/store.ts';

/** Events of one transaction: others wait no longer than it takes to fold these. */
export const SLICE_EVENTS = 2_000;
const IDLE_MS = 1_000;
/**
 * So many times as long as a slice has taken the next one waits, at most so long. Where agents catch up side by side, each slice goes
 * back before what the others have brought: fewer and larger ones do the same work once, and receiving has the database meanwhile.
 */
const REST = 2;
const MAX_REST_MS = 1_000;

/** One meow, as it is told to dashboards. Never from a replay: only when its event is seen for the first time. */
export interface MeowNotice {
  readonly id: string;
  readonly catId: number;
  readonly name: string;
  readonly time: string;
  readonly collar: string | null;
  readonly location: string | null;
}

export interface ProjectParts {
  readonly store: ProjectStore & Pick<ReadStore, 'cats'>;
  /** Asked when the database is away. Absent: then the loop ends. */
  readonly outage?: Pick<Outage, 'over'>;
  /** Announced by the receive loop after its commits. */
  readonly arrived: Changes;
  readonly clock: () => Date;
  /** Looks again after this time even if nobody woke it: another process may have written. 1 s by default. */
  readonly idleMs?: number;
  /** Must neither wait nor throw. */
  readonly announceCat: (row: CatRow) => void;
  readonly announceMeow: (meow: MeowNotice) => void;
  /** After a commit that others may want to see. */
  readonly changed: () => void;
  /** The models stand still (policy `stop`), before another event than so far; or, null, they go on. */
  readonly stopped?: (stopped: Stopped | null) => void;
}

/** Resolves after the signal aborted. Rejects with the store's error. Where the models stand still, it asks on. */
export async function runProject(parts: ProjectParts, signal: AbortSignal): Promise<void> {
  const { idleMs = IDLE_MS } = parts;
  let stoppedAt: string | null = null;
  while (!signal.aborted) {
    const seen = parts.arrived.version;
    const began = parts.clock().getTime();
    const result = await project(parts, signal);
    if (result === null) continue;
    const { stopped = null } = result;
    const moved = (stopped?.id ?? null) !== stoppedAt;
    stoppedAt = stopped?.id ?? null;
    if (moved) parts.stopped?.(stopped);
    if (result.events > 0 || result.changedCats.length > 0 || moved) parts.changed();
    const restMs = Math.min(REST * (parts.clock().getTime() - began), MAX_REST_MS);
    if (result.events > 0 && restMs > 0) await delay(restMs, signal);
    if (result.events === SLICE_EVENTS) await setImmediate();
    else await parts.arrived.after(seen, signal, idleMs);
  }
}

/** Null: the database was away, and is there again or nobody waits for it any more. */
async function project(parts: ProjectParts, signal: AbortSignal): Promise<Projected | null> {
  try {
    const result = await parts.store.project(SLICE_EVENTS);
    if (result.changedCats.length > 0) await announce(parts, result);
    return result;
  } catch (error) {
    if (parts.outage === undefined) throw error;
    await parts.outage.over(error, signal);
    return null;
  }
}

async function announce(parts: ProjectParts, result: Projected): Promise<void> {
  const cats = new Map((await parts.store.cats(parts.clock())).map((row) => [row.id, row]));
  for (const id of result.changedCats) {
    const row = cats.get(id);
    if (row !== undefined) parts.announceCat(row);
  }
  for (const { catId, event } of result.meows) {
    const row = cats.get(catId);
    if (row === undefined) continue;
    parts.announceMeow({
      id: `${event.epoch}/${event.seq}`,
      catId,
      name: row.name,
      time: event.time,
      collar: collarOf(event),
      location: row.location,
    });
  }
}
