/** Builds events and batches for tests of the store. */
import { type ChainHash, chainOver, chainStart } from '../../../src/contract/chain.ts';
import type { EventBatch } from '../../../src/contract/envelope.ts';
import {
  type EventData,
  type EventType,
  type NewEvent,
  newEvent,
  type StoredEvent,
} from '../../../src/contract/event.ts';

export const NOW = '2026-11-23T12:00:00.000Z';

/** Epoch number n as a UUID. */
export function epochId(n: number): string {
  return `01a20867-068a-70da-b9ee-${String(n).padStart(12, '0')}`;
}

/** `seconds` after noon. */
export function at(seconds: number): string {
  return new Date(Date.parse(NOW) + seconds * 1_000).toISOString();
}

/** An agent that numbers its events and chains them. */
export interface Writer {
  readonly agent: string;
  readonly epoch: string;
  readonly events: StoredEvent[];
  add<T extends EventType>(type: T, subject: string | null, data: EventData[T], seconds: number): StoredEvent;
  /** By a clock that was not set, `monoMs` after the machine has started. */
  addUnset<T extends EventType>(
    type: T,
    subject: string | null,
    data: EventData[T],
    when: { readonly time: string; readonly boot: string; readonly monoMs: number },
  ): StoredEvent;
  /** Seqs from..to as a batch. */
  batch(from: number, to: number): EventBatch;
  chain(seq: number): ChainHash;
}

export function createWriter(agent: string, epoch: string): Writer {
  const events: StoredEvent[] = [];
  const chain = (seq: number) => chainOver(chainStart(agent, epoch), events.slice(0, seq));
  const append = (event: NewEvent) => {
    const stored = { epoch, seq: events.length + 1, ...event };
    events.push(stored);
    return stored;
  };
  return {
    agent,
    epoch,
    events,
    add(type, subject, data, seconds) {
      return append(newEvent(type, subject, data, { time: at(seconds), clock: 'synced', boot: null, monoMs: null }));
    },
    addUnset: (type, subject, data, when) => append(newEvent(type, subject, data, { ...when, clock: 'unsynced' })),
    batch: (from, to) => ({ agent, events: events.slice(from - 1, to), chain: chain(to) }),
    chain,
  };
}

/** A writer with `count` meow starts and ends, one a second. */
export function meowing(agent: string, epoch: string, count: number, collar = 'C0FFEE01'): Writer {
  const writer = createWriter(agent, epoch);
  for (let i = 0; i < count; i += 1) {
    if (i % 2 === 0) writer.add('meow.started', `collar/${collar}`, { level: 1.5 }, i);
    else
      writer.add('meow.ended', `collar/${collar}`, { durationMs: 400, peakG: 1.8, readings: 17, place: 'kitchen' }, i);
  }
  return writer;
}
