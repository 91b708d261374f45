/** What is asked of the store where several centrals share it. */
import type { Kysely } from 'kysely';
import { highestToken, takeLead, takeShard } from './fence.ts';
import { createIngest } from './ingest.ts';
import { insertOnce } from './insert-once.ts';
import { readStatus } from './shard-status.ts';
import type { SharedStore, WorkerRow } from './shared-store.ts';
import type { Store } from './store.ts';
import type { Tables } from './tables.ts';
import { transact } from './transact.ts';

const DAY_MS = 86_400_000;

export function createShared(db: Kysely<Tables>, incarnation: () => string): SharedStore & Pick<Store, 'ofShard'> {
  return {
    takeShard: (shard, claim) => takeShard(db, shard, claim),
    takeLead: (claim) => takeLead(db, claim),
    ofShard: (shard, { owner, token }) => createIngest(db, { owner, tokens: new Map([[shard, token]]) }, incarnation),
    highestToken: () => highestToken(db),
    pulse: () => pulse(db),
    status: () => readStatus(db),
    saveWorker: (worker) => saveWorker(db, worker),
    async removeWorker(id) {
      await db.deleteFrom('worker').where('id', '=', id).execute();
    },
  };
}

async function pulse(db: Kysely<Tables>): Promise<string> {
  const arrived = db.selectFrom('shard').select((eb) => eb.fn.sum<number>('next_arrival').as('n'));
  const folded = db.selectFrom('model_cursor').select((eb) => eb.fn.sum<number>('arrival').as('n'));
  const heard = db.selectFrom('agent').select((eb) => [eb.fn.max('last_heard').as('at'), eb.fn.sum('session').as('n')]);
  const live = db.selectFrom('model_version').select('live');
  return JSON.stringify(await Promise.all([arrived, folded, heard, live].map((query) => query.execute())));
}

async function saveWorker(db: Kysely<Tables>, worker: WorkerRow): Promise<void> {
  const { id, host, pid, http, version, startedAt: started, heardAt: heard } = worker;
  const gone = new Date(Date.parse(heard) - DAY_MS).toISOString();
  await transact(db, async (trx) => {
    await insertOnce(trx, 'worker', [{ id, host, pid, http, version, started, heard }]);
    await trx.updateTable('worker').set({ heard, http }).where('id', '=', id).execute();
    await trx.deleteFrom('worker').where('heard', '<', gone).execute();
  });
}
