/** All that a store and its segments hold, as a tape. */
import type { CentralConfig } from '../central/config.ts';
import type { EventFilter, EventPage, Store, WholePlace } from '../central/store/store.ts';
import { asSealedFailure } from './sealed.ts';
import type { Question, Tape, Told } from './tape.ts';
import { openExistingStore } from './verify.ts';

/** All of a store and its segments. */
export async function wholeTape(
  place: CentralConfig['store'],
  segments: string | undefined,
  question: Question,
): Promise<Tape> {
  const { order: _order, sort: _sort, after: _after, before: _before, scan: _scan, ...rest } = question;
  const { sealed: _sealed, place: from = null, ...filter } = rest;
  const store = await openExistingStore(place);
  try {
    const whole = await store.whole(segments, filter, from as WholePlace | null);
    const share = await createShare(store, filter);
    return {
      async next(limit) {
        const events = await whole.next(limit);
        share.given(events.at(-1)?.time);
        return events.map((event) => ({ agent: event.agent, event, known: event }));
      },
      cursor: () => null,
      place: whole.place,
      leftOut: async () => null,
      share: () => share.of(whole.place()),
      event: (epoch, seq) => eventOf(store, epoch, seq),
      async close() {
        await whole.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw asSealedFailure(error);
  }
}

/** How much was given: of segments by number, of rows by time. */
async function createShare(store: Store, filter: EventFilter) {
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

/** One event by its key, or null. */
export async function eventOf(store: Store, epoch: string, seq: number): Promise<Told | null> {
  const event = await store.event(epoch, seq);
  return event === null ? null : { agent: event.agent, event, known: event };
}
