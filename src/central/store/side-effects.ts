/** Events that change what other events mean: `history.lost`, `clock.synced`, `event.revoked` and `event.reassigned`. */
import type { Transaction } from 'kysely';
import { correctionOf } from '../../contract/correction.ts';
import { fullType, type StoredEvent } from '../../contract/event.ts';
import { lostRanges } from '../../contract/lost.ts';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import { upcast } from '../../contract/upcast.ts';
import { claimEpoch } from './agents.ts';
import { bootAt, makeDue, noteSync } from './clocks.ts';
import { type CorrectedEpoch, correctedBy, noteCorrection } from './corrections.ts';
import { addGaps, gapRoom } from './gaps.ts';
import { openShard } from './shard.ts';
import type { EpochTable, Tables } from './tables.ts';

type Trx = Transaction<Tables>;

const TYPES: readonly string[] = (['history.lost', 'clock.synced', 'event.revoked', 'event.reassigned'] as const).map(
  fullType,
);

export interface SideEffects {
  /** Epochs whose mark may move. */
  readonly walks: readonly number[];
  /** Times of events are to be moved: see `move-times.ts`. */
  readonly movesTimes: boolean;
}

/**
 * Events that change what other events mean, as they were received. What this program cannot read changes nothing, until one comes that
 * can. Rejects with code REFUSED as `addGaps` does: what is told as lost has one room for all of them.
 */
export async function sideEffects(
  trx: Trx,
  own: Pick<EpochTable, 'no' | 'epoch' | 'agent_no'>,
  agent: string,
  events: readonly StoredEvent[],
  now: string,
): Promise<SideEffects> {
  const walks: number[] = [];
  const room = gapRoom();
  let movesTimes = false;
  for (const event of events) {
    if (!TYPES.includes(event.type)) continue;
    const result = upcast(event);
    if (result.type === 'unknown') continue;
    const { type, data } = result.event;
    const correction = correctionOf(event);
    if (correction !== null) {
      const target = await targetEpoch(trx, own, agent, correction.epoch);
      if (target !== null) await noteCorrection(trx, { no: own.no, epoch: own.epoch, agent }, event, target);
      if (await correctsClock(trx, own.no, event.seq)) movesTimes = true;
    }
    if (type === 'clock.synced' && (await noteSync(trx, own, event))) movesTimes = true;
    // What contradicts itself explains nothing: the events stay missing, and are shown so.
    const lost = type === 'history.lost' ? lostRanges({ ...data }) : null;
    if (type !== 'history.lost' || lost === null) continue;
    const target = await targetEpoch(trx, own, agent, data.epoch);
    if (target === null) continue;
    await addGaps(trx, target.no, lost, data.reason.slice(0, 255), now, room);
    walks.push(target.no);
  }
  return { walks, movesTimes };
}

/** Is what the correction at this place is about in the end a `clock.synced`? Then the times of its boot are due. */
async function correctsClock(trx: Trx, epochNo: number, seq: number): Promise<boolean> {
  const corrected = await correctedBy(trx, { epochNo, seq });
  const boot = corrected === null ? null : await bootAt(trx, corrected.target.epochNo, corrected.target.seq);
  if (corrected === null || boot === null) return false;
  const epoch = trx.selectFrom('epoch').select('shard').where('no', '=', corrected.target.epochNo);
  await openShard(trx, (await epoch.executeTakeFirstOrThrow()).shard);
  await makeDue(trx, boot);
  return true;
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
