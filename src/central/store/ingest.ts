/**
 * Events in: one transaction a batch, then as many more as it takes to walk over what the batch has joined.
 * The unique key does the deduplication; what the code sorts out before only tells duplicates from conflicts.
 */
import { createHash, randomInt } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Kysely, Transaction } from 'kysely';
import { chainHex, chainNext, parseChainHex } from '../../contract/chain.ts';
import type { EventBatch } from '../../contract/envelope.ts';
import { fullType, type StoredEvent } from '../../contract/event.ts';
import type { SyncMessage } from '../../contract/message.ts';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import { claimEpoch } from './agents.ts';
import { namedCat, storedEvent } from './rows.ts';
import { insertOnce } from './sqlite.ts';
import type { IngestResult, IngestStore } from './store.ts';
import type { EpochTable, EventTable, Tables } from './tables.ts';
import { addIsland, claimsUpTo, forgetClaims, missingRanges, type ShardState, storedMessage, walk } from './walk.ts';

/** Conflicting events and claims that are kept as evidence. */
export const MAX_CONFLICTS = 10_000;
export const MAX_CLAIMS = 10_000;

type Trx = Transaction<Tables>;

export function createIngest(db: Kysely<Tables>, incarnation: string): Pick<IngestStore, 'ingest' | 'sync'> {
  const own: Ownership = { token: randomInt(1, 2 ** 47), shards: new Set() };
  const walkOn = async (epochNo: number) => {
    for (let more = true; more; ) {
      // A long walk must not keep the process from its keepalives.
      await setImmediate();
      more = await db.transaction().execute(async (trx) => {
        const epoch = await trx.selectFrom('epoch').selectAll().where('no', '=', epochNo).executeTakeFirstOrThrow();
        const shard = await ownShard(trx, epoch.shard, own);
        // A walk that moves nothing writes nothing, and so costs no flush.
        if (!(await walk(trx, epoch, shard))) return false;
        await saveEpoch(trx, epoch);
        await saveShard(trx, shard);
        return epoch.highest_seq > epoch.mark;
      });
    }
  };
  const answer = async (epochNo: number) => {
    const epoch = await db.selectFrom('epoch').selectAll().where('no', '=', epochNo).executeTakeFirstOrThrow();
    return { stored: await storedMessage(db, incarnation, epoch), chainOk: epoch.chain_ok === 1 };
  };
  return {
    async ingest(batch, now) {
      const { epochNo, shard, walks, ...counted } = await db.transaction().execute(async (trx) => {
        const epoch = await claimEpoch(trx, batch.agent, batch.events[0]?.epoch ?? '');
        const shard = await ownShard(trx, epoch.shard, own);
        const appended = await appendBatch(trx, epoch, shard, batch, now);
        return { epochNo: epoch.no, shard: epoch.shard, ...appended };
      });
      own.shards.add(shard);
      for (const no of walks) await walkOn(no);
      return { ...counted, ...(await answer(epochNo)) };
    },
    async sync(agent, message, now) {
      const epochNo = await db.transaction().execute((trx) => noteSync(trx, agent, message, now));
      await walkOn(epochNo);
      return (await answer(epochNo)).stored;
    },
  };
}

/** Which shards this process has written to, under one token of its own. */
interface Ownership {
  readonly token: number;
  readonly shards: Set<number>;
}

/** The shard's counters. Rejects with code `FENCED` when another process has taken the shard since we did. */
async function ownShard(trx: Trx, shard: number, own: Ownership): Promise<ShardState> {
  const row = await openShard(trx, shard);
  if (row.token !== own.token) {
    if (own.shards.has(shard)) {
      throw Object.assign(new Error(`shard ${shard} belongs to another central now`), { code: 'FENCED' });
    }
    await trx.updateTable('shard').set({ token: own.token }).where('shard', '=', shard).execute();
  }
  return { shard, nextArrival: row.next_arrival, nextPosition: row.next_position };
}

export async function openShard(trx: Trx, shard: number): Promise<Tables['shard']> {
  const row = await trx.selectFrom('shard').selectAll().where('shard', '=', shard).executeTakeFirst();
  if (row !== undefined) return row;
  const fresh = { shard, next_arrival: 1, next_position: 1, token: 0 };
  await trx.insertInto('shard').values(fresh).execute();
  return fresh;
}

export async function saveShard(trx: Trx, state: ShardState): Promise<void> {
  await trx
    .updateTable('shard')
    .set({ next_arrival: state.nextArrival, next_position: state.nextPosition })
    .where('shard', '=', state.shard)
    .execute();
}

