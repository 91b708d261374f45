/** Cuts events into batches that a broker takes. Pure. */
import { eventEncoder } from '../../contract/envelope.ts';
import type { StoredEvent } from '../../contract/event.ts';

/** chain, chain before, signature (86 characters) and key id (16) with their names, the two brackets, and some room. */
const FRAME_BYTES = 320;

/** As many of `events`, from the first on, as fit into `maxBytes` as one batch, each in its text. None: the first alone is too large. */
export function fittingEvents(agent: string, events: readonly StoredEvent[], maxBytes: number): readonly string[] {
  const encode = eventEncoder(agent);
  const texts: string[] = [];
  let bytes = FRAME_BYTES;
  for (const event of events) {
    const text = encode(event);
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > maxBytes) break;
    texts.push(text);
  }
  return texts;
}

/** How many of `events`, from the first on, follow each other: a batch ends where the log has a hole. */
export function followingEvents(events: readonly StoredEvent[]): number {
  const first = events[0]?.seq ?? 0;
  const hole = events.findIndex((event, i) => event.seq !== first + i);
  return hole < 0 ? events.length : hole;
}
