/**
 * Answers for the log in its thread: one call after the other in the order in which they came. Only `trim` lets others in between
 * its batches. Started by `log-worker.ts`; who asks is `open-log-worker.ts`, which also says what time it is.
 */
import type { MessagePort } from 'node:worker_threads';
import type { StoredEvent } from '../../contract/event.ts';
import type { Lost } from './begin.ts';
import type { EpochHead, IngestLog } from './event-log.ts';
import { codeOf, messageOf } from './log-error.ts';
import { type LogOptions, openEventLog } from './open-event-log.ts';

export type LogMethod =
  | 'append'
  | 'read'
  | 'chainAt'
  | 'saveMark'
  | 'disown'
  | 'startEpoch'
  | 'tellMissing'
  | 'holdTrimming'
  | 'trim'
  | 'nextSession'
  | 'remembered'
  | 'close';

export type EventTime = Pick<StoredEvent, 'time' | 'clock' | 'boot' | 'monoMs'>;

export interface LogStart {
  readonly options: LogOptions;
  readonly when: EventTime;
}

export interface LogRequest {
  readonly id: number;
  readonly when: EventTime;
  readonly method: LogMethod;
  readonly args: readonly unknown[];
}

/** What the log tells at once, without being asked: it goes along with every answer. */
export interface LogState {
  readonly epochs: readonly EpochHead[];
  readonly incarnation: string | null;
  readonly unsyncedBoot: string | null;
  readonly failedSources: readonly string[];
  readonly bytes: number;
  readonly written: number | null;
}

export type LogAnswer =
  | { readonly type: 'opened'; readonly state: LogState }
  | { readonly type: 'damaged'; readonly aside: string; readonly reason: string }
  | { readonly type: 'lost'; readonly lost: Lost }
  | { readonly type: 'held'; readonly message: string }
  | { readonly type: 'blind'; readonly message: string }
  | { readonly type: 'done'; readonly id: number; readonly value: unknown; readonly state: LogState }
  /** The log could not be opened. An error without a code is a fault of ours. */
  | { readonly type: 'refused'; readonly code: string; readonly message: string }
  | { readonly type: 'failed'; readonly id: number; readonly code: string; readonly message: string };

/** Opens the log and answers until it is closed. Nothing but the port keeps the thread. */
export async function serveLog(port: MessagePort, start: LogStart): Promise<void> {
  const tell = (answer: LogAnswer) => port.postMessage(answer);
  let { when } = start;
  try {
    const log = await openEventLog(start.options, {
      when: () => when,
      onDamaged: (aside, reason) => tell({ type: 'damaged', aside, reason }),
      onLost: (lost) => tell({ type: 'lost', lost }),
      onHeld: (message) => tell({ type: 'held', message }),
      onBlind: (message) => tell({ type: 'blind', message }),
    });
    tell({ type: 'opened', state: stateOf(log) });
    let closed = false;
    let running = 0;
    port.on('message', async (request: LogRequest) => {
      when = request.when;
      running += 1;
      tell(await answer(log, request));
      running -= 1;
      closed ||= request.method === 'close';
      // A trim that was under way ends after the close.
      if (closed && running === 0) port.close();
    });
  } catch (error) {
    tell({ type: 'refused', ...failure(error) });
  }
}

async function answer(log: IngestLog, { id, method, args }: LogRequest): Promise<LogAnswer> {
  try {
    const call = log[method] as (...args: readonly unknown[]) => unknown;
    const value = await call(...args);
    return { type: 'done', id, value, state: stateOf(log) };
  } catch (error) {
    return { type: 'failed', id, ...failure(error) };
  }
}

function stateOf(log: IngestLog): LogState {
  const { incarnation, unsyncedBoot, failedSources } = log;
  return { epochs: log.epochs(), incarnation, unsyncedBoot, failedSources, bytes: log.bytes(), written: log.written() };
}

function failure(error: unknown): { readonly code: string; readonly message: string } {
  return { code: codeOf(error), message: messageOf(error) };
}
