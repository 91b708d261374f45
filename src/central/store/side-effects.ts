/** Events that change what other events mean: `history.lost`, `event.revoked` and `event.reassigned`. */
import type { Transaction } from 'kysely';
import { correctionOf } from '../../contract/correction.ts';
import { fullType, type StoredEvent } from '../../contract/event.ts';
import { lostRanges } from '../../contract/lost.ts';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import { upcast } from '../../contract/upcast.ts';
import { claimEpoch } from './agents.ts';
import { type CorrectedEpoch, noteCorrection } from './corrections.ts';
import { addGaps } from './gaps.ts';
import type { EpochTable, Tables } from './tables.ts';

type Trx = Transaction<Tables>;

const TYPES: readonly string[] = (['history.lost', 'event.revoked', 'event.reassigned'] as const).map(fullType);

/**
 * Events that change what other events mean. Resolves to the epochs whose mark may move by it. What this program cannot read
 * changes nothing, until one comes that can.
 */
export async function sideEffects(
  trx: Trx,
  own: Pick<EpochTable, 'no' | 'epoch' | 'agent_no'>,
  agent: string,
  events: readonly StoredEvent[],
  now: string,
): Promise<number[]> {
  const moved: number[] = [];
  for (const event of events) {
    if (!TYPES.includes(event.type)) continue;
    const result = upcast(event);
    if (result.type === 'unknown') continue;
    const { type, data } = result.event;
    const correction = correctionOf(event);
    if (correction !== null) {
      const target = await targetEpoch(trx, own, agent, correction.epoch);
      if (target !== null) await noteCorrection(trx, { no: own.no, epoch: own.epoch, agent }, event, target);
    }
    // What contradicts itself explains nothing: the events stay missing, and are shown so.
    const lost = type === 'history.lost' ? lostRanges({ ...data }) : null;
    if (type !== 'history.lost' || lost === null) continue;
    const target = await targetEpoch(trx, own, agent, data.epoch);
    if (target === null) continue;
    await addGaps(trx, target.no, lost, data.reason.slice(0, 255), now);
    moved.push(target.no);
  }
  return moved;
}

/** The epoch that an event may speak of: its agent's own; central may speak of all that are known. */
async function targetEpoch(
  trx: Trx,
  own: Pick<EpochTable, 'no' | 'epoch' | 'agent_no'>,
  agent: string,
  epoch: string,
): Promise<CorrectedEpoch | null> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(epoch)) return null;
  if (epoch === own.epoch) return { no: own.no, epoch, agent };
  const known = await trx
    .selectFrom('epoch')
    .innerJoin('agent', 'agent.no', 'epoch.agent_no')
    .select(['epoch.no', 'epoch.agent_no', 'agent.name'])
    .where('epoch', '=', epoch)
    .executeTakeFirst();
  if (known !== undefined) {
    const may = known.agent_no === own.agent_no || agent === CENTRAL_AGENT;
    return may ? { no: known.no, epoch, agent: known.name } : null;
  }
  return agent === CENTRAL_AGENT ? null : { no: (await claimEpoch(trx, agent, epoch)).no, epoch, agent };
}
