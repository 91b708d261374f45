/**
 * In which order central takes what waits: live events before everything else, so that they do not wait for a backlog to
 * drain, and beside them a little of the rest, so that short words (sync, state) are heard in a storm of live events. Each
 * topic keeps its own order, and whatever is no live event (backlog, sync, state, health) keeps the order in which it came: a
 * sync is answered after all batches that came before it.
 */
import type { Incoming } from '../../lib/mqtt-link.ts';

/** Of what can wait, at once only so much is taken that live events need not wait longer than for one full batch. */
export const MAX_TAKEN_BYTES = 256 * 1024;
/** Of what is no live event, beside live ones: they hardly take longer for it. */
export const MAX_BESIDE_BYTES = 16 * 1024;
/** Of what is taken at once, the part that is kept for that. */
const BESIDE_SHARE = 0.25;

export interface Lanes {
  add(messages: readonly Incoming[]): void;
  /**
   * Up to `max`: live events first and beside them others of at most MAX_BESIDE_BYTES together; where no live ones wait, others of at most
   * MAX_TAKEN_BYTES, at least one.
   */
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
      const beside =
        live.length === 0 ? Math.max(1, fitting(others, MAX_TAKEN_BYTES)) : fitting(others, MAX_BESIDE_BYTES);
      const kept = Math.min(beside, Math.floor(max * BESIDE_SHARE));
      const first = live.slice(0, max - kept);
      const then = others.slice(0, Math.min(beside, max - first.length));
      live = live.slice(first.length);
      others = others.slice(then.length);
      return [...first, ...then];
    },
    get size() {
      return live.length + others.length;
    },
  };
}

/** How many of the first have at most so many bytes together. */
function fitting(messages: readonly Incoming[], limit: number): number {
  let bytes = 0;
  const beyond = messages.findIndex(({ payload }) => {
    bytes += payload.byteLength;
    return bytes > limit;
  });
  return beyond === -1 ? messages.length : beyond;
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
