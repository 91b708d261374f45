/**
 * Pieces of work of many agents in one transaction: a commit costs a flush, however much is in it. What is refused is undone alone.
 * Where the transaction fails for what one of them is, each has a transaction of its own, so that one agent stops no other.
 */
import { type Kysely, sql, type Transaction } from 'kysely';
import { chainHex } from '../../contract/chain.ts';
import type { SyncMessage } from '../../contract/message.ts';
import { shardOf } from '../../contract/topic.ts';
import { claimEpoch, refused, saveHealth, saveState } from './agents.ts';
import { type Appended, appendBatch } from './append.ts';
import { wordsOf } from './dialect.ts';
import { type Holdings, heldShard, takingOver } from './fence.ts';
import { addGaps } from './gaps.ts';
import { isOfOne, isRefused } from './of-one.ts';
import { keepMessage } from './quarantine.ts';
import { claim, openShard, type ShardState, saveEpoch } from './shard.ts';
import type { IngestBatch, Work } from './store.ts';
import type { EpochTable, Tables } from './tables.ts';
import { transact } from './transact.ts';
import { MAX_RUNS, mayWalk, missingRanges } from './walk.ts';
import { type WalkRoom, walkOn, walkRoom, walkWithin } from './walk-on.ts';

type Trx = Transaction<Tables>;

export type Written = (
  | { readonly type: 'batch'; readonly batch: IngestBatch; readonly token: number; readonly appended: Appended }
  | { readonly type: 'sync' }
) & {
  readonly epoch: EpochTable;
  readonly walked: Walked;
};

/** Epochs whose mark has moved beyond what was written, and those of them that may go on. */
interface Walked {
  readonly moved: readonly number[];
  readonly left: readonly number[];
}

export type Outcomes = readonly (Written | { readonly type: 'noted' } | Failed)[];
type One = Outcomes[number];

interface Failed {
  readonly type: 'failed';
  readonly error: Error;
}

/**
 * Each piece is written when all before it are, and walked over: in which transactions, makes no difference to what is stored. Resolves
 * after the last commit. Rejects where the database can write nothing: then it is not known what is stored.
 */
export async function writeWorks(
  db: Kysely<Tables>,
  works: readonly Work[],
  holdings: Holdings | null,
  now: string,
): Promise<Outcomes> {
  const all: One[] = [];
  while (all.length < works.length) all.push(...(await writeSome(db, works.slice(all.length), holdings, now)));
  return all;
}

/** All of them, or the first ones up to one that leaves much to be walked over. */
async function writeSome(
  db: Kysely<Tables>,
  works: readonly Work[],
  holdings: Holdings | null,
  now: string,
): Promise<Outcomes> {
  let some: Outcomes;
  try {
    some = await writeTogether(db, works, holdings, now);
  } catch (error) {
    if (!isOfOne(error)) throw error;
    return works.length === 1 ? [{ type: 'failed', error }] : writeAlone(db, works, holdings, now);
  }
  // What was not committed is not held.
  for (const one of some) if (one.type === 'batch') holdings?.tokens.set(one.epoch.shard, one.token);
  for (const one of some) if ('walked' in one) await walkOn(db, one.walked.left, holdings);
  return some;
}

function writeTogether(
  db: Kysely<Tables>,
  works: readonly Work[],
  holdings: Holdings | null,
  now: string,
): Promise<Outcomes> {
  return transact(db, async (trx) => {
    // Begun again, it holds nothing of the try before.
    const held = holdings === null ? null : takingOver(holdings);
    const writing: Writing = { trx, held, now, room: walkRoom() };
    await lockShards(trx, works);
    const all: One[] = [];
    for (const work of works) {
      const write = () => writeWork(writing, work);
      const one = works.length === 1 ? await write() : await unlessRefused(trx, write);
      all.push(one);
      if ('walked' in one && one.walked.left.length > 0) break;
    }
    return all;
  });
}

/** What the pieces of one transaction share. */
interface Writing {
  readonly trx: Trx;
  readonly held: Holdings | null;
  readonly now: string;
  readonly room: WalkRoom;
}

/** Whatever an agent said after what cannot be written waits with it: its order holds. */
async function writeAlone(
  db: Kysely<Tables>,
  works: readonly Work[],
  holdings: Holdings | null,
  now: string,
): Promise<Outcomes> {
  const all: One[] = [];
  const stuck = new Map<string, Failed>();
  for (const work of works) {
    const agent = agentOf(work);
    const before = stuck.get(agent);
    const written = before === undefined ? await writeSome(db, [work], holdings, now) : [before];
    for (const one of written) if (one.type === 'failed' && !isRefused(one.error)) stuck.set(agent, one);
    all.push(...written);
  }
  return all;
}

