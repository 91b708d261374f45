/**
 * All events that were ever stored, each once: what lies in segments first, epoch by epoch, then the rows by time. Who stops goes on from
 * a place, and retention may move rows into segments meanwhile: an event is of its segment from the moment on in which that is noted.
 */
import type { CatModel } from '../models/model.ts';
import type { Db } from './agents.ts';
import { readByTime } from './by-time.ts';
import { allClocks } from './clocks.ts';
import { correctionsInForce } from './corrections.ts';
import { decodeTimePlace, encodeTimePlace, type TimePlace } from './cursor.ts';
import { KEPT_TYPES, type NotedSegment, notedSegments, refuseUnnamed } from './expired.ts';
import { catsOf, readWearings } from './facts.ts';
import { corrected, type EpochNames } from './rows.ts';
import type { SealedEvent } from './segment-file.ts';
import type { CentralEvent, EventFilter, WholeEvents, WholePlace } from './store.ts';
import { proveSegment, readVerified } from './verified-segment.ts';

/** Events whose corrections are looked up at once. */
const PAGE_EVENTS = 1_000;

interface Parts {
  readonly db: Db;
  readonly model: CatModel;
  readonly names: EpochNames;
}

/** Rejects with codes EXPIRED where no folder of segments is named although there are some, BAD_CURSOR, and later SEGMENT_DAMAGED. */
export async function openWhole(
  { db, model, names }: Parts,
  dir: string | undefined,
  filter: EventFilter,
  from: WholePlace | null,
): Promise<WholeEvents> {
  await refuseUnnamed(db, dir);
  const wearings = await readWearings(db, model, names);
  const cats = (event: CentralEvent) => catsOf(event, model, wearings);
  const done = new Map(Object.entries(from?.sealed ?? {}));
  let after = from?.rows === undefined || from.rows === null ? null : decodeTimePlace(from.rows);
  let open: AsyncGenerator<CentralEvent> | null = null;
  let [known, queue]: [number, readonly NotedSegment[]] = [0, []];
  /** Segments are noted one by one and stay: their number tells whether there are new ones. */
  const look = async () => {
    const count = await countSegments(db);
    if (count === known) return false;
    const segments = await notedSegments(db);
    known = segments.length;
    queue = segments.filter(({ epoch, to_seq }) => to_seq > (done.get(epoch) ?? 0));
    return queue.length > 0;
  };
  /** The next events of segments, or null where all are given. */
  const fromSegments = async (limit: number): Promise<readonly CentralEvent[] | null> => {
    const events: CentralEvent[] = [];
    while (events.length < limit) {
      const [segment, ...rest] = queue;
      if (segment === undefined) break;
      open ??= eventsOf(db, dir ?? '', segment, done.get(segment.epoch) ?? 0, after, filter);
      const { value } = await open.next();
      if (value === undefined) {
        done.set(segment.epoch, segment.to_seq);
        [open, queue] = [null, rest];
      } else {
        done.set(segment.epoch, value.seq);
        if (isWanted(value, filter, cats)) events.push(value);
      }
    }
    return events.length === 0 && queue.length === 0 ? null : events;
  };
  return {
    async next(limit) {
      for (;;) {
        if (queue.length === 0) await look();
        const sealed = queue.length === 0 ? null : await fromSegments(limit);
        if (sealed !== null) return sealed;
        const order = { order: 'asc', beyond: after, limit } as const;
        const page = await readByTime(db, names, model, filter, wearings, order);
        // Rows of this page may have gone into a segment while it was read: it is read again behind that one.
        if (await look()) continue;
        after = page.last;
        const events = page.events.filter(
          ({ epoch, seq, type }) => KEPT_TYPES.includes(type) || seq > (done.get(epoch) ?? 0),
        );
        if (events.length > 0 || page.events.length < limit) return events;
      }
    },
    place: () => ({ sealed: Object.fromEntries(done), rows: after === null ? null : encodeTimePlace(after) }),
    cats,
    async close() {
      await open?.return(undefined);
    },
  };
}

async function countSegments(db: Db): Promise<number> {
  const count = db.selectFrom('segment').select((eb) => eb.fn.countAll<number>().as('n'));
  return Number((await count.executeTakeFirstOrThrow()).n);
}

/** Events of a segment above `seq` that are not given already as rows, with what corrects them. Proven before the first is given. */
async function* eventsOf(
  db: Db,
  dir: string,
  segment: NotedSegment,
  seq: number,
  after: TimePlace | null,
  { from, to, agent }: EventFilter,
): AsyncGenerator<CentralEvent> {
  const { epoch_no: epochNo } = segment;
  const { firstTime, lastTime, agent: own } = await proveSegment(dir, segment);
  // Nothing in it is asked for.
  const isOutside = (from !== undefined && lastTime < from) || (to !== undefined && firstTime >= to);
  if (isOutside && !(await holdsUnset(db, segment))) return;
  if (agent !== undefined && agent !== own) return;
  const timesOf = await allClocks(db);
  let page: (SealedEvent & Pick<CentralEvent, 'originalTime'>)[] = [];
  for await (const sealed of readVerified(dir, segment)) {
    const { time, original_time: originalTime } = timesOf(sealed);
    const event = { ...sealed, time, originalTime };
    if (event.seq <= seq || KEPT_TYPES.includes(event.type) || isBefore(event, epochNo, after)) continue;
    if (page.push(event) < PAGE_EVENTS) continue;
    yield* await withCorrections(db, epochNo, page);
    page = [];
  }
  yield* await withCorrections(db, epochNo, page);
}

/** Events whose time may be another than in the segment. */
async function holdsUnset(db: Db, { epoch_no, from_seq, to_seq }: NotedSegment): Promise<boolean> {
  const run = db.selectFrom('unset_clock').select('boot').where('epoch_no', '=', epoch_no);
  const inside = run.where('from_seq', '<=', to_seq).where('to_seq', '>=', from_seq).limit(1);
  return (await inside.executeTakeFirst()) !== undefined;
}

/** Was a row when what comes after it in time was not given yet. */
function isBefore(event: Pick<SealedEvent, 'time' | 'seq'>, epochNo: number, after: TimePlace | null): boolean {
  if (after === null) return false;
  if (event.time !== after.time) return event.time < after.time;
  return epochNo < after.epochNo || (epochNo === after.epochNo && event.seq <= after.seq);
}

async function withCorrections(
  db: Db,
  epochNo: number,
  page: readonly (SealedEvent & Pick<CentralEvent, 'originalTime'>)[],
): Promise<readonly CentralEvent[]> {
  const inForce = await correctionsInForce(
    db,
    page.map(({ seq }) => ({ epochNo, seq })),
  );
  return page.map((event) => ({ ...event, ...corrected(inForce.get(`${epochNo}/${event.seq}`)) }));
}

function isWanted(event: CentralEvent, filter: EventFilter, cats: WholeEvents['cats']): boolean {
  const { types, catId, collar, agent, from, to } = filter;
  return (
    (types === undefined || types.includes(event.type)) &&
    (agent === undefined || event.agent === agent) &&
    (collar === undefined || event.subject === `collar/${collar}`) &&
    (from === undefined || event.time >= from) &&
    (to === undefined || event.time < to) &&
    (catId === undefined || cats(event).includes(catId))
  );
}
