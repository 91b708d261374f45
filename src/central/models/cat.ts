/** One cat: (state, fact) → (state, change). Facts come in the order of their keys. */
import type { MeowingRow } from '../store/store.ts';
import type { CatFact, CatState, Evolved } from './model.ts';
import { believeSighted, type Sightings, sight } from './sightings.ts';

/** What is still being made. */
type Writable = Omit<CatState, 'sightings'> & { sightings?: Sightings };

export function startCat(catId: number): CatState {
  return {
    catId,
    name: null,
    isMeowed: false,
    location: null,
    locationSince: null,
    collar: null,
    lastSeen: null,
    batteryLow: false,
    silent: false,
    key: '',
  };
}

export function evolveCat(before: CatState, fact: CatFact): Evolved {
  const state: Writable = { ...before, key: fact.key };
  const seen = fact.fromCollar ? { lastSeen: fact.time, silent: false } : {};
  const { change } = fact;
  switch (change.type) {
    case 'named':
      return changed({ ...state, name: change.name }, fact, 'cat_name', before.name, change.name);
    case 'wears':
      // Its first collar: what it did so far, it did with this one.
      if (before.collar === null) return { state: { ...state, collar: change.collar }, row: null };
      // Nothing is known of the new collar yet: a shake of the old one ends with it.
      delete state.sightings;
      return changed(
        { ...state, collar: change.collar, isMeowed: false, batteryLow: false, silent: false },
        fact,
        'meow',
        flag(before.isMeowed),
        flag(false),
      );
    case 'moved': {
      const moved = before.location === change.to ? {} : { location: change.to, locationSince: fact.time };
      const { sightings } = before;
      const kept = sightings === undefined ? {} : { sightings: believeSighted(sightings, change.to) };
      return changed({ ...state, ...seen, ...kept, ...moved }, fact, 'location', before.location, change.to);
    }
    case 'sighted': {
      const { to, sightings } = sight(before, change, Date.parse(fact.time));
      const kept = sightings === null ? {} : { sightings };
      const moved = to === null || to === before.location ? {} : { location: to, locationSince: fact.time };
      return changed(
        { ...state, ...seen, ...kept, ...moved },
        fact,
        'location',
        before.location,
        to ?? before.location,
      );
    }
    case 'meow':
      return changed(
        { ...state, ...seen, isMeowed: change.shaking },
        fact,
        'meow',
        flag(before.isMeowed),
        flag(change.shaking),
      );
    case 'silent':
      return { state: { ...state, silent: true, lastSeen: later(before.lastSeen, change.lastSeen) }, row: null };
    case 'heard':
      return { state: { ...state, ...seen }, row: null };
    case 'battery':
      return { state: { ...state, ...seen, batteryLow: true }, row: null };
  }
}

function changed(
  state: CatState,
  fact: CatFact,
  eventType: MeowingRow['eventType'],
  oldValue: string | null,
  newValue: string | null,
): Evolved {
  if (oldValue === newValue) return { state, row: null };
  const { catId, location } = state;
  return {
    state,
    row: { id: fact.eventId, timestamp: fact.time, catId, location, eventType, oldValue, newValue },
  };
}

function flag(value: boolean): string {
  return value ? '1' : '0';
}

function later(a: string | null, b: string): string {
  return a !== null && a > b ? a : b;
}
