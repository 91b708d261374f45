/** Cuts events into batches that a broker takes. Pure. */
import { encodeEvent } from '../../contract/envelope.ts';
import type { StoredEvent } from '../../contract/event.ts';

/** chain, chain before, signature (86 characters) and key id (16) with their names, the two brackets, and some room. */
const FRAME_BYTES = 320;

/** How many of `events`, from the first on, fit into `maxBytes` as one batch. 0: the first alone is too large. */
export function fittingEvents(agent: string, events: readonly StoredEvent[], maxBytes: number): number {
  let bytes = FRAME_BYTES;
  for (const [index, event] of events.entries()) {
    bytes += Buffer.byteLength(encodeEvent(agent, event)) + 1;
    if (bytes > maxBytes) return index;
  }
  return events.length;
}

/** How many of `events`, from the first on, follow each other: a batch ends where the log has a hole. */
export function followingEvents(events: readonly StoredEvent[]): number {
  const first = events[0]?.seq ?? 0;
  const hole = events.findIndex((event, i) => event.seq !== first + i);
  return hole < 0 ? events.length : hole;
}
