/** The events that were read, each once, and where older ones go on. What live events may pile up is bounded. */
import { getEvents } from './api.ts';
import type { Cat, CloudEvent } from './types.ts';

/** The most events that live ones may make; those that somebody scrolled to come on top. */
export const MAX_LIVE = 2_000;
/** Soon there at first, and then so many that who scrolls fast does not wait. */
const FIRST_EVENTS = 100;
const MORE_EVENTS = 500;
const SIGHTED = 'collard.collar.sighted';

export interface Pages {
  /** Newest first. */
  readonly events: readonly CloudEvent[];
  readonly isReading: boolean;
  /** Older ones can be read. */
  readonly isMore: boolean;
  find(id: string): CloudEvent | undefined;
  /** Takes live ones in, and again what was corrected. */
  add(events: readonly CloudEvent[]): void;
  /** Reads the newest, and drops what was held. Rejects where central does not answer. */
  reload(): Promise<void>;
  older(): Promise<void>;
  /** Reads anew what happened from this moment on: another sighting than was held may have decided where a cat is. Null: nothing. */
  again(from: string | null): Promise<void>;
}

/**
 * From which moment on a timeline is to be read again, since a cat is somewhere else by sightings, which alone do not say so; null: nothing
 * is new, or an event that is held says it.
 */
export function fusedSince(before: readonly Cat[], now: readonly Cat[], events: readonly CloudEvent[]): string | null {
  const told = (since: string) => events.some(({ type, time }) => type === 'collard.cat.moved' && time === since);
  const since = now.flatMap(({ id, location, locationSince }) => {
    const known = before.find((cat) => cat.id === id);
    if (known === undefined || locationSince === null || told(locationSince)) return [];
    if (known.location === location && known.locationSince === locationSince) return [];
    return [locationSince, known.locationSince ?? locationSince];
  });
  return since.sort()[0] ?? null;
}

/** What moves others often comes in a row: one reading does for all within this time. */
const MOVED_MS = 500;

/**
 * Takes events, and has `reload` called soon after an agent has said what the time is: events from before have another one than they had,
 * also those that are not held.
 */
export function reloading(take: (event: CloudEvent) => void, reload: () => void): (event: CloudEvent) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (event) => {
    take(event);
    if (event.type !== 'collard.clock.synced' || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      reload();
    }, MOVED_MS);
  };
}

/** Where older events go on: the cursor of the last page, or a time after some were dropped; null at the end. */
type Older = { readonly before?: string; readonly to?: string } | null;

/** `query`: what is asked for. `changed`: there is something else to show. */
export function createPages(query: () => Readonly<Record<string, string>>, changed: () => void): Pages {
  const held = new Map<string, CloudEvent>();
  let events: readonly CloudEvent[] = [];
  let allowed = MAX_LIVE;
  let older: Older = null;
  /** Counts the readings: only the last one matters. */
  let reading = 0;
  let isReading = false;
  const order = () => {
    const sorted = [...held.values()].sort(newestFirst);
    if (sorted.length > allowed) {
      for (const event of sorted.splice(allowed)) held.delete(event.id);
      // One millisecond on, so that others of the same moment are not left out; those shown already are known by their id.
      older = { to: new Date(Date.parse(sorted.at(-1)?.time ?? '') + 1).toISOString() };
    }
    events = sorted;
    changed();
  };
  const read = async (from: NonNullable<Older>, limit: number) => {
    reading += 1;
    const mine = reading;
    isReading = true;
    order();
    try {
      const answer = await getEvents({ ...query(), ...from }, limit);
      if (mine !== reading) return;
      for (const event of answer.events) held.set(event.id, event);
      older = answer.events.length < limit ? null : { before: answer.next };
      allowed = Math.max(MAX_LIVE, held.size + MORE_EVENTS);
    } finally {
      if (mine === reading) {
        isReading = false;
        order();
      }
    }
  };
  return {
    get events() {
      return events;
    },
    get isReading() {
      return isReading;
    },
    get isMore() {
      return older !== null;
    },
    find: (id) => held.get(id),
    add(fresh) {
      for (const event of fresh) held.set(event.id, event);
      order();
    },
    reload() {
      held.clear();
      older = null;
      return read({}, FIRST_EVENTS);
    },
    async again(from) {
      const mine = reading;
      const fresh = from === null ? null : await readSince(query(), from);
      if (fresh === null || mine !== reading) return;
      for (const { id, type, time } of held.values()) if (type === SIGHTED && time >= fresh.from) held.delete(id);
      for (const event of fresh.events) held.set(event.id, event);
      order();
    },
    async older() {
      if (!isReading && older !== null) await read(older, MORE_EVENTS);
    },
  };
}

/** The newest from this moment on, all of them from a moment that may be later. */
async function readSince(query: Readonly<Record<string, string>>, from: string) {
  const since = query.from === undefined || query.from < from ? from : query.from;
  const { events } = await getEvents({ ...query, from: since }, FIRST_EVENTS);
  return { events, from: events.length < FIRST_EVENTS ? since : (events.at(-1)?.time ?? since) };
}

/** By time; events of one moment and one agent in its own order. */
function newestFirst(a: CloudEvent, b: CloudEvent): number {
  if (a.time !== b.time) return a.time < b.time ? 1 : -1;
  return a.source === b.source ? b.seq - a.seq : 0;
}
