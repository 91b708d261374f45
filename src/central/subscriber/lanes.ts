/**
 * In which order central takes what waits: live events before everything else, so that they do not wait for a backlog to
 * drain. Each topic keeps its own order, and whatever is no live event (backlog, sync, state, health) keeps the order in
 * which it came: a sync is answered after all batches that came before it.
 */
import type { Incoming } from '../../lib/mqtt-link.ts';

/** Of what can wait, at once only so much is taken that live events need not wait longer than for one full batch. */
export const MAX_TAKEN_BYTES = 256 * 1024;

export interface Lanes {
  add(messages: readonly Incoming[]): void;
  /** Up to `max` live messages; where none wait, others of at most MAX_TAKEN_BYTES together, at least one. */
  next(max: number): Incoming[];
  readonly size: number;
}

export function createLanes(): Lanes {
  let live: Incoming[] = [];
  let others: Incoming[] = [];
  const inOrder = createLine();
  return {
    add(messages) {
      for (const message of messages) {
        const lane = message.topic.endsWith('/events') ? live : others;
        lane.push({ ...message, done: inOrder(message.done) });
      }
    },
    next(max) {
      if (live.length > 0) {
        const taken = live.slice(0, max);
        live = live.slice(max);
        return taken;
      }
      const taken = others.slice(0, Math.min(max, fitting(others)));
      others = others.slice(taken.length);
      return taken;
    },
    get size() {
      return live.length + others.length;
    },
  };
}

function fitting(messages: readonly Incoming[]): number {
  let bytes = 0;
  const beyond = messages.findIndex(({ payload }) => {
    bytes += payload.byteLength;
    return bytes > MAX_TAKEN_BYTES;
  });
  return beyond === -1 ? messages.length : Math.max(1, beyond);
}

/** PUBACKs go out in the order in which the messages came (MQTT-4.6.0-2), in whatever order these are done. */
function createLine(): (done: () => void) => () => void {
  const line: { readonly done: () => void; isDone: boolean }[] = [];
  return (done) => {
    const place = { done, isDone: false };
    line.push(place);
    return () => {
      place.isDone = true;
      while (line[0]?.isDone === true) line.shift()?.done();
    };
  };
}
