/** Events that change what other events mean: `history.lost` and `event.revoked`. */
import type { Transaction } from 'kysely';
import { fullType, type StoredEvent } from '../../contract/event.ts';
import { lostRanges } from '../../contract/lost.ts';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import { claimEpoch } from './agents.ts';
import { addGaps } from './gaps.ts';
import { insertOnce } from './insert-once.ts';
import type { EpochTable, Tables } from './tables.ts';

type Trx = Transaction<Tables>;

/** Events that change what other events mean. Resolves to the epochs whose mark may move by it. */
export async function sideEffects(
  trx: Trx,
  own: EpochTable,
  agent: string,
  events: readonly StoredEvent[],
  now: string,
): Promise<number[]> {
  const moved: number[] = [];
  for (const event of events) {
    const isLoss = event.type === fullType('history.lost');
    const isRevoke = event.type === fullType('event.revoked');
    if (!isLoss && !isRevoke) continue;
    const body = JSON.parse(event.data) as Record<string, unknown>;
    const target = await targetEpoch(trx, own, agent, body.epoch);
    if (target === null) continue;
    if (isRevoke && isSeq(body.seq)) {
      await insertOnce(trx, 'revoked', [{ epoch_no: target, seq: body.seq, by_epoch_no: own.no, by_seq: event.seq }]);
    }
    // What contradicts itself explains nothing: the events stay missing, and are shown so.
    const lost = isLoss ? lostRanges(body) : null;
    if (lost !== null) {
      await addGaps(trx, target, lost, String(body.reason).slice(0, 255), now);
      moved.push(target);
    }
  }
  return moved;
}

/** The epoch that an event may speak of: its agent's own; central may speak of all that are known. */
async function targetEpoch(trx: Trx, own: EpochTable, agent: string, epoch: unknown): Promise<number | null> {
  if (typeof epoch !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(epoch)) return null;
  if (epoch === own.epoch) return own.no;
  const known = await trx.selectFrom('epoch').select(['no', 'agent_no']).where('epoch', '=', epoch).executeTakeFirst();
  if (known !== undefined) return known.agent_no === own.agent_no || agent === CENTRAL_AGENT ? known.no : null;
  return agent === CENTRAL_AGENT ? null : (await claimEpoch(trx, agent, epoch)).no;
}

function isSeq(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