/** In the order of their numbers, before anything else: two that want the same shards do not stand in each other's way. */
async function lockShards(trx: Trx, works: readonly Work[]): Promise<void> {
  if (!wordsOf(trx).rowLocks) return;
  const ordered = works.filter(({ type }) => type === 'batch' || type === 'sync');
  const shards = new Set(ordered.map((work) => shardOf(agentOf(work))));
  if (shards.size < 2) return;
  for (const shard of [...shards].sort((a, b) => a - b)) await openShard(trx, shard);
}

/** What is refused may have written something before that was known. */
async function unlessRefused(trx: Trx, write: () => Promise<One>): Promise<One> {
  await sql`savepoint one_work`.execute(trx);
  let written: One;
  try {
    written = await write();
  } catch (error) {
    if (!isRefused(error)) throw error;
    await sql`rollback to savepoint one_work`.execute(trx);
    written = { type: 'failed', error };
  }
  await sql`release savepoint one_work`.execute(trx);
  return written;
}

async function writeWork(writing: Writing, work: Work): Promise<One> {
  const { trx, held, now } = writing;
  switch (work.type) {
    case 'batch': {
      const { batch } = work;
      const shard = await heldShard(trx, shardOf(batch.agent), held);
      const epoch = await claimEpoch(trx, batch.agent, epochOf(batch));
      const appended = await appendBatch(trx, epoch, shard, batch, now);
      held?.tokens.set(epoch.shard, shard.token);
      const walked = await walkAfter(writing, epoch, appended.walks, shard);
      return { type: 'batch', batch, epoch, token: shard.token, appended, walked };
    }
    case 'sync': {
      const epoch = await noteSync(trx, work.agent, work.message, now, held);
      // Islands and claims lie above the mark and not above the highest: without room between there is nothing to walk.
      const walked = await walkAfter(writing, epoch, epoch.highest_seq > epoch.mark ? [epoch.no] : [], null);
      return { type: 'sync', epoch, walked };
    }
    case 'state':
      await saveState(trx, work.agent, work.message, work.heard);
      return { type: 'noted' };
    case 'health':
      await saveHealth(trx, work.agent, work.health, work.heard, now);
      return { type: 'noted' };
    case 'quarantine':
      await keepMessage(trx, work.message, now);
      return { type: 'noted' };
  }
}

/** `own`: what was written to, as it is saved now. `shard` null: it is looked up where something is to be walked. */
async function walkAfter(
  { trx, held, room }: Writing,
  own: EpochTable,
  epochNos: readonly number[],
  shard: ShardState | null,
): Promise<Walked> {
  const [moved, left]: [number[], number[]] = [[], []];
  for (const no of epochNos) {
    const epoch = await (no === own.no ? own : readEpoch(trx, no));
    if (!(await mayWalk(trx, epoch))) continue;
    moved.push(no);
    const of = shard?.shard === epoch.shard ? shard : await heldShard(trx, epoch.shard, held);
    if (await walkWithin(trx, epoch, of, room)) left.push(no);
  }
  return { moved, left };
}

function readEpoch(trx: Trx, no: number): Promise<EpochTable> {
  return trx.selectFrom('epoch').selectAll().where('no', '=', no).executeTakeFirstOrThrow();
}

async function noteSync(
  trx: Trx,
  agent: string,
  message: SyncMessage,
  now: string,
  holdings: Holdings | null,
): Promise<EpochTable> {
  const shard = shardOf(agent);
  // To be asked is no reason to take it.
  await heldShard(trx, shard, holdings?.owner === null && !holdings.tokens.has(shard) ? null : holdings);
  const epoch = await claimEpoch(trx, agent, message.epoch);
  epoch.highest_seq = Math.max(epoch.highest_seq, message.lastSeq);
  const gone = await missingRanges(trx, { ...epoch, highest_seq: message.firstSeq - 1 }, MAX_RUNS);
  await addGaps(trx, epoch.no, gone, 'trimmed by the agent', now);
  if (message.lastSeq > 0) await claim(trx, epoch, message.lastSeq, chainHex(message.chain), false);
  await saveEpoch(trx, epoch);
  await trx.updateTable('agent').set({ last_heard: now }).where('no', '=', epoch.agent_no).execute();
  return epoch;
}

function epochOf({ agent, events, bad = [] }: IngestBatch): string {
  const first = events[0] ?? bad[0];
  if (first === undefined) throw refused(`a batch of ${agent} holds nothing`);
  return first.epoch;
}

function agentOf(work: Work): string {
  switch (work.type) {
    case 'batch':
      return work.batch.agent;
    case 'quarantine':
      return work.message.agent;
    default:
      return work.agent;
  }
}
