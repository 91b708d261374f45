/** How far a reading of all that was ever stored has come: for whoever waits for it. */
import type { EventFilter, EventPage, ReadStore, Store, WholePlace } from './store/store.ts';

export interface ReadShare {
  given(time: string | undefined): void;
  /** From 0 to 1. */
  of(place: WholePlace): number;
}

/** Of segments by number, of rows by time. */
export async function createReadShare(
  store: Pick<ReadStore, 'counts' | 'newest' | 'oldest'> & Pick<Store, 'segments'>,
  filter: EventFilter,
): Promise<ReadShare> {
  const segments = await store.segments();
  const rows = Math.max(1, (await store.counts()).events);
  const sealed = segments.reduce((sum, { events }) => sum + events, 0);
  const edge = async (page: Promise<EventPage>) => Date.parse((await page).events[0]?.time ?? '');
  const [first, end] = [
    await edge(store.oldest({ ...filter, limit: 1 })),
    await edge(store.newest({ ...filter, limit: 1 })),
  ];
  let last = first;
  return {
    given(time: string | undefined) {
      if (time !== undefined) last = Date.parse(time);
    },
    of(place: WholePlace): number {
      const done = segments.reduce((sum, { epoch, fromSeq, toSeq, events }) => {
        const seqs = Math.min(toSeq, place.sealed[epoch] ?? 0) - fromSeq + 1;
        return sum + (Math.max(0, seqs) / (toSeq - fromSeq + 1)) * events;
      }, 0);
      const ofRows = place.rows === null ? 0 : Math.min(1, (last - first) / Math.max(1, end - first));
      return (done + ofRows * rows) / (sealed + rows);
    },
  };
}
