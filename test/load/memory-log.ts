/**
 * The agent's log behind the same port, in memory: a fleet in one process has no thousands of files and threads. Numbers and chain are
 * those of the real one. It is not durable, and whatever it could not do without a card it refuses instead of pretending.
 */
import type { EventLog } from '../../src/agent/log/event-log.ts';
import { type ChainHash, chainNext, chainStart } from '../../src/contract/chain.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { createWaiters } from '../../src/lib/wait.ts';

/** Events that central has not confirmed; beyond it nothing is taken. */
export const UNCONFIRMED_LIMIT = 50_000;
/** Confirmed ones are kept this far back, with their chain. */
export const KEPT_EVENTS = 256;

export interface MemoryLogOptions {
  readonly agent: string;
  readonly epoch: string;
  /** Monotonic milliseconds. */
  readonly monoNow: () => number;
  /** Hears of each event when it is confirmed, how long after it was appended. */
  readonly onStored: (lagMs: number) => void;
}

interface Held {
  readonly event: StoredEvent;
  readonly chain: ChainHash;
  readonly atMs: number;
}

export function openMemoryLog({ agent, epoch, monoNow, onStored }: MemoryLogOptions): EventLog {
  const waiters = createWaiters();
  const held: Held[] = [];
  let [firstSeq, lastSeq, storedSeq, session] = [1, 0, 0, 0];
  let incarnation: string | null = null;
  let before = chainStart(agent, epoch);
  /** Of these a mark was never told before: one that goes back and forth is not counted twice. */
  let toldSeq = 0;
  const at = (seq: number) => held[seq - firstSeq];
  const refuse = (what: string) => Object.assign(new Error(`${agent}: ${what}`), { code: 'LOG_MEMORY' });
  const forget = () => {
    const gone = Math.max(0, Math.min(storedSeq, lastSeq) - KEPT_EVENTS - firstSeq + 1);
    if (gone === 0) return;
    before = held[gone - 1]?.chain ?? before;
    held.splice(0, gone);
    firstSeq += gone;
  };
  return {
    agent,
    get incarnation() {
      return incarnation;
    },
    epochs: () => [{ epoch, firstSeq, lastSeq, storedSeq }],
    async read(asked, from, to, limit, maxBytes) {
      const events: StoredEvent[] = [];
      let bytes = 0;
      for (let seq = Math.max(from, firstSeq); asked === epoch && seq <= to && events.length < limit; seq += 1) {
        const event = at(seq)?.event;
        bytes += event?.data.length ?? 0;
        if (event === undefined || (events.length > 0 && bytes > maxBytes)) break;
        events.push(event);
      }
      return events;
    },
    async chainAt(asked, seq) {
      if (asked !== epoch) return null;
      return seq === firstSeq - 1 ? before : (at(seq)?.chain ?? null);
    },
    async append(events) {
      if (lastSeq - storedSeq + events.length > UNCONFIRMED_LIMIT) throw refuse('too much waits for central');
      const first = lastSeq + 1;
      for (const event of events) {
        const stored = { epoch, seq: lastSeq + 1, ...event };
        held.push({ event: stored, chain: chainNext(held.at(-1)?.chain ?? before, stored), atMs: monoNow() });
        lastSeq += 1;
      }
      waiters.wake();
      return { epoch, firstSeq: first, lastSeq };
    },
    appended: (signal) => waiters.wait(signal),
    saveMark(asked, seq, told) {
      if (asked !== epoch) return;
      incarnation = told;
      storedSeq = Math.max(0, Math.min(seq, lastSeq));
      for (; toldSeq < storedSeq; toldSeq += 1) onStored(monoNow() - (at(toldSeq + 1)?.atMs ?? Number.NaN));
      forget();
    },
    async startEpoch(reason) {
      throw refuse(`central wants another epoch: ${reason}`);
    },
    async tellMissing() {
      throw refuse('central asks for what it had confirmed');
    },
    disown: () => undefined,
    holdTrimming: () => undefined,
    trim: async () => ({ deleted: 0, lost: 0 }),
    async nextSession() {
      session += 1;
      return session;
    },
    bytes: () => 0,
    written: () => null,
    remembered: async () => [],
    async close() {
      waiters.wake();
    },
  };
}
