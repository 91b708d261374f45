/** How much room the log takes and may take. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { StoredEvent } from '../../contract/event.ts';
import type { DiskState } from '../../contract/message.ts';
import type { LogCore } from './core.ts';

export interface TrimLimits {
  readonly keepDays: number;
  readonly keepBytes: number;
  readonly budgetBytes: number;
}

export interface TrimPorts {
  /** The time of a `history.lost` event. */
  readonly when: () => Pick<StoredEvent, 'time' | 'clock' | 'boot' | 'monoMs'>;
  /** Free bytes on the disk of this folder. */
  readonly freeBytes: (folder: string) => number;
}

/**
 * The log stops growing before the disk is full, by this share of itself, within bounds: SQLite cannot even delete on a full disk,
 * and a large log is written faster.
 */
const RESERVE_SHARE = 1 / 8;
const MIN_RESERVE_BYTES = 256 * 1024;
const MAX_RESERVE_BYTES = 8 * 1024 * 1024;
/** Below this a log is not to blame for a full disk, and giving it up would win nothing. */
const FLOOR_BYTES = 512 * 1024;
/** Given up at once: fewer would cost a flush for nothing. */
const MIN_ROWS = 50;
/** Of the budget, in what nobody has confirmed. */
const WARN_SHARE = 0.8;

export function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Bytes of the pages that hold something. The file itself does not shrink: freed pages are used again. */
export function usedBytes(core: LogCore): number {
  return (pragma(core, 'page_count') - pragma(core, 'freelist_count')) * pragma(core, 'page_size');
}

/** About how many events take so many bytes: no more are given up than is needed. */
export function rowsIn(core: LogCore, bytes: number): number {
  const held = core.epochs.reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq - firstSeq + 1, 0);
  return Math.max(MIN_ROWS, Math.ceil((bytes * held) / usedBytes(core)));
}

/** What is configured, or less where the disk has less. */
export function budgetNow(core: LogCore, budgetBytes: number, freeBytes: (folder: string) => number): number {
  const used = usedBytes(core);
  const room = pragma(core, 'freelist_count') * pragma(core, 'page_size') + freeBytes(dirname(core.path));
  const reserve = Math.min(MAX_RESERVE_BYTES, Math.max(MIN_RESERVE_BYTES, used * RESERVE_SHARE));
  return Math.min(budgetBytes, Math.max(FLOOR_BYTES, used + room - reserve));
}

/** How it stands after a step of the ladder was taken. What is lost stays said until there is room again. */
export function stateAfter(core: LogCore, step: DiskState, before: DiskState, budget: number): DiskState {
  const order: readonly DiskState[] = ['ok', 'warn', 'thinning', 'losing'];
  const held = core.epochs.reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq - firstSeq + 1, 0);
  const unconfirmed = core.epochs.reduce(
    (sum, { firstSeq, lastSeq, storedSeq }) => sum + lastSeq - Math.max(storedSeq, firstSeq - 1),
    0,
  );
  const isScarce = usedBytes(core) * (unconfirmed / Math.max(1, held)) > budget * WARN_SHARE;
  const least = isScarce ? 'warn' : 'ok';
  const worst = isScarce && order.indexOf(before) > order.indexOf(step) ? before : step;
  return order.indexOf(worst) > order.indexOf(least) ? worst : least;
}

function pragma(core: LogCore, name: string): number {
  return Number(core.db.pragma(name, { simple: true }));
}
