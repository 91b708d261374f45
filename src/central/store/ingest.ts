/** Events in: one transaction a batch, then as many more as it takes to walk over what the batch has joined. */
import { setImmediate } from 'node:timers/promises';
import type { Kysely, Transaction } from 'kysely';
import { chainHex } from '../../contract/chain.ts';
import type { BatchEcho, SeqRange, SyncMessage } from '../../contract/message.ts';
import { shardOf } from '../../contract/topic.ts';
import { claimEpoch } from './agents.ts';
import { appendBatch } from './append.ts';
import { type Holdings, heldShard } from './fence.ts';
import { addGaps } from './gaps.ts';
import { moveTimes } from './move-times.ts';
import { claim, saveEpoch, saveShard } from './shard.ts';
import type { IngestBatch, IngestStore } from './store.ts';
import type { EpochTable, Tables } from './tables.ts';
import { transact } from './transact.ts';
import { MAX_RUNS, missingRanges, storedMessage, WALK_ROWS, walk } from './walk.ts';

/** Steps of a walk in one transaction. */
const WALK_STEPS = 100;

type Trx = Transaction<Tables>;

/** `holdings`: see `heldShard`. */
export function createIngest(
  db: Kysely<Tables>,
  holdings: Holdings | null,
  incarnation: () => string,
): Pick<IngestStore, 'ingest' | 'sync'> {
  const walkOn = async (epochNo: number) => {
    for (let more = true; more; ) {
      // A long walk must not keep the process from its keepalives.
      await setImmediate();
      more = await transact(db, async (trx) => {
        const read = trx.selectFrom('epoch').where('no', '=', epochNo);
        const shard = await heldShard(trx, (await read.select('shard').executeTakeFirstOrThrow()).shard, holdings);
        const epoch = await read.selectAll().executeTakeFirstOrThrow();
        const before = epoch.mark;
        let steps = 0;
        // Where many small gaps were told at once, each step is short: they share a flush.
        for (; steps < WALK_STEPS && epoch.mark - before < WALK_ROWS; steps += 1) {
          if (!(await walk(trx, epoch, shard))) break;
        }
        // A walk that moves nothing writes nothing, and so costs no flush.
        if (steps === 0) return false;
        await saveEpoch(trx, epoch);
        await saveShard(trx, shard);
        return epoch.highest_seq > epoch.mark;
      });
    }
  };
  const answer = async (epoch: EpochTable) => ({
    stored: await storedMessage(db, incarnation(), epoch),
    chainOk: epoch.chain_ok === 1,
  });
  const walked = (epochNo: number) =>
    db.selectFrom('epoch').selectAll().where('no', '=', epochNo).executeTakeFirstOrThrow();
  return {
    async ingest(batch, now) {
      const { epoch, token, walks, movesTimes, ...counted } = await transact(db, async (trx) => {
        const shard = await heldShard(trx, shardOf(batch.agent), holdings);
        const epoch = await claimEpoch(trx, batch.agent, (batch.events[0] ?? batch.bad?.[0])?.epoch ?? '');
        const appended = await appendBatch(trx, epoch, shard, batch, now);
        return { epoch, token: shard.token, ...appended };
      });
      // What was not committed is not held.
      holdings?.tokens.set(epoch.shard, token);
      for (const no of walks) await walkOn(no);
      if (movesTimes) await moveAll(db);
      const { stored, chainOk } = await answer(walks.length === 0 ? epoch : await walked(epoch.no));
      return { ...counted, stored: { ...stored, batch: echoOf(batch, counted.inserted) }, chainOk };
    },
    async sync(agent, message, now) {
      const epoch = await transact(db, (trx) => noteSync(trx, agent, message, now, holdings));
      // Islands and claims lie above the mark and not above the highest: without room between there is nothing to walk.
      if (epoch.highest_seq > epoch.mark) await walkOn(epoch.no);
      return { ...(await answer(await walked(epoch.no))).stored, batch: null };
    },
  };
}

/** What it does not come to, as when the process ends, the project loop does. */
async function moveAll(db: Kysely<Tables>): Promise<void> {
  do await setImmediate();
  while (await transact(db, moveTimes));
}

/** All of a batch that is new shows by the mark and by `need`. */
function echoOf({ events, chain }: IngestBatch, inserted: number): BatchEcho | null {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined || chain === null || inserted === events.length) return null;
  return { from: first.seq, to: last.seq, chain };
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
  const trimmed = await missingRanges(trx, { ...epoch, highest_seq: message.firstSeq - 1 }, MAX_RUNS);
  const below = trimmed.filter(([from]) => from < message.firstSeq);
  const gone = below.map(([from, to]): SeqRange => [from, Math.min(to, message.firstSeq - 1)]);
  await addGaps(trx, epoch.no, gone, 'trimmed by the agent', now);
  if (message.lastSeq > 0) await claim(trx, epoch, message.lastSeq, chainHex(message.chain), false);
  await saveEpoch(trx, epoch);
  await trx.updateTable('agent').set({ last_heard: now }).where('no', '=', epoch.agent_no).execute();
  return epoch;
}
