/**
 * Makes room, step by step, each only where the one before does not suffice: confirmed events that are older than the grace or
 * too many; beyond the disk budget what is worth least (`thin.ts`); then the oldest of all. What nobody has confirmed is told by
 * `history.lost` in the transaction that gives it up.
 */
import { setImmediate } from 'node:timers/promises';
import { type EventData, fullType, type NewEvent, newEvent } from '../../contract/event.ts';
import type { DiskState } from '../../contract/message.ts';
import { budgetNow, rowsIn, type TrimLimits, type TrimPorts, usedBytes } from './budget.ts';
import { appendRows, type EpochState, type LogCore, write } from './core.ts';
import { beginAt, chainOfEpoch } from './epoch-chain.ts';
import { parseKeptObject } from './kept-json.ts';
import { noted } from './log-file.ts';
import { thin } from './thin.ts';

export interface Trimmed {
  readonly deleted: number;
  readonly lost: number;
  /** The last step that was needed. */
  readonly step: DiskState;
}

type Lost = EventData['history.lost'];

const LOST = fullType('history.lost');
const GIVEN_UP = 'disk budget';

/** Rows in one transaction: a slow card flushes it well within a second. */
const BATCH_ROWS = 2_000;
/** Where the disk is full: SQLite needs some of it even to delete. */
export const SMALL_BATCH_ROWS = 200;
/** Batches in one call: the rest goes with the next. */
const MAX_BATCHES = 50;
/** Batches of the oldest events in one transaction. */
const OLDEST_BATCHES = 10;
const DAY_MS = 86_400_000;
/** Given up at once beyond the budget, as a share of it, so that losing is rare and told in few events. */
const SLACK = 0.01;

/** Resolves when nothing more is to be done, or after MAX_BATCHES. Others may append in between. Damage that it meets is noted. */
export async function trimLog(
  core: LogCore,
  now: number,
  limits: TrimLimits,
  ports: TrimPorts,
  batchRows = BATCH_ROWS,
): Promise<Trimmed> {
  try {
    return await stepByStep(core, now, limits, ports, batchRows);
  } catch (error) {
    // A write has noted it.
    throw core.failed === null ? noted(core.path, error) : error;
  }
}

async function stepByStep(
  core: LogCore,
  now: number,
  limits: TrimLimits,
  ports: TrimPorts,
  batchRows: number,
): Promise<Trimmed> {
  let deleted = 0;
  let lost = 0;
  let step: DiskState = 'ok';
  let giving = false;
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    const budget = budgetNow(core, limits.budgetBytes, ports.freeBytes);
    const confirmed = trimConfirmed(core, now, Math.min(limits.keepBytes, budget), limits.keepDays, batchRows, ports);
    deleted += confirmed;
    if (confirmed === 0) {
      const goal = budget * (1 - SLACK);
      const isEnough = () => usedBytes(core) <= goal;
      if (giving ? isEnough() : usedBytes(core) <= budget) break;
      giving = true;
      const most = () => Math.min(batchRows, rowsIn(core, usedBytes(core) - goal));
      const thinned = thin(core, isEnough, most, batchRows, ports);
      const given = thinned.done ? giveUp(core, isEnough, most, ports) : thinned.lost;
      if (thinned.done && given === 0) break;
      if (given > 0 && step !== 'losing') step = thinned.done ? 'losing' : 'thinning';
      lost += given;
    }
    await setImmediate();
    // Closed in between: the rest goes after the next start.
    if (!core.db.open) break;
  }
  return { deleted, lost, step };
}

/** Deletes one batch of confirmed events, the oldest that may go. Returns how many. */
function trimConfirmed(
  core: LogCore,
  now: number,
  keepBytes: number,
  keepDays: number,
  rows: number,
  ports: TrimPorts,
): number {
  const tooMuch = usedBytes(core) > keepBytes;
  for (const epoch of core.epochs) {
    const confirmed = Math.min(epoch.storedSeq, epoch.lastSeq, epoch.firstSeq + rows - 1);
    if (confirmed < epoch.firstSeq) continue;
    const through = tooMuch ? confirmed : lastOlder(core, epoch, confirmed, now - keepDays * DAY_MS);
    // The oldest confirmed events are still young: so are all others.
    if (through < epoch.firstSeq) return 0;
    return write(core, () => {
      const { removed, told } = removeThrough(core, epoch, through);
      // Central, restored from a backup, would wait for ever at a hole of an older epoch that nothing tells any more.
      const needed = told.filter((lost) => core.epochs.some((other) => other !== epoch && speaksOf(lost, other)));
      const events = needed.map((lost) => newEvent('history.lost', null, lost, ports.when()));
      if (events.length > 0) appendRows(core, events);
      return removed;
    });
  }
  return 0;
}

