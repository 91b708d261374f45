/** What was deleted for its age, and where it is now. */
import { chainHex, chainStart } from '../../contract/chain.ts';
import { fullType } from '../../contract/event.ts';
import type { Db } from './agents.ts';
import type { SegmentRow } from './retention-store.ts';
import type { SegmentTable } from './tables.ts';

/** What decides about other events, or numbers cats: a copy is sealed, the rows stay. There are few. */
export const KEPT_TYPES: readonly string[] = ['cat.named', 'collar.assigned', 'event.revoked', 'event.reassigned'].map(
  fullType,
);

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

/** Rejects with code EXPIRED where a part of the events is in segments, and nobody says where they are. */
export async function refuseUnnamed(db: Db, dir: string | undefined): Promise<void> {
  if (dir !== undefined) return;
  if ((await db.selectFrom('segment').select('file').limit(1).executeTakeFirst()) === undefined) return;
  const text = 'old events are in segments: name their folder in retention.segments';
  throw Object.assign(new Error(text), { code: 'EXPIRED' });
}

export interface NotedSegment extends SegmentTable {
  readonly epoch: string;
  /** The chain where the one before it ends. */
  readonly chainBefore: string | null;
}

/** By epoch, then seq. */
export async function notedSegments(db: Db): Promise<readonly NotedSegment[]> {
  const rows = await db
    .selectFrom('segment')
    .innerJoin('epoch', 'epoch.no', 'segment.epoch_no')
    .innerJoin('agent', 'agent.no', 'epoch.agent_no')
    .selectAll('segment')
    .select(['epoch.epoch', 'agent.name'])
    .orderBy('segment.epoch_no')
    .orderBy('segment.from_seq')
    .execute();
  return rows.map(({ epoch, name, ...row }, i) => {
    const before = rows[i - 1];
    const follows = before?.epoch_no === row.epoch_no;
    return { ...row, epoch, chainBefore: follows ? before.chain : chainHex(chainStart(name, epoch)) };
  });
}
