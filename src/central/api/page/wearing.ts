/** Which collar a cat wore from when to when, from the events that say so. Pure. */
import type { CloudEvent } from './types.ts';

export interface Wearing {
  /** The event that gave the collar. */
  readonly event: CloudEvent;
  readonly collar: string;
  /** Null: to now, or it was taken back and never was. */
  readonly until: string | null;
  readonly isTakenBack: boolean;
}

/** `events`: all `collar.assigned` of all cats, newest first. The newest of the cat comes first. */
export function wearingsOf(catId: number, events: readonly CloudEvent[]): readonly Wearing[] {
  return events
    .filter(({ data }) => data.catId === catId)
    .map((event) => {
      const collar = String(event.data.collar);
      const isTakenBack = event.revoked === true;
      // It ends when the cat gets another collar, and when another cat gets this one.
      const ends = events.filter(
        (other) =>
          other.revoked !== true &&
          isAfter(other, event) &&
          (other.data.catId === catId || other.data.collar === collar),
      );
      return { event, collar, isTakenBack, until: isTakenBack ? null : (ends.at(-1)?.time ?? null) };
    });
}

function isAfter(a: CloudEvent, b: CloudEvent): boolean {
  return a.time > b.time || (a.time === b.time && a.seq > b.seq);
}
