/** All that a store and its segments hold, as a tape. */
import type { CentralConfig } from '../central/config.ts';
import { createReadShare } from '../central/read-share.ts';
import type { Store, WholePlace } from '../central/store/store.ts';
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
    const share = await createReadShare(store, filter);
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

/** One event by its key, or null. */
export async function eventOf(store: Store, epoch: string, seq: number): Promise<Told | null> {
  const event = await store.event(epoch, seq);
  return event === null ? null : { agent: event.agent, event, known: event };
}
