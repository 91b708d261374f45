/** The cats as they were at any moment: from the store, or, before what was deleted, folded from segments and store together. */
import { fullType } from '../contract/event.ts';
import { foldEvents } from './models/fold.ts';
import { CAT_EVENTS } from './models/meaning.ts';
import { confidenceIn } from './store/read-models.ts';
import type { CatRow, CentralEvent, ReadStore } from './store/store.ts';

/** The most events that are folded in memory. */
export const MAX_PAST_EVENTS = 500_000;
const EVENTS_A_READ = 1_000;
const TYPES = CAT_EVENTS.map(fullType);

type PastStore = Pick<ReadStore, 'catsAt' | 'horizon' | 'whole'>;

/**
 * Rejects with code EXPIRED where no folder of segments is given, TOO_MUCH_HISTORY beyond MAX_PAST_EVENTS, or SEGMENT_DAMAGED.
 */
export async function pastCats(store: PastStore, at: Date, segments: string | undefined): Promise<readonly CatRow[]> {
  const to = at.toISOString();
  if (to >= (await store.horizon())) return store.catsAt(at);
  if (segments === undefined) {
    const text = `the events before ${to} are in segments: name their folder in retention.segments`;
    throw Object.assign(new Error(text), { code: 'EXPIRED' });
  }
  const { cats, meowing } = foldEvents(await eventsBefore(store, to, segments), to);
  const midnight = new Date(at.getFullYear(), at.getMonth(), at.getDate()).toISOString();
  const today = meowing.filter((row) => row.eventType === 'meow' && row.newValue === '1' && row.timestamp >= midnight);
  return cats.map(({ catId, key: _key, name, sightings, ...cat }) => ({
    ...cat,
    ...confidenceIn(sightings, cat.location),
    // What agents' health said then is not kept.
    lastHeard: cat.lastSeen,
    id: catId,
    name: name ?? '',
    meowsToday: today.filter((row) => row.catId === catId).length,
  }));
}

async function eventsBefore(store: PastStore, to: string, segments: string): Promise<readonly CentralEvent[]> {
  const events: CentralEvent[] = [];
  const take = (page: readonly CentralEvent[]) => {
    events.push(...page);
    if (events.length <= MAX_PAST_EVENTS) return;
    const text = `more than ${MAX_PAST_EVENTS} events to fold for ${to}`;
    throw Object.assign(new Error(text), { code: 'TOO_MUCH_HISTORY' });
  };
  const whole = await store.whole(segments, { types: TYPES, to }, null);
  try {
    for (;;) {
      const page = await whole.next(EVENTS_A_READ);
      if (page.length === 0) return events;
      take(page);
    }
  } finally {
    await whole.close();
  }
}
