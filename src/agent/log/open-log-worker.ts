/**
 * The log in a thread of its own, so that a flush that takes half a second stops neither the reading of the port nor the
 * keepalive. The same promises as `open-event-log.ts`, which does the work there; what is told at once is kept here as well.
 */
import type { Worker } from 'node:worker_threads';
import { createWaiters } from '../../lib/wait.ts';
import type { IngestLog } from './event-log.ts';
import { createThread, type Thread } from './log-thread.ts';
import type { LogOptions, LogPorts } from './open-event-log.ts';
import { createRecent } from './recent.ts';
import type { LogStart, LogState } from './serve-log.ts';
import { startLogThread } from './start-log-thread.ts';

export interface ThreadPorts extends Pick<LogPorts, 'when' | 'onDamaged' | 'onLost' | 'onHeld' | 'onBlind'> {
  /** Gives the thread that opens it; one that is started then by default. */
  readonly thread?: () => Worker;
}

/**
 * As `openEventLog`. A thread that ends by itself makes every call that waits or comes later reject with LOG_THREAD: whether
 * they have happened is not known, the next start finds out. So does the opening when `signal` aborts it: to read a damaged log
 * takes longer than a stop may.
 */
export async function openLogWorker(options: LogOptions, ports: ThreadPorts, signal?: AbortSignal): Promise<IngestLog> {
  const start: LogStart = { options, when: ports.when() };
  const worker = (ports.thread ?? startLogThread)();
  const thread = createThread(worker, ports);
  worker.postMessage(start);
  const end = () => void worker.terminate();
  if (signal?.aborted === true) end();
  signal?.addEventListener('abort', end, { once: true });
  try {
    return proxy(options.agent, thread, createMirror(await thread.opened, thread));
  } catch (error) {
    await thread.gone;
    throw error;
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

interface Mirror {
  readonly state: LogState;
  readonly grown: ReturnType<typeof createWaiters>;
  saveMark(epoch: string, seq: number, incarnation: string): void;
}

/**
 * What the log tells at once. Marks are made here and run ahead of the thread: until it has taken the newest one, its answers
 * know less. One message with marks is on the way at a time, however many come meanwhile.
 */
function createMirror(first: LogState, thread: Thread): Mirror {
  const grown = createWaiters();
  const marks = new Map<string, number>();
  let state = first;
  /** Of the newest mark. */
  let told = '';
  let sending = false;
  const send = async () => {
    if (sending) return;
    sending = true;
    try {
      while (marks.size > 0) {
        const sent = [...marks];
        await Promise.all(sent.map(([epoch, seq]) => thread.call('saveMark', epoch, seq, told)));
        for (const [epoch, seq] of sent) if (marks.get(epoch) === seq) marks.delete(epoch);
      }
    } finally {
      sending = false;
    }
  };
  thread.onState = (next) => {
    const before = state.epochs;
    const epochs = next.epochs.map((head) => ({ ...head, storedSeq: marks.get(head.epoch) ?? head.storedSeq }));
    state = { ...next, epochs, incarnation: marks.size > 0 ? state.incarnation : next.incarnation };
    if (epochs.length !== before.length || epochs.at(-1)?.lastSeq !== before.at(-1)?.lastSeq) grown.wake();
  };
  thread.onDeath = grown.wake;
  return {
    get state() {
      return state;
    },
    grown,
    saveMark(epoch, seq, incarnation) {
      const head = state.epochs.find((one) => one.epoch === epoch);
      if (head === undefined) return;
      const storedSeq = Math.max(0, Math.min(seq, head.lastSeq));
      marks.set(epoch, storedSeq);
      told = incarnation;
      state = {
        ...state,
        incarnation,
        epochs: state.epochs.map((one) => (one === head ? { ...one, storedSeq } : one)),
      };
      // No guarantee hangs on a mark. Why the thread ended is told to whoever appends, reads or waits.
      send().catch(() => undefined);
    },
  };
}

function proxy(agent: string, thread: Thread, mirror: Mirror): IngestLog {
  const recent = createRecent();
  thread.onAppended = (events, { epoch, firstSeq, chains }) => {
    if (chains !== undefined) recent.note({ epoch, firstSeq, events, chains });
  };
  return {
    agent,
    get incarnation() {
      return mirror.state.incarnation;
    },
    get unsyncedBoot() {
      return mirror.state.unsyncedBoot;
    },
    get failedSources() {
      return mirror.state.failedSources;
    },
    epochs: () => mirror.state.epochs,
    bytes: () => mirror.state.bytes,
    written: () => mirror.state.written,
    async read(epoch, from, to, limit, maxBytes) {
      const head = mirror.state.epochs.find((one) => one.epoch === epoch);
      const isHere = thread.dead === null && head !== undefined && from >= head.firstSeq;
      const held = isHere ? recent.read(epoch, { from, to: Math.min(to, head.lastSeq), limit, maxBytes }) : null;
      return held ?? thread.call('read', epoch, from, to, limit, maxBytes);
    },
    async chainAt(epoch, seq) {
      const held = thread.dead === null ? recent.chainAt(epoch, seq) : null;
      const hash = held ?? (await thread.call('chainAt', epoch, seq));
      return hash === null ? null : Buffer.from(hash);
    },
    append: (events) => thread.call('append', events),
    async appended(signal) {
      if (thread.dead === null) await mirror.grown.wait(signal);
      if (thread.dead !== null && !signal.aborted) throw thread.dead;
    },
    saveMark: mirror.saveMark,
    disown(epoch) {
      // As with marks, which come behind it.
      thread.call('disown', epoch).catch(() => undefined);
    },
    startEpoch: (...args) => thread.call('startEpoch', ...args),
    tellMissing: (...args) => thread.call('tellMissing', ...args),
    holdTrimming() {
      // A thread that has ended trims nothing.
      thread.call('holdTrimming').catch(() => undefined);
    },
    async trim(now) {
      const trimmed = await thread.call('trim', now);
      if (trimmed.lost > 0) recent.clear();
      return trimmed;
    },
    nextSession: () => thread.call('nextSession'),
    remembered: () => thread.call('remembered'),
    async close() {
      try {
        await thread.call('close');
      } finally {
        await thread.gone;
      }
    },
  };
}
