/** From a stored event to what it means for cats. Never throws: what cannot be read is `skipped`, with the reason. */
import { alsoCorrected } from '../../contract/clock.ts';
import { correctionOf, orderKey } from '../../contract/correction.ts';
import { catOf, collarOf, type EventType, shortType } from '../../contract/event.ts';
import { type UpcastEvent, upcast } from '../../contract/upcast.ts';
import { FAINT_DBM } from '../../place/place-filter.ts';
import type { CatChange, FactKey, Meaning, ModelEvent } from './model.ts';

/** What tells of a cat or its collar. */
export const CAT_EVENTS = [
  'cat.named',
  'collar.assigned',
  'cat.moved',
  'collar.sighted',
  'meow.started',
  'meow.ended',
  'collar.silent',
  'collar.heard',
  'battery.low',
] as const satisfies readonly EventType[];

/** Characters of a place and of a receiver. */
const MAX_NAME = 64;

/** What the models are made of. Another event that cannot be read leaves nothing out of them. */
const NEEDED: ReadonlySet<string> = new Set<EventType>([...CAT_EVENTS, 'event.revoked', 'event.reassigned']);

export function factKey(event: Pick<ModelEvent, 'time' | 'agent' | 'epoch' | 'seq'>): FactKey {
  return orderKey(event);
}

export function meaningOf(stored: ModelEvent): Meaning {
  const skipped = (reason: string): Meaning => {
    const short = shortType(stored.type);
    return { type: 'skipped', reason, needed: short !== stored.type && NEEDED.has(short) };
  };
  const result = upcast(stored);
  if (result.type === 'unknown') return skipped(result.reason);
  const { event } = result;
  const key = factKey(stored);
  const eventId = `${stored.epoch}/${stored.seq}`;
  if (event.type === 'event.revoked' || event.type === 'event.reassigned') {
    const correction = correctionOf(stored);
    if (correction === null) return skipped(`${stored.type} names no event or no cat`);
    const { epoch, seq, catId } = correction;
    return catId === null ? { type: 'revoked', epoch, seq } : { type: 'reassigned', epoch, seq, catId };
  }
  if (event.type === 'collar.assigned') {
    const { catId, collar } = event.data;
    if (!isCatId(catId)) return skipped(`${catId} is no number of a cat`);
    return { type: 'assigned', assignment: { key, time: stored.time, eventId, catId, collar } };
  }
  const change = changeOf(event, stored);
  if (change === null) return { type: 'other' };
  const named = 'catId' in event.data ? event.data.catId : undefined;
  if (named !== undefined && named !== null && !isCatId(named)) return skipped(`${named} is no number of a cat`);
  // A name is given to the cat that it is given to: there is no other that it could have been about.
  const told = change.type === 'named' ? null : stored.reassignedTo;
  const catId = told ?? named ?? catOf(stored);
  const collar = collarOf(stored);
  if (catId === null && collar === null) return { type: 'other' };
  const isSensor = change.type === 'sighted' && change.dbm === null;
  const fromCollar = collar !== null && change.type !== 'silent' && change.type !== 'named' && !isSensor;
  return { type: 'fact', catId, collar, fact: { key, time: stored.time, eventId, fromCollar, change } };
}

function changeOf(event: UpcastEvent, stored: ModelEvent): CatChange | null {
  switch (event.type) {
    case 'cat.named':
      return { type: 'named', name: event.data.newName };
    case 'cat.moved':
      return { type: 'moved', to: event.data.to };
    case 'collar.sighted': {
      const { rssi, forMs = 0, motion } = event.data;
      const [place, sensor] = [shortened(event.data.place), shortened(event.data.sensor ?? '')];
      const dbm = motion === true ? null : (rssi ?? FAINT_DBM);
      return { type: 'sighted', place, receiver: `${stored.agent}\n${place}\n${sensor}`, dbm, forMs };
    }
    case 'meow.started':
      return { type: 'meow', shaking: true };
    case 'meow.ended':
      return { type: 'meow', shaking: false };
    case 'collar.silent':
      return { type: 'silent', lastSeen: alsoCorrected(event.data.lastSeen, stored) };
    case 'collar.heard':
      return { type: 'heard' };
    case 'battery.low':
      return { type: 'battery' };
    default:
      return null;
  }
}

/** A state keeps many of them, and a column of a database holds 64 kB. Ours are never longer. */
function shortened(name: string): string {
  return name.length <= MAX_NAME ? name : [...name].slice(0, MAX_NAME).join('');
}

function isCatId(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}