export async function saveEpoch(trx: Trx, epoch: EpochTable): Promise<void> {
  const { no, mark, mark_chain, highest_seq, chain_ok } = epoch;
  await trx.updateTable('epoch').set({ mark, mark_chain, highest_seq, chain_ok }).where('no', '=', no).execute();
}

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
  const { fresh, duplicates, conflicts } = await sortOut(trx, epoch, batch.events, now);
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
  await claim(trx, epoch, last, chainHex(batch.chain));
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
  return { inserted: rows.length, duplicates, conflicts, walks: [...new Set(walks)] };
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
  if (other.length > 0) await keepConflicts(trx, epoch, other, now);
  return { fresh, conflicts: other.length, duplicates: events.length - fresh.length - other.length };
}

async function keepConflicts(trx: Trx, epoch: EpochTable, events: readonly StoredEvent[], now: string): Promise<void> {
  const { count } = await trx
    .selectFrom('conflict')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  const rows = events.slice(0, Math.max(0, MAX_CONFLICTS - count)).map((event) => {
    const body = JSON.stringify(event);
    return {
      epoch_no: epoch.no,
      seq: event.seq,
      hash: createHash('sha256').update(body).digest('hex'),
      body,
      noted: now,
    };
  });
  await insertOnce(trx, 'conflict', rows);
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

/** What the agent says its chain is at `seq`: proven at the mark, kept for later above it, not provable below. */
async function claim(trx: Trx, epoch: EpochTable, seq: number, chain: string): Promise<void> {
  if (seq === epoch.mark && chain !== epoch.mark_chain) epoch.chain_ok = 0;
  if (seq <= epoch.mark) return;
  const { count } = await trx
    .selectFrom('claim')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('epoch_no', '=', epoch.no)
    .executeTakeFirstOrThrow();
  if (count < MAX_CLAIMS) await insertOnce(trx, 'claim', [{ epoch_no: epoch.no, seq, chain }]);
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

/** Events that change what other events mean. Resolves to the epochs whose mark may move by it. */
async function sideEffects(
  trx: Trx,
  own: EpochTable,
  agent: string,
  events: readonly StoredEvent[],
  now: string,
): Promise<number[]> {
  const moved: number[] = [];
  for (const event of events) {
    const isLoss = event.type === fullType('history.lost');
    const isRevoke = event.type === fullType('event.revoked');
    if (!isLoss && !isRevoke) continue;
    const body = JSON.parse(event.data) as Record<string, unknown>;
    const target = await targetEpoch(trx, own, agent, body.epoch);
    if (target === null) continue;
    if (isRevoke && isSeq(body.seq)) {
      await insertOnce(trx, 'revoked', [{ epoch_no: target, seq: body.seq, by_epoch_no: own.no, by_seq: event.seq }]);
    }
    if (isLoss && isSeq(body.fromSeq) && isSeq(body.toSeq) && body.fromSeq <= body.toSeq) {
      const reason = String(body.reason).slice(0, 255);
      await insertOnce(trx, 'gap', [
        { epoch_no: target, from_seq: body.fromSeq, to_seq: body.toSeq, reason, noted: now },
      ]);
      moved.push(target);
    }
  }
  return moved;
}

/** The epoch that an event may speak of: its agent's own; central may speak of all that are known. */
async function targetEpoch(trx: Trx, own: EpochTable, agent: string, epoch: unknown): Promise<number | null> {
  if (typeof epoch !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(epoch)) return null;
  if (epoch === own.epoch) return own.no;
  const known = await trx.selectFrom('epoch').select(['no', 'agent_no']).where('epoch', '=', epoch).executeTakeFirst();
  if (known !== undefined) return known.agent_no === own.agent_no || agent === CENTRAL_AGENT ? known.no : null;
  return agent === CENTRAL_AGENT ? null : (await claimEpoch(trx, agent, epoch)).no;
}

async function noteSync(trx: Trx, agent: string, message: SyncMessage, now: string): Promise<number> {
  const epoch = await claimEpoch(trx, agent, message.epoch);
  epoch.highest_seq = Math.max(epoch.highest_seq, message.lastSeq);
  const trimmed = await missingRanges(trx, { ...epoch, highest_seq: message.firstSeq - 1 }, MAX_CLAIMS);
  for (const [from, to] of trimmed) {
    if (from >= message.firstSeq) continue;
    const lost = { epoch_no: epoch.no, from_seq: from, to_seq: to, reason: 'trimmed by the agent', noted: now };
    await insertOnce(trx, 'gap', [{ ...lost, to_seq: Math.min(to, message.firstSeq - 1) }]);
  }
  if (message.lastSeq > 0) await claim(trx, epoch, message.lastSeq, chainHex(message.chain));
  await saveEpoch(trx, epoch);
  await trx.updateTable('agent').set({ last_heard: now }).where('no', '=', epoch.agent_no).execute();
  return epoch.no;
}

function isSeq(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
