/** The thread of the log, and the calls that are with it: each is answered, or rejected when the thread ends. */
import type { Worker } from 'node:worker_threads';
import type { NewEvent } from '../../contract/event.ts';
import { createGate } from '../../lib/wait.ts';
import type { Appended, IngestLog } from './event-log.ts';
import { logError, messageOf } from './log-error.ts';
import type { LogPorts } from './open-event-log.ts';
import type { LogAnswer, LogMethod, LogRequest, LogState } from './serve-log.ts';

/** Calls that are with the thread; further ones wait here, in order. */
export const MAX_CALLS = 64;

export interface Thread {
  readonly opened: Promise<LogState>;
  /** Told each state of the log, before the call that brought it resolves. */
  onState: (state: LogState) => void;
  onDeath: () => void;
  /** Told what was appended before the state is. */
  onAppended: (events: readonly NewEvent[], appended: Appended) => void;
  /** Why it ended, or null. */
  readonly dead: Error | null;
  call<M extends LogMethod>(method: M, ...args: Parameters<IngestLog[M]>): Promise<Awaited<ReturnType<IngestLog[M]>>>;
  /** Resolves when the thread is gone. */
  readonly gone: Promise<void>;
}

interface Call {
  /** What is to be appended, or null. */
  readonly events: readonly NewEvent[] | null;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export function createThread(
  worker: Worker,
  ports: Pick<LogPorts, 'when' | 'onDamaged' | 'onLost' | 'onHeld' | 'onBlind'>,
): Thread {
  const calls = new Map<number, Call>();
  const gate = createGate(MAX_CALLS);
  let lastId = 0;
  let dead: Error | null = null;
  const opening = Promise.withResolvers<LogState>();
  const die = (error: Error) => {
    if (dead !== null) return;
    dead = error;
    opening.reject(error);
    for (const call of calls.values()) call.reject(error);
    calls.clear();
    thread.onDeath();
  };
  const hear = (answer: LogAnswer) => {
    if (answer.type === 'damaged') return ports.onDamaged?.(answer.aside, answer.reason);
    if (answer.type === 'lost') return ports.onLost?.(answer.lost);
    if (answer.type === 'held') return ports.onHeld?.(answer.message);
    if (answer.type === 'blind') return ports.onBlind?.(answer.message);
    if (answer.type === 'opened') return opening.resolve(answer.state);
    if (answer.type === 'refused') return opening.reject(errorOf(answer));
    const call = calls.get(answer.id);
    calls.delete(answer.id);
    if (answer.type === 'failed') return call?.reject(errorOf(answer));
    if (call?.events) thread.onAppended(call.events, answer.value as Appended);
    thread.onState(answer.state);
    call?.resolve(answer.value);
  };
  worker.on('message', hear);
  worker.on('error', (error) => die(ended(messageOf(error), error)));
  const exit = Promise.withResolvers<void>();
  worker.on('exit', (code) => {
    die(ended(`exit code ${code}`));
    exit.resolve();
  });
  const thread: Thread = {
    opened: opening.promise,
    onState: () => undefined,
    onDeath: () => undefined,
    onAppended: () => undefined,
    get dead() {
      return dead;
    },
    call: (method, ...args) =>
      gate(
        () =>
          new Promise((resolve, reject) => {
            if (dead !== null) return reject(dead);
            const request: LogRequest = { id: ++lastId, when: ports.when(), method, args };
            worker.postMessage(request);
            const events = method === 'append' ? (args[0] as readonly NewEvent[]) : null;
            calls.set(request.id, { events, resolve: (value) => resolve(value as never), reject });
          }),
      ),
    gone: exit.promise,
  };
  return thread;
}

function ended(why: string, cause?: unknown): Error {
  return logError('LOG_THREAD', `the thread of the log has ended (${why}): start again`, cause);
}

function errorOf({ code, message }: LogAnswer & { type: 'refused' | 'failed' }): Error {
  return code === '' ? new Error(message) : logError(code, message);
}
