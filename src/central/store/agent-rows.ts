/** What is known of each agent, and collars that no cat wears. */
import type { Kysely } from 'kysely';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import type { Wearings } from '../models/model.ts';
import { readHeard } from './heard.ts';
import { createKeys, signedBy } from './keys.ts';
import { countMissing } from './missing.ts';
import type { AgentRow, UnassignedCollar } from './store.ts';
import type { Tables } from './tables.ts';

/** Collars that are told: a place with more than these has another problem. */
const MAX_COLLARS = 1_000;

/** In the same number of queries for few agents and for many. */
export async function agentRows(db: Kysely<Tables>): Promise<readonly AgentRow[]> {
  const agents = await db.selectFrom('agent').selectAll().where('name', '<>', CENTRAL_AGENT).orderBy('name').execute();
  const keys = Map.groupBy(await createKeys(db).keys(), (key) => key.agent);
  const newest = await newestTimes(db);
  const [conflicts, gaps] = [await countByEpoch(db, 'conflict'), await countByEpoch(db, 'gap')];
  const quarantined = await countQuarantined(db);
  const all = await db.selectFrom('epoch').selectAll().orderBy('epoch').execute();
  const missing = await countMissing(db, all);
  const epochsOf = Map.groupBy(all, (epoch) => epoch.agent_no);
  return agents.map((agent): AgentRow => {
    const epochs = epochsOf.get(agent.no) ?? [];
    const sum = (counts: ReadonlyMap<number, number>) => epochs.reduce((n, { no }) => n + (counts.get(no) ?? 0), 0);
    return {
      agent: agent.name,
      state: agent.state === 'online' || agent.state === 'offline' ? agent.state : 'unknown',
      session: agent.session,
      version: agent.version,
      signed: signedBy(keys.get(agent.name) ?? []),
      lastHeard: agent.last_heard,
      lastEvent: newest.get(agent.no) ?? null,
      lastStored: agent.last_stored,
      health: agent.health === null ? null : (JSON.parse(agent.health) as Record<string, unknown>),
      epochs: epochs.map(({ no, epoch, mark, highest_seq, chain_ok }) => {
        return { epoch, mark, highestSeq: highest_seq, missing: missing.get(no) ?? 0, chainOk: chain_ok === 1 };
      }),
      conflicts: sum(conflicts),
      gaps: sum(gaps),
      quarantined: quarantined.get(agent.name) ?? 0,
    };
  });
}

/** Looked up for each agent in the index of its events: a maximum by groups would read all of them. */
async function newestTimes(db: Kysely<Tables>): Promise<ReadonlyMap<number, string | null>> {
  const rows = await db
    .selectFrom('agent')
    .select('agent.no')
    .select((eb) =>
      eb
        .selectFrom('event')
        .select('event.time')
        .whereRef('event.agent_no', '=', 'agent.no')
        .orderBy('event.time', 'desc')
        .limit(1)
        .as('newest'),
    )
    .execute();
  return new Map(rows.map(({ no, newest }) => [no, newest]));
}

async function countByEpoch(db: Kysely<Tables>, table: 'conflict' | 'gap'): Promise<ReadonlyMap<number, number>> {
  const rows = await db
    .selectFrom(table)
    .select((eb) => ['epoch_no', eb.fn.countAll<number>().as('n')])
    .groupBy('epoch_no')
    .execute();
  return new Map(rows.map(({ epoch_no, n }) => [epoch_no, n]));
}

async function countQuarantined(db: Kysely<Tables>): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom('quarantine')
    .select((eb) => ['agent', eb.fn.countAll<number>().as('n')])
    .groupBy('agent')
    .execute();
  return new Map(rows.map(({ agent, n }) => [agent, n]));
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
