/** When agents last heard collars, from their health: kept beside the events and no part of any model. */
import type { Kysely, Transaction } from 'kysely';
import { decodeHeard } from '../../contract/message.ts';
import { insertOnce } from './insert-once.ts';
import type { Tables } from './tables.ts';

/** Collars that are kept for one agent; those heard longest ago go first. */
export const MAX_HEARD_PER_AGENT = 1_024;
/** The newest that are looked at for collars of no cat. */
const MAX_HEARD_READ = 4_096;

/** Notes the collars of a health message. Nothing moves back, and nothing is later than `ceiling`: agents' clocks may be wrong. */
export async function saveHeard(
  trx: Transaction<Tables>,
  agentNo: number,
  health: Readonly<Record<string, unknown>>,
  ceiling: string,
): Promise<void> {
  const told = decodeHeard(health);
  if (told.length === 0) return;
  const rows = await trx.selectFrom('heard').select(['collar', 'last_heard']).where('agent_no', '=', agentNo).execute();
  const known = new Map(rows.map((row) => [row.collar, row.last_heard]));
  for (const { collar, lastHeard } of told) {
    const time = lastHeard > ceiling ? ceiling : lastHeard;
    const before = known.get(collar);
    if (before !== undefined && before >= time) continue;
    known.set(collar, time);
    if (before === undefined) await insertOnce(trx, 'heard', [{ agent_no: agentNo, collar, last_heard: time }]);
    else {
      await trx
        .updateTable('heard')
        .set({ last_heard: time })
        .where('agent_no', '=', agentNo)
        .where('collar', '=', collar)
        .execute();
    }
  }
  const oldest = [...known].sort(([, a], [, b]) => (a < b ? 1 : -1)).slice(MAX_HEARD_PER_AGENT);
  for (const [collar] of oldest) {
    await trx.deleteFrom('heard').where('agent_no', '=', agentNo).where('collar', '=', collar).execute();
  }
}

/** Newest first; a collar stands once for each agent that heard it. */
export function readHeard(
  db: Kysely<Tables>,
): Promise<readonly { readonly collar: string; readonly last_heard: string; readonly name: string }[]> {
  return db
    .selectFrom('heard')
    .innerJoin('agent', 'agent.no', 'heard.agent_no')
    .select(['heard.collar', 'heard.last_heard', 'agent.name'])
    .orderBy('heard.last_heard', 'desc')
    .limit(MAX_HEARD_READ)
    .execute();
}
