/** What is lost of an agent, and what is awaited: as ranges. */
import type { Kysely } from 'kysely';
import { type AgentGap, type GapStore, MAX_TOLD_GAPS } from './gap-store.ts';
import type { Tables } from './tables.ts';
import { missingRanges } from './walk.ts';

export function createGapReader(db: Kysely<Tables>): GapStore {
  return {
    async agentGaps(agent) {
      const epochs = await db
        .selectFrom('epoch')
        .innerJoin('agent', 'agent.no', 'epoch.agent_no')
        .selectAll('epoch')
        .where('agent.name', '=', agent)
        .orderBy('epoch.no')
        .execute();
      if (epochs.length === 0) return [];
      const lost = await db
        .selectFrom('gap')
        .innerJoin('epoch', 'epoch.no', 'gap.epoch_no')
        .select(['epoch.epoch', 'gap.from_seq as fromSeq', 'gap.to_seq as toSeq', 'gap.reason', 'gap.noted'])
        .where(
          'gap.epoch_no',
          'in',
          epochs.map(({ no }) => no),
        )
        .orderBy('gap.noted', 'desc')
        .orderBy('gap.epoch_no', 'desc')
        .orderBy('gap.from_seq', 'desc')
        .limit(MAX_TOLD_GAPS)
        .execute();
      const awaited: AgentGap[] = [];
      for (const epoch of epochs) {
        const ranges = await missingRanges(db, epoch, MAX_TOLD_GAPS - awaited.length);
        for (const [fromSeq, toSeq] of ranges)
          awaited.push({ epoch: epoch.epoch, fromSeq, toSeq, reason: null, noted: null });
        if (awaited.length === MAX_TOLD_GAPS) break;
      }
      return [...lost, ...awaited];
    },
  };
}
