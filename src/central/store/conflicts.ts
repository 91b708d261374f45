/** Events that came under a number which another event has: kept as evidence, never taken for the same. */
import { createHash } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import { insertOnce } from './insert-once.ts';
import type { Conflict, ConflictQuery } from './kept.ts';
import type { EpochTable, Tables } from './tables.ts';
import { countKept } from './tally.ts';
import { takeLock } from './transact.ts';

/** Conflicting events that are kept, of all agents and of one: a copied card brings what it wrote in weeks. */
export const MAX_CONFLICTS = 40_000;
export const MAX_CONFLICTS_OF_AGENT = 10_000;

type Trx = Transaction<Tables>;

/** Keeps what there is room for, once each. The rest is counted as dropped, for all to see. Resolves to how many that are. */
export async function keepConflicts(
  trx: Trx,
  epoch: EpochTable,
  events: readonly { readonly seq: number; readonly body: string }[],
  now: string,
): Promise<number> {
  if (events.length === 0) return 0;
  await takeLock(trx, 'quarantine');
  const room = await roomFor(trx, epoch.agent_no);
  const rows = events.map(({ seq, body }) => {
    const hash = createHash('sha256').update(body).digest('hex');
    return { epoch_no: epoch.no, seq, hash, body, noted: now };
  });
  const known = await trx
    .selectFrom('conflict')
    .select('hash')
    .where('epoch_no', '=', epoch.no)
    .where('seq', '>=', Math.min(...events.map(({ seq }) => seq)))
    .where('seq', '<=', Math.max(...events.map(({ seq }) => seq)))
    .execute();
  const hashes = new Set(known.map(({ hash }) => hash));
  const fresh = rows.filter(({ hash }) => !hashes.has(hash));
  await insertOnce(trx, 'conflict', fresh.slice(0, room));
  const dropped = Math.max(0, fresh.length - room);
  if (fresh.length === 0) return 0;
  const { name } = await trx
    .selectFrom('agent')
    .select('name')
    .where('no', '=', epoch.agent_no)
    .executeTakeFirstOrThrow();
  await countKept(trx, name, 'conflict', { noted: fresh.length, dropped });
  return dropped;
}

async function roomFor(trx: Trx, agentNo: number): Promise<number> {
  const all = trx.selectFrom('conflict').select((eb) => eb.fn.countAll<number>().as('n'));
  const own = all.where('epoch_no', 'in', (eb) => eb.selectFrom('epoch').select('no').where('agent_no', '=', agentNo));
  const [{ n }, { n: ofAgent }] = [await all.executeTakeFirstOrThrow(), await own.executeTakeFirstOrThrow()];
  return Math.max(0, Math.min(MAX_CONFLICTS - n, MAX_CONFLICTS_OF_AGENT - ofAgent));
}

/** In the order of epochs and numbers; `after` is how many to leave out. */
export async function readConflicts(
  db: Kysely<Tables>,
  { after, limit, agent }: ConflictQuery,
): Promise<readonly Conflict[]> {
  let select = db
    .selectFrom('conflict')
    .innerJoin('epoch', 'epoch.no', 'conflict.epoch_no')
    .innerJoin('agent', 'agent.no', 'epoch.agent_no')
    .select(['agent.name as agent', 'epoch.epoch', 'conflict.seq', 'conflict.noted', 'conflict.body'])
    .orderBy('conflict.epoch_no')
    .orderBy('conflict.seq')
    .orderBy('conflict.hash')
    .limit(limit)
    .offset(after);
  if (agent !== undefined) select = select.where('agent.name', '=', agent);
  return select.execute();
}
