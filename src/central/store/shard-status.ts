/** How far each shard has come, who has it, and who is there: as the store knows it. */
import type { Kysely } from 'kysely';
import { readLead } from './fence.ts';
import { liveTables, modelCursor } from './model-tables.ts';
import type { ShardRow, StoreStatus, WorkerRow } from './shared-store.ts';
import type { Tables, WorkerTable } from './tables.ts';

export async function readStatus(db: Kysely<Tables>): Promise<StoreStatus> {
  const folded = await modelCursor(db, await liveTables(db));
  const rows = await db.selectFrom('shard').selectAll().orderBy('shard').execute();
  const epochs = await db
    .selectFrom('epoch')
    .innerJoin('agent', 'agent.no', 'epoch.agent_no')
    .select(['epoch.shard', 'agent.name as agent', 'epoch.epoch', 'epoch.mark', 'epoch.highest_seq as highestSeq'])
    .orderBy('epoch.no')
    .execute();
  const shards: ShardRow[] = [];
  for (const { shard, owner, token, next_arrival, next_position } of rows) {
    const projected = folded.get(shard) ?? 0;
    const arrived = next_arrival - 1;
    shards.push({
      shard,
      owner,
      token,
      arrived,
      positioned: next_position - 1,
      projected,
      oldestWaiting: arrived > projected ? await timeAfter(db, shard, projected) : null,
      epochs: epochs.flatMap(({ shard: of, ...epoch }) => (of === shard ? [epoch] : [])),
    });
  }
  const workers = await db.selectFrom('worker').selectAll().orderBy('started').execute();
  return { lead: await readLead(db), workers: workers.map(workerRow), shards };
}

async function timeAfter(db: Kysely<Tables>, shard: number, arrival: number): Promise<string | null> {
  const next = db.selectFrom('event').select('time').where('shard', '=', shard).where('arrival', '>', arrival);
  return (await next.orderBy('arrival').limit(1).executeTakeFirst())?.time ?? null;
}

function workerRow({ id, host, pid, http, version, started, heard }: WorkerTable): WorkerRow {
  return { id, host, pid, http, version, startedAt: started, heardAt: heard };
}
