/**
 * Corrections: events that change what other events count for. History is never edited; a correction is one more event, and so
 * it can be taken back like any other. What holds in the end depends on which events there are, not on the order of arrival:
 *
 * * `event.revoked` of an event: it counts as if it had never been. `event.reassigned`: it was about another cat; of several
 *   the newest counts.
 * * `event.revoked` of a correction undoes it: what it corrected counts as before.
 * * An undo is final, and corrections of it say nothing: whoever wants the correction back writes it again.
 *
 * An agent may take back its own events, central all, and give them to cats; both only what was written before.
 */
import type { StoredEvent } from './event.ts';
import { CENTRAL_AGENT } from './topic.ts';
import { type Upcastable, upcast } from './upcast.ts';

export interface Correction {
  /** The event that it speaks of. */
  readonly epoch: string;
  readonly seq: number;
  /** The cat that the event belongs to; null where it is taken back. */
  readonly catId: number | null;
  readonly reason: string;
}

/** Null where the event is no correction, or none that this program can read. */
export function correctionOf(event: Upcastable): Correction | null {
  const result = upcast(event);
  if (result.type === 'unknown') return null;
  const { type, data } = result.event;
  if (type !== 'event.revoked' && type !== 'event.reassigned') return null;
  const { epoch, seq, reason } = data;
  if (!isPositive(seq)) return null;
  if (type === 'event.revoked') return { epoch, seq, catId: null, reason };
  return isPositive(data.catId) ? { epoch, seq, catId: data.catId, reason } : null;
}

interface Place {
  readonly agent: string;
  readonly epoch: string;
  readonly seq: number;
}

/** May the correction at this place speak of that one? Epochs are UUIDv7: an agent's own are in the order in which it began them. */
export function mayCorrect(by: Place, target: Place, { catId }: Pick<Correction, 'catId'>): boolean {
  if (catId !== null && by.agent !== CENTRAL_AGENT) return false;
  if (by.agent !== target.agent) return by.agent === CENTRAL_AGENT;
  return by.epoch === target.epoch ? target.seq < by.seq : target.epoch < by.epoch;
}

/** A text that sorts as everything that happened: by (time, agent, epoch, seq). A space sorts before all that a name may hold. */
export function orderKey(event: Pick<StoredEvent, 'time' | 'epoch' | 'seq'> & { readonly agent: string }): string {
  return `${event.time} ${event.agent} ${event.epoch} ${String(event.seq).padStart(16, '0')}`;
}

function isPositive(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}
