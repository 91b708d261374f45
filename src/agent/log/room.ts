/** Writes to the log of a disk that may be full or a file that may be locked, and says how the disk stands. */
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { DiskState } from '../../contract/message.ts';
import { makeBallast, releaseBallast } from './ballast.ts';
import { budgetNow, stateAfter, type TrimLimits, type TrimPorts, usedBytes } from './budget.ts';
import { type LogCore, write } from './core.ts';
import type { DiskHealth } from './event-log.ts';
import { codeOf, explainDisk, isPassing, type LogError, messageOf } from './log-error.ts';
import { sizeOf, WAL_BYTES } from './log-file.ts';
import { SMALL_BATCH_ROWS, type Trimmed, trimLog } from './trim.ts';

/** A lock that is held longer ends the agent. Each try waits by itself as well, see `log-file.ts`. */
const LOCKED_TRIES = 12;
const LOCKED_PAUSE_MS = 250;
/** On a full disk so much is freed within the file, as a share of it and within bounds. */
const FREED_SHARE = 1 / 8;
const MIN_FREED_BYTES = 64 * 1024;
const MAX_FREED_BYTES = 1024 * 1024;
/** The ballast is made while so much is free. */
const BALLAST_FREE_BYTES = 4 * 1024 * 1024;

export interface RoomPorts extends TrimPorts {
  /** Told, with what to do, at the first try that another program keeps from the file; again once a write has gone through. */
  readonly onHeld?: (message: string) => void;
}

export interface Room {
  /**
   * As `write`. Where the disk is full the ballast is given up, then events by the ladder, and `work` is run once more; where
   * the file is locked it is waited for. What fails even so closes the log to writers.
   */
  write<T>(work: () => T): Promise<T>;
  trim(now: number): Promise<Trimmed & { readonly disk: DiskHealth }>;
}

/** `limits` may change while histories differ. */
export function createRoom(core: LogCore, limits: () => TrimLimits, ports: RoomPorts): Room {
  let state: DiskState = 'ok';
  let isHeld = false;
  const held = (error: unknown) => {
    if (!isHeld) ports.onHeld?.(messageOf(error));
    isHeld = true;
  };
  return {
    async write(work) {
      const whenFull = [() => releaseBallast(core.path), () => freeSome(core, limits(), ports)];
      const whenLocked = Array.from({ length: LOCKED_TRIES - 1 }, () => () => pause(LOCKED_PAUSE_MS));
      for (;;) {
        try {
          const result = write(core, work);
          isHeld = false;
          return result;
        } catch (error) {
          if (!isPassing(error)) throw error;
          if (!isFull(error)) held(error);
          const remedy = (isFull(error) ? whenFull : whenLocked).shift();
          if (remedy === undefined) throw fail(core, error);
          await remedy();
          if (isFull(error)) rewind(core);
        }
      }
    },
    async trim(now) {
      const wanted = limits();
      const trimmed = await trimCarefully(core, now, wanted, ports, held);
      if (!core.db.open) return { ...trimmed, disk: { state, walBytes: 0, walHeld: false } };
      state = stateAfter(core, trimmed.step, state, budgetNow(core, wanted.budgetBytes, ports.freeBytes));
      const free = ports.freeBytes(dirname(core.path));
      if (state === 'ok' && free >= BALLAST_FREE_BYTES) makeBallast(core.path, free);
      const walBytes = sizeOf(`${core.path}-wal`);
      return { ...trimmed, disk: { state, walBytes, walHeld: walBytes > 2 * WAL_BYTES } };
    },
  };
}

/** Frees pages within the file, in small transactions, as far as the disk lets us. */
async function freeSome(core: LogCore, limits: TrimLimits, ports: TrimPorts): Promise<void> {
  const used = usedBytes(core);
  const freed = Math.min(MAX_FREED_BYTES, Math.max(MIN_FREED_BYTES, used * FREED_SHARE));
  const budgetBytes = Math.min(limits.budgetBytes, used - freed);
  if (budgetBytes < MIN_FREED_BYTES) return;
  const { time } = ports.when();
  try {
    await trimLog(core, Date.parse(time), { ...limits, budgetBytes }, ports, SMALL_BATCH_ROWS);
  } catch (error) {
    // As far as it went: whether that is enough the next write tells.
    if (!isPassing(error)) throw error;
  }
}

/** The write-ahead log begins anew, in the room that it has. A reader that is not done keeps it from that. */
function rewind(core: LogCore): void {
  try {
    core.db.pragma('wal_checkpoint(PASSIVE)');
  } catch (error) {
    if (!isPassing(error)) throw fail(core, explainDisk(core.path, error));
  }
}

/** A disk that fills up while it is trimmed, or a lock: the next one goes on. */
async function trimCarefully(
  core: LogCore,
  now: number,
  limits: TrimLimits,
  ports: TrimPorts,
  held: (error: unknown) => void,
): Promise<Trimmed> {
  try {
    return await trimLog(core, now, limits, ports);
  } catch (error) {
    if (!isPassing(error)) throw error;
    if (!isFull(error)) {
      held(error);
      return { deleted: 0, lost: 0, step: 'ok' };
    }
    releaseBallast(core.path);
    rewind(core);
    await freeSome(core, limits, ports);
    return { deleted: 0, lost: 0, step: 'warn' };
  }
}

function isFull(error: unknown): boolean {
  return codeOf(error) === 'SQLITE_FULL';
}

function fail(core: LogCore, error: unknown): unknown {
  core.failed = error as LogError;
  return error;
}
