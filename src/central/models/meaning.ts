/** From a stored event to what it means for cats. Never throws: what cannot be read is `skipped`, with the reason. */
import { catOf, collarOf, fullType } from '../../contract/event.ts';
import { type UpcastEvent, upcast } from '../../contract/upcast.ts';
import type { CentralEvent } from '../store/store.ts';
import type { CatChange, FactKey, Meaning } from './model.ts';

/** Sorts by (time, agent, epoch, seq): times have one width, a space sorts before all that a name may hold. */
export function factKey(event: Pick<CentralEvent, 'time' | 'agent' | 'epoch' | 'seq'>): FactKey {
  return `${event.time} ${event.agent} ${event.epoch} ${String(event.seq).padStart(16, '0')}`;
}

export function meaningOf(stored: CentralEvent): Meaning {
  const result = read(stored);
  if (result.type === 'unknown') return { type: 'skipped', reason: result.reason };
  const { event } = result;
  const key = factKey(stored);
  const eventId = `${stored.epoch}/${stored.seq}`;
  if (event.type === 'event.revoked') return { type: 'revoked', epoch: event.data.epoch, seq: event.data.seq };
  if (event.type === 'collar.assigned') {
    const { catId, collar } = event.data;
    if (!isCatId(catId)) return { type: 'skipped', reason: `${catId} is no number of a cat` };
    return { type: 'assigned', assignment: { key, time: stored.time, eventId, catId, collar } };
  }
  const change = changeOf(event);
  if (change === null) return { type: 'other' };
  const named = 'catId' in event.data ? event.data.catId : undefined;
  if (named !== undefined && named !== null && !isCatId(named))
    return { type: 'skipped', reason: `${named} is no number of a cat` };
  const catId = named ?? catOf(stored);
  const collar = collarOf(stored);
  if (catId === null && collar === null) return { type: 'other' };
  const fromCollar = collar !== null && change.type !== 'silent' && change.type !== 'named';
  return { type: 'fact', catId, collar, fact: { key, time: stored.time, eventId, fromCollar, change } };
}

function read(event: CentralEvent): ReturnType<typeof upcast> {
  // A stranger's type is not ours, even where it has the short name of one of ours.
  if (event.type !== fullType(event.type)) return { type: 'unknown', reason: `type ${event.type} is not known` };
  try {
    return upcast(event);
  } catch (error) {
    return { type: 'unknown', reason: `data of ${event.type} cannot be read: ${String(error)}` };
  }
}

function changeOf(event: UpcastEvent): CatChange | null {
  switch (event.type) {
    case 'cat.named':
      return { type: 'named', name: event.data.newName };
    case 'cat.moved':
      return { type: 'moved', to: event.data.to };
    case 'meow.started':
      return { type: 'meow', shaking: true };
    case 'meow.ended':
      return { type: 'meow', shaking: false };
    case 'collar.silent':
      return { type: 'silent', lastSeen: event.data.lastSeen };
    case 'collar.heard':
      return { type: 'heard' };
    case 'battery.low':
      return { type: 'battery' };
    default:
      return null;
  }
}

function isCatId(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}
