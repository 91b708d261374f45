/** Opens the agent's log: one writer, one SQLite file. What it promises is in `event-log.ts`. */
import { existsSync } from 'node:fs';
import { v7 } from 'uuid';
import type { NewEvent } from '../../contract/event.ts';
import { createWaiters } from '../../lib/wait.ts';
import { hasSalvage } from './aside.ts';
import { assertRoomToStart } from './ballast.ts';
import { beginEpoch } from './begin.ts';
import { freeBytesOf, type TrimLimits, type TrimPorts } from './budget.ts';
import * as core from './core.ts';
import { chainOfEpoch } from './epoch-chain.ts';
import type { Appended, EpochHead, IngestLog, LogReader } from './event-log.ts';
import { openHeadWitness } from './head-witness.ts';
import { explainDisk, isDamage, isPassing } from './log-error.ts';
import { fileBytes, lockLog, noted, prepareFile, reading } from './log-file.ts';
import { markTimer } from './mark-timer.ts';
import { type OpenPorts, openCore } from './open-core.ts';
import { provePadding } from './prove-safe.ts';
import { createProvenReader } from './read-proven.ts';
import { createRoom, type Room, type RoomPorts } from './room.ts';
import { assertStorable } from './rows.ts';
import { tellMissing } from './tell-missing.ts';
import { writtenBytes } from './written.ts';

/** While histories differ nothing goes for its age. The disk stays bounded all the same: an agent that cannot write is worth less. */
const HELD = { keepDays: Number.POSITIVE_INFINITY, keepBytes: Number.POSITIVE_INFINITY };

export interface LogOptions extends TrimLimits {
  readonly path: string;
  readonly agent: string;
  /** A mark is on the card after so long at the latest. */
  readonly markFlushMs?: number;
}

export interface LogPorts extends Omit<OpenPorts, 'newEpochId'>, Pick<RoomPorts, 'when' | 'onHeld'> {
  readonly freeBytes?: TrimPorts['freeBytes'];
  readonly written?: IngestLog['written'];
  readonly newEpochId?: () => string;
  /** Told at the start where the witness cannot be read: a loss that it alone knows of is told by nobody. */
  readonly onBlind?: (message: string) => void;
}

type Ports = LogPorts & RoomPorts;

/** The next append takes them along. Where none comes it is the last few events that a start after a power cut sends again. */
const MARK_FLUSH_MS = 300_000;

/**
 * Resolves when the file is open, proved safe and locked. Rejects with LOG_IN_USE, LOG_OTHER_AGENT, LOG_FOREIGN, LOG_NEWER,
 * LOG_UNSAFE or the disk's code. A damaged file is moved aside, and another one takes its place with what could be proved of it;
 * `history.lost` tells the rest, and what the witness has seen and the file does not hold.
 */
export async function openEventLog(options: LogOptions, ports: LogPorts): Promise<IngestLog> {
  const wasThere = existsSync(options.path);
  const closers = [takeLock(options.path)];
  const closeAll = () => {
    for (const one of closers.reverse()) one.close();
  };
  try {
    const freeBytes = ports.freeBytes ?? freeBytesOf;
    assertRoomToStart(options.path, freeBytes);
    const witness = openHeadWitness(options.path);
    closers.push(witness);
    if (witness.unreadable !== null) ports.onBlind?.(witness.unreadable.message);
    // A salvage that was interrupted has something in it, though the file may be gone.
    const isNew = !wasThere && !hasSalvage(options.path);
    const state = await openCore({ ...options, isNew }, witness.found, {
      ...ports,
      newEpochId: () => newEpochId(ports),
    });
    closers.push(state.db);
    state.witness = witness;
    proveStart(state);
    return eventLog(state, options, { ...ports, freeBytes }, closeAll);
  } catch (error) {
    closeAll();
    throw error;
  }
}

function takeLock(path: string): { close(): void } {
  prepareFile(path);
  return lockLog(path);
}

/** The one commit that each start makes. It also flushes what a predecessor that was killed had written and not flushed. */
export function proveStart(state: core.LogCore): void {
  try {
    if (provePadding(state.db, state.path)) core.noteHead(state);
  } catch (error) {
    throw isDamage(error) ? noted(state.path, error) : explainDisk(state.path, error);
  }
}

function newEpochId(ports: LogPorts): string {
  return (ports.newEpochId ?? (() => v7()))();
}

