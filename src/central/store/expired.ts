/** What was deleted for its age, and where it is now. */
import { fullType } from '../../contract/event.ts';
import type { Db } from './agents.ts';
import { correctionsInForce } from './corrections.ts';
import type { SegmentRow } from './retention-store.ts';
import { corrected } from './rows.ts';
import { readSegment, type SealedEvent } from './segment-file.ts';
import type { CentralEvent } from './store.ts';
import type { SegmentTable } from './tables.ts';

/** What decides about other events, or numbers cats: a copy is sealed, the rows stay. There are few. */
export const KEPT_TYPES: readonly string[] = ['cat.named', 'collar.assigned', 'event.revoked', 'event.reassigned'].map(
  fullType,
);
const PAGE_EVENTS = 1_000;

/** The newest segment of an epoch that ends at or below `upTo`, or null. All below its end is in segments. */
export async function lastSegment(
  db: Db,
  epochNo: number,
  upTo = Number.MAX_SAFE_INTEGER,
): Promise<SegmentTable | null> {
  const rows = db.selectFrom('segment').selectAll().where('epoch_no', '=', epochNo).where('to_seq', '<=', upTo);
  return (await rows.orderBy('from_seq', 'desc').limit(1).executeTakeFirst()) ?? null;
}

/** By epoch, then seq. */
export async function segmentRows(db: Db): Promise<readonly SegmentRow[]> {
  const rows = await db
    .selectFrom('segment')
    .innerJoin('epoch', 'epoch.no', 'segment.epoch_no')
    .innerJoin('agent', 'agent.no', 'epoch.agent_no')
    .selectAll('segment')
    .select(['epoch.epoch', 'agent.name'])
    .orderBy('segment.epoch_no')
    .orderBy('segment.from_seq')
    .execute();
  return rows.map(({ name: agent, epoch, from_seq: fromSeq, to_seq: toSeq, events, chain, sha256, file, done }) => {
    return { agent, epoch, fromSeq, toSeq, events, chain, sha256, file, done: done === 1 };
  });
}

/**
 * All events that are no rows any more, with what corrects them, in pages: epoch by epoch, by seq. Rejects with code
 * SEGMENT_DAMAGED where one cannot be read, which names the file.
 */
export async function* sealedEvents(db: Db, dir: string): AsyncGenerator<readonly CentralEvent[]> {
  const segments = await db.selectFrom('segment').selectAll().orderBy('epoch_no').orderBy('from_seq').execute();
  for (const segment of segments) {
    let page: SealedEvent[] = [];
    for await (const event of readSegment(dir, segment.file)) {
      if (page.push(event) < PAGE_EVENTS) continue;
      yield await withoutRows(db, segment, page);
      page = [];
    }
    yield await withoutRows(db, segment, page);
  }
}

async function withoutRows(
  db: Db,
  { epoch_no: epochNo, done }: SegmentTable,
  page: readonly SealedEvent[],
): Promise<readonly CentralEvent[]> {
  const inForce = await correctionsInForce(
    db,
    page.map(({ seq }) => ({ epochNo, seq })),
  );
  const rows = done === 1 ? [] : await rowsAmong(db, epochNo, page);
  return page
    .filter(({ seq, type }) => !KEPT_TYPES.includes(type) && !rows.includes(seq))
    .map((event) => ({ ...event, ...corrected(inForce.get(`${epochNo}/${event.seq}`)) }));
}

/** Of a segment whose rows are being deleted. */
async function rowsAmong(db: Db, epochNo: number, page: readonly SealedEvent[]): Promise<readonly number[]> {
  const [first, last] = [page[0]?.seq ?? 0, page.at(-1)?.seq ?? 0];
  const rows = db.selectFrom('event').select('seq').where('epoch_no', '=', epochNo).where('seq', '>=', first);
  return (await rows.where('seq', '<=', last).execute()).map(({ seq }) => seq);
}
