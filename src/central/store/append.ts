/** Appends a batch inside a transaction. The unique key does the deduplication; what the code sorts out before only tells
 * duplicates from conflicts. */
import type { Transaction } from 'kysely';
import { type ChainHash, chainHex, chainNext } from '../../contract/chain.ts';
import type { StoredEvent } from '../../contract/event.ts';
import type { BadItem } from '../../contract/sorted-batch.ts';
import { type Times, timesOf } from './clocks.ts';
import { keepConflicts } from './conflicts.ts';
import { lastSegment } from './expired.ts';
import { addGaps, fillGap, gapsNear, REJECTED } from './gaps.ts';
import { insertOnce } from './insert-once.ts';
import { keepMessage } from './quarantine.ts';
import { namedCat, storedEvent } from './rows.ts';
import { chainAtMark, claim, type ShardState, saveEpoch, saveShard } from './shard.ts';
import { sideEffects } from './side-effects.ts';
import type { IngestBatch, IngestResult } from './store.ts';
import type { EpochTable, EventTable, Tables } from './tables.ts';
import { addIsland, claimsUpTo, forgetClaims } from './walk.ts';

type Trx = Transaction<Tables>;

export interface Appended extends Omit<IngestResult, 'stored' | 'chainOk'> {
  /** Epochs whose mark may move further. */
  readonly walks: readonly number[];
  /** Times of events are to be moved: see `move-times.ts`. */
  readonly movesTimes: boolean;
}

/** Stores a batch and moves the mark where the batch follows it; saves epoch and shard. */
export async function appendBatch(
  trx: Trx,
  epoch: EpochTable,
  shard: ShardState,
  batch: IngestBatch,
  now: string,
): Promise<Appended> {
  const { bad = [] } = batch;
  const { fresh, mends, ...counted } = await sortOut(trx, epoch, batch.events, bad, now);
  const last = Math.max(batch.events.at(-1)?.seq ?? 0, bad.at(-1)?.seq ?? 0);
  const follows = fresh.length > 0 && fresh[0]?.seq === epoch.mark + 1 && fresh.at(-1)?.seq === last;
  const direct = follows && fresh.length === last - epoch.mark;
  const times = await timesOf(trx, epoch, fresh);
  const rows = fresh.map((event, i) =>
    eventRow(epoch, shard, event, times(event), i, direct || event.seq <= epoch.mark),
  );
  const positioned = rows.filter((row) => row.position !== null).length;
  if ((await insertOnce(trx, 'event', rows)) !== rows.length) {
    throw Object.assign(new Error(`another writer stores ${epoch.epoch} as well`), { code: 'FENCED' });
  }
  shard.nextArrival += rows.length;
  shard.nextPosition += positioned;
  epoch.highest_seq = Math.max(epoch.highest_seq, last);
  if (direct) await moveMark(trx, epoch, last, fresh, batch.chain);
  else {
    if (batch.chain !== null) await claim(trx, epoch, last, chainHex(batch.chain), true);
    for (const [from, to] of runsAbove(fresh, epoch.mark)) await addIsland(trx, epoch.no, from, to);
  }
  for (const seq of mends) await fillGap(trx, epoch.no, seq, REJECTED);
  const { holes, ...outcome } = counted;
  const rejected = await rejectItems(trx, epoch, batch, holes, now);
  const { walks: others, movesTimes } = await sideEffects(trx, epoch, batch.agent, fresh, now);
  await saveEpoch(trx, epoch);
  await saveShard(trx, shard);
  await trx
    .updateTable('agent')
    .set({ last_heard: now, ...(rows.length > 0 ? { last_stored: now } : {}) })
    .where('no', '=', epoch.agent_no)
    .execute();
  const walks = epoch.highest_seq > epoch.mark ? [epoch.no, ...others] : others;
  return { ...outcome, ...rejected, inserted: rows.length, walks: [...new Set(walks)], movesTimes };
}