function speaksOf(lost: Lost, { epoch, firstSeq, lastSeq }: EpochState): boolean {
  return lost.epoch === epoch && firstSeq <= Math.min(lastSeq, lost.toSeq);
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

/** Deletes the events of an epoch up to `seq` and keeps the chain there; tells what its `history.lost` events told. Within `write`. */
function removeThrough(core: LogCore, epoch: EpochState, seq: number): { removed: number; told: readonly Lost[] } {
  const hash = chainOfEpoch(core.rows, core.chains, epoch, seq);
  const [from, pos, end] = [epoch.base + epoch.firstSeq, epoch.base + seq, epoch.base + epoch.lastSeq];
  const told = toldBetween(core, epoch, from, pos);
  core.memory.save(true);
  core.tells.remove(from, pos);
  const removed = core.rows.remove(from, pos);
  if (hash !== null) core.chains.save(pos, hash);
  beginAt(core, epoch, core.rows.first(pos, end) ?? end + 1);
  return { removed, told };
}

function toldBetween(core: LogCore, epoch: EpochState, from: number, to: number): Lost[] {
  const told: Lost[] = [];
  for (const pos of core.tells.all) {
    if (pos < from || pos > to) continue;
    for (const event of core.rows.iterate(epoch, pos, pos)) told.push(lostIn(event.data));
  }
  return told;
}

function lostIn(data: string): Lost {
  return parseKeptObject(data, 'history.lost') as unknown as Lost;
}

/** Gives up the oldest events until it is enough, at most OLDEST_BATCHES, and says so. Returns how many: none where that wins nothing. */
function giveUp(core: LogCore, isEnough: () => boolean, most: () => number, ports: TrimPorts): number {
  if (isToldOnly(core)) return 0;
  return write(core, () => {
    const lost: Lost[] = [];
    let count = 0;
    for (let batch = 0; batch < OLDEST_BATCHES && !isEnough(); batch += 1) {
      const epoch = core.epochs.find((e) => e.firstSeq <= e.lastSeq);
      if (epoch === undefined) break;
      const fromSeq = epoch.firstSeq;
      const toSeq = Math.min(epoch.lastSeq, fromSeq + most() - 1);
      // What tells of earlier losses goes as well: it must be said again.
      const { removed, told } = removeThrough(core, epoch, toSeq);
      count += removed;
      lost.push(...told, { epoch: epoch.epoch, fromSeq, toSeq, count: removed, reason: GIVEN_UP });
    }
    const events: NewEvent[] = merge(lost).map((data) => newEvent('history.lost', null, data, ports.when()));
    if (events.length > 0) appendRows(core, events);
    return count;
  });
}

/** Nothing is held but what tells of losses, in as few events as it would take again: no budget gets less. */
function isToldOnly(core: LogCore): boolean {
  const told: Lost[] = [];
  const again: Lost[] = [];
  for (const epoch of core.epochs) {
    const { epoch: name, base, firstSeq, lastSeq } = epoch;
    for (const { type, data, seq } of core.rows.iterate(epoch, base + firstSeq, base + lastSeq)) {
      if (type !== LOST) return false;
      told.push(lostIn(data));
      again.push({ epoch: name, fromSeq: seq, toSeq: seq, count: 1, reason: GIVEN_UP });
    }
  }
  return merge([...told, ...again]).length >= told.length;
}

/** One event for each epoch and reason: below the oldest event that is held everything is gone, so one range says it all. */
function merge(lost: readonly Lost[]): Lost[] {
  const merged = new Map<string, Lost>();
  for (const { epoch, fromSeq, toSeq, count, reason } of lost) {
    const key = `${epoch} ${reason}`;
    const before = merged.get(key) ?? { fromSeq, toSeq, count: 0 };
    merged.set(key, {
      epoch,
      fromSeq: Math.min(before.fromSeq, fromSeq),
      toSeq: Math.max(before.toSeq, toSeq),
      count: before.count + count,
      reason,
    });
  }
  return [...merged.values()];
}
