/** What is known of each agent, and collars that no cat wears. */
import type { Kysely } from 'kysely';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import type { Wearings } from '../models/model.ts';
import { readHeard } from './heard.ts';
import { createKeys, signedBy } from './keys.ts';
import type { AgentRow, UnassignedCollar } from './store.ts';
import type { EpochTable, Tables } from './tables.ts';
import { missingRanges } from './walk.ts';

/** Collars that are told: a place with more than these has another problem. */
const MAX_COLLARS = 1_000;

export async function agentRows(db: Kysely<Tables>): Promise<readonly AgentRow[]> {
  const agents = await db.selectFrom('agent').selectAll().where('name', '<>', CENTRAL_AGENT).orderBy('name').execute();
  const rows: AgentRow[] = [];
  const keys = await createKeys(db).keys();
  for (const agent of agents) {
    const newest = await db
      .selectFrom('event')
      .select('time')
      .where('agent_no', '=', agent.no)
      .orderBy('time', 'desc')
      .limit(1)
      .executeTakeFirst();
    const epochs = await db.selectFrom('epoch').selectAll().where('agent_no', '=', agent.no).orderBy('epoch').execute();
    rows.push({
      agent: agent.name,
      state: agent.state === 'online' || agent.state === 'offline' ? agent.state : 'unknown',
      session: agent.session,
      version: agent.version,
      signed: signedBy(keys.filter((key) => key.agent === agent.name)),
      lastHeard: agent.last_heard,
      lastEvent: newest?.time ?? null,
      lastStored: agent.last_stored,
      health: agent.health === null ? null : (JSON.parse(agent.health) as Record<string, unknown>),
      epochs: await Promise.all(epochs.map((epoch) => epochOf(db, epoch))),
      conflicts: await countOf(db, 'conflict', epochs),
      gaps: await countOf(db, 'gap', epochs),
      quarantined: await quarantinedOf(db, agent.name),
    });
  }
  return rows;
}

async function epochOf(db: Kysely<Tables>, epoch: EpochTable): Promise<AgentRow['epochs'][number]> {
  const missing = await missingRanges(db, epoch, Number.MAX_SAFE_INTEGER);
  return {
    epoch: epoch.epoch,
    mark: epoch.mark,
    highestSeq: epoch.highest_seq,
    missing: missing.reduce((sum, [from, to]) => sum + to - from + 1, 0),
    chainOk: epoch.chain_ok === 1,
  };
}

async function countOf(db: Kysely<Tables>, table: 'conflict' | 'gap', epochs: readonly EpochTable[]): Promise<number> {
  if (epochs.length === 0) return 0;
  const { n } = await db
    .selectFrom(table)
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where(
      'epoch_no',
      'in',
      epochs.map((epoch) => epoch.no),
    )
    .executeTakeFirstOrThrow();
  return n;
}

async function quarantinedOf(db: Kysely<Tables>, agent: string): Promise<number> {
  const { n } = await db
    .selectFrom('quarantine')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('agent', '=', agent)
    .executeTakeFirstOrThrow();
  return n;
}

/** Collars that were heard and that no cat wears now, newest first. */
export async function unassignedCollars(db: Kysely<Tables>, wearings: Wearings): Promise<readonly UnassignedCollar[]> {
  const found = new Map<string, UnassignedCollar>();
  const note = (one: UnassignedCollar) => {
    // A key above all keys: who wears it now?
    if (wearings.wearer(one.collar, '~') !== null) return;
    if (one.lastSeen > (found.get(one.collar)?.lastSeen ?? '')) found.set(one.collar, one);
  };
  for (const { collar, last_heard, name } of await readHeard(db)) note({ collar, lastSeen: last_heard, agent: name });
  for (const one of await collarsOfEvents(db, wearings)) note(one);
  return [...found.values()].sort((a, b) => (a.lastSeen < b.lastSeen ? 1 : -1)).slice(0, MAX_COLLARS);
}

/** Collars with events that no cat wears now. Steps from one to the next over the index, not over all events. */
async function collarsOfEvents(db: Kysely<Tables>, wearings: Wearings): Promise<readonly UnassignedCollar[]> {
  const found: UnassignedCollar[] = [];
  for (let after = 'collar/'; found.length < MAX_COLLARS; ) {
    const next = await db
      .selectFrom('event')
      .select((eb) => eb.fn.min('subject').as('subject'))
      .where('subject', '>', after)
      .where('subject', '<', 'collar0')
      .executeTakeFirst();
    if (next?.subject === undefined || next.subject === null) break;
    after = next.subject;
    const collar = after.slice('collar/'.length);
    if (wearings.wearer(collar, '~') !== null) continue;
    const newest = await db
      .selectFrom('event')
      .innerJoin('agent', 'agent.no', 'event.agent_no')
      .select(['event.time', 'agent.name'])
      .where('event.subject', '=', after)
      .where('agent.name', '<>', CENTRAL_AGENT)
      .orderBy('event.time', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (newest !== undefined) found.push({ collar, lastSeen: newest.time, agent: newest.name });
  }
  return found;
}