/** Tells new events from those that are stored already, and from others under the same key. */
async function sortOut(
  trx: Trx,
  epoch: EpochTable,
  events: readonly StoredEvent[],
  bad: readonly BadItem[],
  now: string,
) {
  const seqs = [...events, ...bad].map(({ seq }) => seq);
  const [from, to] = [Math.min(...seqs), Math.max(...seqs)];
  // Nothing is stored above it, nor rejected: what is new in the usual order costs no look.
  const isAbove = from > epoch.highest_seq;
  const rows = isAbove ? [] : await rowsBetween(trx, epoch.no, from, to);
  const existing = new Map(rows.map((row) => [row.seq, row]));
  // Not all of the epoch: an agent may have told any number of them.
  const gaps = isAbove && bad.length === 0 ? [] : await gapsNear(trx, epoch.no, from, to);
  // What was stored once and deleted for its age is neither missing nor new: the mark is its proof.
  const expired = from > epoch.mark ? 0 : ((await lastSegment(trx, epoch.no))?.to_seq ?? 0);
  const isWithin = (some: typeof gaps, seq: number) => some.some((gap) => gap.from_seq <= seq && seq <= gap.to_seq);
  const isGivenUp = (seq: number) => seq > expired && isWithin(gaps, seq);
  const fresh: StoredEvent[] = [];
  const other: { readonly seq: number; readonly body: string }[] = [];
  for (const event of events) {
    const row = existing.get(event.seq);
    if (row !== undefined) {
      if (!sameEvent(storedEvent(row, epoch.epoch), event)) other.push({ seq: event.seq, body: JSON.stringify(event) });
    } else if (event.seq > epoch.mark || isGivenUp(event.seq)) {
      // Given up, yet here it is: what was called lost and comes after all is kept.
      fresh.push(event);
    }
  }
  for (const { seq, text } of bad) if (existing.has(seq)) other.push({ seq, body: text });
  const holes = bad.filter(({ seq }) => !existing.has(seq) && seq > epoch.mark && !isGivenUp(seq));
  const unkept = await keepConflicts(trx, epoch, other, now);
  const duplicates = seqs.length - fresh.length - other.length - holes.length;
  const rejected = gaps.filter(({ reason }) => reason.startsWith(REJECTED));
  // Above the mark as well: a gap that stayed would tell of a loss for ever.
  const mends = fresh.map(({ seq }) => seq).filter((seq) => isWithin(rejected, seq));
  return { fresh, mends, holes, unkept, conflicts: other.length, duplicates };
}

async function rowsBetween(trx: Trx, epochNo: number, from: number, to: number): Promise<EventTable[]> {
  const ofEpoch = trx.selectFrom('event').selectAll().where('epoch_no', '=', epochNo);
  return ofEpoch.where('seq', '>=', from).where('seq', '<=', to).execute();
}

/** Puts items that are no events into quarantine and a gap into their places, so that the mark passes them. */
async function rejectItems(
  trx: Trx,
  epoch: EpochTable,
  { agent, topic = '' }: IngestBatch,
  holes: readonly BadItem[],
  now: string,
): Promise<{ readonly rejected: number; readonly waiting: number }> {
  let rejected = 0;
  for (const { seq, reason, text } of holes) {
    const place = { epochNo: epoch.no, seq };
    const payload = Buffer.from(text);
    // Without room it is not passed: its agent, which has the only other copy, keeps it and sends it again.
    if (!(await keepMessage(trx, { agent, topic, payload, kind: 'rejected', reason, ...place }, now))) break;
    await addGaps(trx, epoch.no, [[seq, seq]], `${REJECTED}${reason}`.slice(0, 255), now);
    rejected += 1;
  }
  return { rejected, waiting: holes.length - rejected };
}

function sameEvent(a: StoredEvent, b: StoredEvent): boolean {
  return (
    a.data === b.data &&
    a.type === b.type &&
    a.version === b.version &&
    a.subject === b.subject &&
    a.time === b.time &&
    a.clock === b.clock &&
    a.boot === b.boot &&
    a.monoMs === b.monoMs
  );
}

/** A row in the order in which it must be bound. Position is given where the order of its agent is known already. */
function eventRow(
  epoch: EpochTable,
  shard: ShardState,
  event: StoredEvent,
  { time, original_time }: Times,
  index: number,
  positioned: boolean,
): EventTable {
  return {
    epoch_no: epoch.no,
    seq: event.seq,
    agent_no: epoch.agent_no,
    shard: shard.shard,
    arrival: shard.nextArrival + index,
    position: positioned ? shard.nextPosition + index : null,
    type: event.type,
    version: event.version,
    subject: event.subject,
    cat_id: namedCat(event),
    time,
    clock: event.clock,
    boot: event.boot,
    mono_ms: event.monoMs,
    data: event.data,
    original_time,
  };
}

/** The usual case: all new and right after the mark. What the batch claims is proven at once, and need not be noted. */
async function moveMark(
  trx: Trx,
  epoch: EpochTable,
  to: number,
  fresh: readonly StoredEvent[],
  claimedAtEnd: ChainHash | null,
): Promise<void> {
  const claims = await claimsUpTo(trx, epoch, to);
  let chain = chainAtMark(epoch);
  for (const event of fresh) {
    chain = chainNext(chain, event);
    const claimed = claims.get(event.seq);
    if (claimed !== undefined && claimed !== chainHex(chain)) epoch.chain_ok = 0;
  }
  epoch.mark = to;
  epoch.mark_chain = chainHex(chain);
  if (claimedAtEnd !== null && chainHex(claimedAtEnd) !== epoch.mark_chain) epoch.chain_ok = 0;
  if (claims.size > 0) await forgetClaims(trx, epoch);
}

function runsAbove(events: readonly StoredEvent[], mark: number): [number, number][] {
  const runs: [number, number][] = [];
  for (const { seq } of events) {
    const run = runs.at(-1);
    if (seq <= mark) continue;
    if (run !== undefined && run[1] === seq - 1) run[1] = seq;
    else runs.push([seq, seq]);
  }
  return runs;
}
