/**
 * The program under fault: the agent's real log, with a workload. Its argument is a `ChildPlan` in JSON. On stdout, one line
 * each, in order: `m SEQ` before a mark is told to the log, `a SEQ` once an append has resolved, `c` after each close,
 * `x CODE` for an error, `v SEQ` for an acknowledgement after an error (there must be none). Ends with 0, or 74 after an error.
 */
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { IngestLog } from '../../src/agent/log/event-log.ts';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { AGENT, epochOf, eventAt } from './workload.ts';

export interface ChildPlan {
  readonly path: string;
  readonly seed: number;
  /** Appends until the end; null: until it is killed. */
  readonly groups: number | null;
  /** Closes and opens the log again after so many appends; null: never. */
  readonly reopenEvery: number | null;
  /** Confirms and trims now and then, so that the log stays below so many bytes; null: never. */
  readonly keepBytes: number | null;
  /** Events of an append: 1 to this. */
  readonly groupEvents?: number;
  readonly budgetBytes?: number;
  /** Trims after so many appends, with nothing confirmed. */
  readonly trimEvery?: number;
  /** Waits between appends. */
  readonly pauseMs?: number;
}

/** Every so many appends. */
const MARK_EVERY = 7;
const SESSION_EVERY = 11;
const TRIM_EVERY = 16;
/** Events that stay unconfirmed. */
const BEHIND = 25;
const EXIT_IO = 74;

const plan = JSON.parse(process.argv[2] ?? '') as ChildPlan;
const when = () => ({ time: '2026-11-23T06:00:00.000Z', clock: 'synced', boot: null, monoMs: null }) as const;

function say(line: string): void {
  let rest = Buffer.from(`${line}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      // The reader is slower than we are.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

function open(): Promise<IngestLog> {
  const { path, budgetBytes = 1e9 } = plan;
  const keepBytes = plan.keepBytes ?? 1e9;
  const options = { path, agent: AGENT, keepDays: 36_500, keepBytes, budgetBytes };
  return openEventLog(options, { when, newEpochId: () => epochOf(plan.seed) });
}

function lastSeqOf(log: IngestLog): number {
  return log.epochs().at(-1)?.lastSeq ?? 0;
}

function nextGroup(log: IngestLog) {
  const from = lastSeqOf(log) + 1;
  const count = 1 + ((from * 7) % (plan.groupEvents ?? 5));
  return Array.from({ length: count }, (_, i) => eventAt(plan.seed, from + i));
}

async function housekeeping(log: IngestLog, group: number): Promise<void> {
  if (group % SESSION_EVERY === 0) await log.nextSession();
  if (plan.trimEvery !== undefined && group % plan.trimEvery === 0) await log.trim(Date.parse(when().time));
  if (plan.keepBytes === null) return;
  const seq = lastSeqOf(log) - BEHIND;
  if (group % MARK_EVERY === 0 && seq > 0) {
    say(`m ${seq}`);
    log.saveMark(epochOf(plan.seed), seq, 'incarnation');
  }
  if (group % TRIM_EVERY === 0) await log.trim(Date.parse(when().time));
}

async function work(hold: (log: IngestLog) => void): Promise<void> {
  let log = await open();
  hold(log);
  for (let group = 1; plan.groups === null || group <= plan.groups; group += 1) {
    if (plan.reopenEvery !== null && group % plan.reopenEvery === 0) {
      await log.close();
      say('c');
      log = await open();
      hold(log);
    }
    const { lastSeq } = await log.append(nextGroup(log));
    say(`a ${lastSeq}`);
    await housekeeping(log, group);
    if (plan.pauseMs !== undefined) await pause(plan.pauseMs);
  }
  await log.close();
  say('c');
}

let held: IngestLog | null = null;
try {
  await work((log) => {
    held = log;
  });
} catch (error) {
  process.exitCode = EXIT_IO;
  const code = error instanceof Error && 'code' in error ? String(error.code) : `none: ${String(error)}`;
  say(`x ${code}`);
  await afterError(held);
}

/** A log that has failed must take nothing more; closing it must not hang. */
async function afterError(log: IngestLog | null): Promise<void> {
  if (log === null) return;
  await log.append(nextGroup(log)).then(
    ({ lastSeq }) => say(`v ${lastSeq}`),
    () => undefined,
  );
  await log.close().catch(() => undefined);
}