function eventLog(state: core.LogCore, options: LogOptions, ports: Ports, closeAll: () => void): IngestLog {
  const waiters = createWaiters();
  const marks = markTimer(state, options.markFlushMs ?? MARK_FLUSH_MS);
  let held = false;
  const limits = () => (held ? { ...options, ...HELD } : options);
  const room = createRoom(state, limits, ports);
  const find = (epoch: string) => state.epochs.find((e) => e.epoch === epoch);
  return {
    agent: state.agent,
    get incarnation() {
      return state.incarnation;
    },
    get unsyncedBoot() {
      return state.memory.unsyncedBoot;
    },
    get failedSources() {
      return state.memory.failedSources;
    },
    ...readerOf(state, find),
    async append(events) {
      const { epoch, lastSeq } = core.currentEpoch(state);
      if (events.length === 0) return { epoch, firstSeq: lastSeq + 1, lastSeq };
      assertStorable(events);
      const appended = await room.write(() => appendNow(state, events));
      waiters.wake();
      return appended;
    },
    appended: (signal) => waiters.wait(signal),
    saveMark(epoch, seq, incarnation) {
      const span = find(epoch);
      if (span === undefined) return;
      span.storedSeq = Math.max(0, Math.min(seq, span.lastSeq));
      state.incarnation = incarnation;
      state.marksDirty = true;
      if (state.failed === null) core.noteHead(state);
      marks.start();
    },
    ...answererOf(state, room, ports, find, waiters.wake),
    holdTrimming() {
      held = true;
    },
    trim: (now) => room.trim(now),
    async nextSession() {
      return room.write(() => {
        const kept = Number(core.readFact(state.db, 'session'));
        // Where that cannot be read, as at the start of a new file: above what the broker remembers.
        const session = (Number.isSafeInteger(kept) ? kept : Math.floor(Date.parse(ports.when().time) / 1_000)) + 1;
        core.saveFact(state.db, 'session', String(session));
        return session;
      });
    },
    bytes: () => fileBytes(state.path),
    written: ports.written ?? (() => writtenBytes()),
    remembered: async () => state.memory.all(),
    async close() {
      marks.stop();
      waiters.wake();
      try {
        if (state.failed === null && state.db.open) core.write(state, () => finish(state));
      } catch (error) {
        // Marks and memory save work at the next start, no more: a full disk need not make a clean stop look like a failure.
        if (!isPassing(error)) throw error;
      } finally {
        closeAll();
      }
    },
  };
}

/** Within `write`. Of which epoch is asked here: another one may have begun while this waited for room. */
function appendNow(state: core.LogCore, events: readonly NewEvent[]): Appended {
  const { epoch } = core.currentEpoch(state);
  const { firstSeq, chains } = core.appendRows(state, events);
  return { epoch, firstSeq, lastSeq: firstSeq + events.length - 1, chains };
}

/** What the log makes of central's word. */
function answererOf(
  state: core.LogCore,
  room: Room,
  ports: LogPorts,
  find: (epoch: string) => core.EpochState | undefined,
  wake: () => void,
): Pick<IngestLog, 'disown' | 'startEpoch' | 'tellMissing'> {
  return {
    disown(epoch) {
      const span = find(epoch);
      if (span !== undefined) span.disowned = true;
    },
    async startEpoch(reason, conflict) {
      const begin = { when: ports.when, newEpochId: () => newEpochId(ports) };
      const epoch = await room.write(() => beginEpoch(state, reason, conflict, begin));
      wake();
      return epoch;
    },
    async tellMissing(epoch, asked) {
      const span = find(epoch);
      if (span === undefined) return 0;
      const lost = await room.write(() => tellMissing(state, span, asked, ports.when));
      if (lost.length > 0) wake();
      return lost.reduce((sum, { count }) => sum + count, 0);
    },
  };
}

function readerOf(state: core.LogCore, find: (epoch: string) => core.EpochState | undefined): LogReader {
  const readProven = createProvenReader(state);
  return {
    epochs: () => state.epochs.map((epoch) => head(epoch, state.tells.all)),
    async read(epoch, from, to, limit, maxBytes) {
      const span = find(epoch);
      if (span === undefined) return [];
      return reading(state.path, () => readProven(span, { from, to, limit, maxBytes }));
    },
    async chainAt(epoch, seq) {
      const span = find(epoch);
      if (span === undefined) return null;
      return reading(state.path, () => chainOfEpoch(state.rows, state.chains, span, seq));
    },
  };
}

function finish(state: core.LogCore): void {
  core.flushMarks(state);
  state.memory.save(true);
}

function head({ epoch, base, firstSeq, lastSeq, storedSeq }: core.EpochState, told: readonly number[]): EpochHead {
  const tells = told.filter((pos) => base < pos && pos <= base + lastSeq).map((pos) => pos - base);
  return { epoch, firstSeq, lastSeq, storedSeq, ...(tells.length === 0 ? {} : { tells }) };
}
