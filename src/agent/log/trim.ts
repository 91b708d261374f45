/**
 * Makes room. Confirmed events go when they are older than the grace or when there are too many bytes; beyond the disk budget
 * the oldest unconfirmed ones are given up, and `history.lost` says so in the same transaction.
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type EventData, type NewEvent, newEvent, type StoredEvent, shortType } from '../../contract/event.ts';
import { appendRows, chainOfEpoch, type EpochState, type LogCore, write } from './core.ts';

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

type Lost = EventData['history.lost'];

/** Rows in one transaction: a slow card flushes it well within a second. */
const BATCH_ROWS = 2_000;
/** Batches in one call: the rest goes with the next. */
const MAX_BATCHES = 50;
const DAY_MS = 86_400_000;
/** The log stops growing before the disk is full: SQLite cannot even delete on a full disk. */
const RESERVE_BYTES = 8 * 1024 * 1024;
/** Given up at once beyond the budget, as a share of it, so that losing is rare and told in few events. */
const SLACK = 0.01;

/** Resolves when nothing more is to be done, or after MAX_BATCHES. Others may append in between. */
export async function trimLog(
  core: LogCore,
  now: number,
  limits: TrimLimits,
  ports: TrimPorts,
): Promise<{ readonly deleted: number; readonly lost: number }> {
  let deleted = 0;
  let lost = 0;
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    const budget = budgetNow(core, limits, ports);
    const step = trimConfirmed(core, now, Math.min(limits.keepBytes, budget), limits.keepDays);
    deleted += step;
    if (step === 0) {
      if (usedBytes(core) <= budget) break;
      const given = giveUp(core, budget * (1 - SLACK), ports);
      if (given === 0) break;
      lost += given;
    }
    await setImmediate();
    // Closed in between: the rest goes after the next start.
    if (!core.db.open) break;
  }
  return { deleted, lost };
}

export function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Bytes of the pages that hold something. The file itself does not shrink: freed pages are used again. */
export function usedBytes(core: LogCore): number {
  return (pragma(core, 'page_count') - pragma(core, 'freelist_count')) * pragma(core, 'page_size');
}

function budgetNow(core: LogCore, limits: TrimLimits, ports: TrimPorts): number {
  const room = pragma(core, 'freelist_count') * pragma(core, 'page_size') + ports.freeBytes(dirname(core.path));
  return Math.min(limits.budgetBytes, usedBytes(core) + room - RESERVE_BYTES);
}

/** Deletes one batch of confirmed events, the oldest that may go. Returns how many. */
function trimConfirmed(core: LogCore, now: number, keepBytes: number, keepDays: number): number {
  const tooMuch = usedBytes(core) > keepBytes;
  for (const epoch of core.epochs) {
    const confirmed = Math.min(epoch.storedSeq, epoch.lastSeq, epoch.firstSeq + BATCH_ROWS - 1);
    if (confirmed < epoch.firstSeq) continue;
    const through = tooMuch ? confirmed : lastOlder(core, epoch, confirmed, now - keepDays * DAY_MS);
    // The oldest confirmed events are still young: so are all others.
    if (through < epoch.firstSeq) return 0;
    return write(core, () => removeThrough(core, epoch, through));
  }
  return 0;
}

/**
 * The last seq of the old events at the start of an epoch, or firstSeq - 1. Times of an unsynced clock say nothing: such an
 * event is as old as the next synced one.
 */
function lastOlder(core: LogCore, epoch: EpochState, to: number, before: number): number {
  let through = epoch.firstSeq - 1;
  for (const event of core.rows.iterate(epoch, epoch.base + epoch.firstSeq, epoch.base + to)) {
    if (event.clock === 'unsynced') continue;
    if (Date.parse(event.time) >= before) break;
    through = event.seq;
  }
  return through;
}

/** Deletes the events of an epoch up to `seq` and keeps the chain there. Within `write`. */
function removeThrough(core: LogCore, epoch: EpochState, seq: number): number {
  const hash = chainOfEpoch(core.rows, core.chains, epoch, seq);
  const pos = epoch.base + seq;
  core.memory.save(true);
  const removed = core.rows.remove(epoch.base + epoch.firstSeq, pos);
  if (hash !== null) core.chains.save(pos, hash);
  core.chains.remove(epoch.base + 1, pos - 1);
  epoch.firstSeq = seq + 1;
  return removed;
}

/** Gives up the oldest events until the log is below `target`, at most ten batches, and says so. Returns how many. */
function giveUp(core: LogCore, target: number, ports: TrimPorts): number {
  return write(core, () => {
    const lost: Lost[] = [];
    let count = 0;
    for (let batch = 0; batch < 10 && usedBytes(core) > target; batch += 1) {
      const epoch = core.epochs.find((e) => e.firstSeq <= e.lastSeq);
      if (epoch === undefined) break;
      const from = epoch.firstSeq;
      const to = Math.min(epoch.lastSeq, from + BATCH_ROWS - 1);
      const earlier = toldBefore(core, epoch, to);
      const removed = removeThrough(core, epoch, to);
      count += removed;
      lost.push(...earlier, {
        epoch: epoch.epoch,
        fromSeq: from,
        toSeq: to,
        count: removed,
        reason: 'disk budget',
      });
    }
    const events: NewEvent[] = merge(lost).map((data) => newEvent('history.lost', null, data, ports.when()));
    if (events.length > 0) appendRows(core, events);
    return count;
  });
}

/** What earlier `history.lost` events said that are about to go themselves: it must be said again. */
function toldBefore(core: LogCore, epoch: EpochState, to: number): Lost[] {
  const told: Lost[] = [];
  for (const event of core.rows.iterate(epoch, epoch.base + epoch.firstSeq, epoch.base + to)) {
    if (shortType(event.type) === 'history.lost') told.push(JSON.parse(event.data) as Lost);
  }
  return told;
}

/** One event for each epoch and reason. */
function merge(lost: readonly Lost[]): Lost[] {
  const merged = new Map<string, Lost>();
  for (const one of lost) {
    const key = `${one.epoch} ${one.reason}`;
    const before = merged.get(key) ?? { ...one, count: 0 };
    merged.set(key, {
      ...one,
      fromSeq: Math.min(before.fromSeq, one.fromSeq),
      toSeq: Math.max(before.toSeq, one.toSeq),
      count: before.count + one.count,
    });
  }
  return [...merged.values()];
}

function pragma(core: LogCore, name: string): number {
  return Number(core.db.pragma(name, { simple: true }));
}
