/** What corrections come to, by their definition and from all events at once: the measure for the store, which gets them one by one. */
import { correctionOf, mayCorrect, orderKey } from '../../../src/contract/correction.ts';
import type { StoredEvent } from '../../../src/contract/event.ts';

export type AgentEvent = StoredEvent & { readonly agent: string };

export interface Corrected {
  readonly revoked: boolean;
  readonly reassignedTo: number | null;
  readonly by: string | null;
}

export const idOf = ({ epoch, seq }: { readonly epoch: string; readonly seq: number }) => `${epoch}/${seq}`;

/** For each event, by id. */
export function correctAll(events: readonly AgentEvent[]): ReadonlyMap<string, Corrected> {
  const agents = new Map(events.map(({ epoch, agent }) => [epoch, agent]));
  const corrections = events.flatMap((event) => {
    const correction = correctionOf(event);
    if (correction === null) return [];
    const target = { agent: agents.get(correction.epoch) ?? event.agent, ...correction };
    return mayCorrect(event, target, correction)
      ? [{ id: idOf(event), key: orderKey(event), of: idOf(correction), catId: correction.catId }]
      : [];
  });
  const byId = new Map(corrections.map((correction) => [correction.id, correction]));
  const level = (id: string): number => {
    const correction = byId.get(id);
    return correction === undefined ? 0 : 1 + level(correction.of);
  };
  const isUndone = (id: string) => corrections.some(({ of, catId }) => of === id && catId === null);
  const inForce = corrections
    .filter(({ id, catId }) => (level(id) === 1 ? !isUndone(id) : level(id) === 2 && catId === null))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  return new Map(
    events.map((event) => {
      const mine = inForce.filter(({ of }) => of === idOf(event));
      const revoked = mine.filter(({ catId }) => catId === null).at(-1);
      const reassigned = mine.filter(({ catId }) => catId !== null).at(-1);
      const by = (revoked ?? reassigned)?.id ?? null;
      return [idOf(event), { revoked: revoked !== undefined, reassignedTo: reassigned?.catId ?? null, by }];
    }),
  );
}
