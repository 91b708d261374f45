/** Appends a batch inside a transaction. The unique key does the deduplication; what the code sorts out before only tells
 * duplicates from conflicts. */
import type { Transaction } from 'kysely';
import { chainHex, chainNext, parseChainHex } from '../../contract/chain.ts';
import type { EventBatch } from '../../contract/envelope.ts';
import type { StoredEvent } from '../../contract/event.ts';
import { keepConflicts } from './conflicts.ts';
import { namedCat, storedEvent } from './rows.ts';
import { claim, type ShardState, saveEpoch, saveShard } from './shard.ts';
import { sideEffects } from './side-effects.ts';
import { insertOnce } from './sqlite.ts';
import type { IngestResult } from './store.ts';
import type { EpochTable, EventTable, Tables } from './tables.ts';
import { addIsland, claimsUpTo, forgetClaims } from './walk.ts';

type Trx = Transaction<Tables>;

export interface Appended extends Omit<IngestResult, 'stored' | 'chainOk'> {
  /** Epochs whose mark may move further. */
  readonly walks: readonly number[];
}

/** Stores a batch and moves the mark where the batch follows it; saves epoch and shard. */
export async function appendBatch(
  trx: Trx,
  epoch: EpochTable,
  shard: ShardState,
  batch: EventBatch,
  now: string,
): Promise<Appended> {
  const { fresh, duplicates, conflicts, unkept } = await sortOut(trx, epoch, batch.events, now);
  const last = batch.events.at(-1)?.seq ?? 0;
  const follows = fresh.length > 0 && fresh[0]?.seq === epoch.mark + 1 && fresh.at(-1)?.seq === last;
  const direct = follows && fresh.length === last - epoch.mark;
  const rows = fresh.map((event, i) => eventRow(epoch, shard, event, i, direct || event.seq <= epoch.mark));
  const positioned = rows.filter((row) => row.position !== null).length;
  if ((await insertOnce(trx, 'event', rows)) !== rows.length) {
    throw Object.assign(new Error(`another writer stores ${epoch.epoch} as well`), { code: 'FENCED' });
  }
  shard.nextArrival += rows.length;
  shard.nextPosition += positioned;
  epoch.highest_seq = Math.max(epoch.highest_seq, last);
  await claim(trx, epoch, last, chainHex(batch.chain), true);
  if (direct) await moveMark(trx, epoch, fresh);
  else for (const [from, to] of runsAbove(fresh, epoch.mark)) await addIsland(trx, epoch.no, from, to);
  const others = await sideEffects(trx, epoch, batch.agent, fresh, now);
  await saveEpoch(trx, epoch);
  await saveShard(trx, shard);
  await trx
    .updateTable('agent')
    .set({ last_heard: now, ...(rows.length > 0 ? { last_stored: now } : {}) })
    .where('no', '=', epoch.agent_no)
    .execute();
  const walks = epoch.highest_seq > epoch.mark ? [epoch.no, ...others] : others;
  return { inserted: rows.length, duplicates, conflicts, unkept, walks: [...new Set(walks)] };
}

/** Tells new events from those that are stored already, and from others under the same key. */
async function sortOut(trx: Trx, epoch: EpochTable, events: readonly StoredEvent[], now: string) {
  const from = events[0]?.seq ?? 0;
  const to = events.at(-1)?.seq ?? 0;
  const fromRow = trx.selectFrom('event').selectAll().where('epoch_no', '=', epoch.no);
  const rows = await fromRow.where('seq', '>=', from).where('seq', '<=', to).execute();
  const existing = new Map(rows.map((row) => [row.seq, row]));
  const gaps =
    from > epoch.mark ? [] : await trx.selectFrom('gap').selectAll().where('epoch_no', '=', epoch.no).execute();
  const fresh: StoredEvent[] = [];
  const other: StoredEvent[] = [];
  for (const event of events) {
    const row = existing.get(event.seq);
    if (row !== undefined) {
      if (!sameEvent(storedEvent(row, epoch.epoch), event)) other.push(event);
    } else if (
      event.seq > epoch.mark ||
      // Given up, yet here it is: what was called lost and comes after all is kept.
      gaps.some((gap) => gap.from_seq <= event.seq && event.seq <= gap.to_seq)
    ) {
      fresh.push(event);
    }
  }
  const bodies = other.map((event) => ({ seq: event.seq, body: JSON.stringify(event) }));
  const unkept = await keepConflicts(trx, epoch, bodies, now);
  return { fresh, unkept, conflicts: other.length, duplicates: events.length - fresh.length - other.length };
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
    time: event.time,
    clock: event.clock,
    boot: event.boot,
    mono_ms: event.monoMs,
    data: event.data,
  };
}

/** The usual case: all new and right after the mark. */
async function moveMark(trx: Trx, epoch: EpochTable, fresh: readonly StoredEvent[]): Promise<void> {
  const to = fresh.at(-1)?.seq ?? epoch.mark;
  const claims = await claimsUpTo(trx, epoch, to);
  let chain = parseChainHex(epoch.mark_chain) ?? new Uint8Array();
  for (const event of fresh) {
    chain = chainNext(chain, event);
    const claimed = claims.get(event.seq);
    if (claimed !== undefined && claimed !== chainHex(chain)) epoch.chain_ok = 0;
  }
  epoch.mark = to;
  epoch.mark_chain = chainHex(chain);
  await forgetClaims(trx, epoch);
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
