/**
 * In which place a collar is, where nobody has calibrated: a forward filter over the places of the receivers that hear it, look
 * by look. The louder a place hears the collar, the likelier it is there; a collar that stays gains certainty, so that a signal
 * which a body hides for a moment moves nobody. Looks follow the clock of the readings: the pace of calls changes nothing. An agent
 * asks it of its own receivers, central of those of several agents.
 */
/** What is heard in so long counts as one look. */
export const LOOK_MS = 250;

export interface PlaceFilterSettings {
  /** A cat stays in a place for about so long before it walks on. */
  readonly stayMs: number;
  /** Another place wins with so much certainty, 0 … 1. */
  readonly certainty: number;
}

/** So much louder is e times as likely, for each look: signals of a radio in a home scatter by about as much. */
const SCATTER_DB = 8;
/** Fading takes more than this now and then: no look says more against a place. It says so of one that does not hear the collar. */
const MOST_DB = 30;
/** A receiver that has not heard the collar for so long does not count any more. */
export const UNHEARD_MS = 15_000;
/** A clock that lies so far back has started again; a little late is late. */
const RESTART_MS = 5_000;
/** The first place, also after a pause, waits for so long: by then every receiver has had its turn. */
export const FIRST_MS = 2_000;
/** What a motion sensor, or the memory of a restart, says of a place. */
const BELIEVED = 0.95;
/** However sure the filter is: so much stays possible. */
const LEAST = 1e-9;
/** The strength of a receiver that says only that it heard. */
export const FAINT_DBM = -100;
/** Receivers remembered for each collar; beyond it, the one that heard it longest ago is forgotten. */
export const MAX_RECEIVERS = 32;
/** Places remembered, also those that a motion sensor has named; beyond it, the least likely is forgotten. */
export const MAX_PLACES = 64;

interface Receiver {
  readonly place: string;
  /** The mean of its newest look. */
  dbm: number;
  /** When it heard the collar last. */
  atMs: number;
  /** It counts for so long after it. */
  holdMs: number;
  /** Of the look that is open. */
  sum: number;
  heard: number;
}

/** Belongs to the detector: a state handed in is given away. */
export interface PlaceFilter {
  readonly receivers: Map<string, Receiver>;
  /** By place; what is left of 1 is elsewhere, where no receiver stands. */
  readonly belief: Map<string, number>;
  /** The look that is open; NaN: none. */
  look: number;
  /** The look that `belief` is of; NaN before the first. */
  believedLook: number;
  /** When it began to listen, after silence. */
  sinceMs: number;
  /** From when on the newest belief may be told; NaN: it has been. */
  dueMs: number;
}

export interface PlaceVerdict {
  readonly place: string;
  readonly confidence: number;
  readonly atMs: number;
}

export function createPlaceFilter(): PlaceFilter {
  const nan = Number.NaN;
  return { receivers: new Map(), belief: new Map(), look: nan, believedLook: nan, sinceMs: nan, dueMs: nan };
}

export interface HeardAt {
  /** Where the receiver stands. */
  readonly place: string;
  readonly dbm: number;
  readonly atMs: number;
  /** How long it counts; UNHEARD_MS by default. */
  readonly holdMs?: number;
}

/** A receiver heard the collar. Looks that are over by then must have been weighed (weighPlaces). */
export function hearPlace(filter: PlaceFilter, receiver: string, heard: HeardAt): void {
  const { place, dbm, atMs, holdMs = UNHEARD_MS } = heard;
  const look = Math.floor(atMs / LOOK_MS);
  const newest = Number.isNaN(filter.look) ? filter.believedLook : filter.look;
  const passedMs = (look - newest) * LOOK_MS;
  if (passedMs < -RESTART_MS) startAgain(filter);
  if (!(passedMs < holdMs && passedMs >= -RESTART_MS)) filter.sinceMs = atMs;
  // What comes late belongs to the newest look.
  if (!(look <= filter.look)) filter.look = look < filter.believedLook ? filter.believedLook : look;
  let known = filter.receivers.get(receiver);
  if (known === undefined) {
    if (filter.receivers.size >= MAX_RECEIVERS) forgetOne(filter);
    known = { place, dbm, atMs, holdMs, sum: 0, heard: 0 };
    filter.receivers.set(receiver, known);
    addPlace(filter.belief, place);
  }
  known.atMs = Math.max(known.atMs, atMs);
  known.holdMs = holdMs;
  known.sum += dbm;
  known.heard += 1;
}

/** Time passes: a look that is over by `atMs` is weighed. Null: there is none, or no place is certain. */
export function weighPlaces(filter: PlaceFilter, atMs: number, settings: PlaceFilterSettings): PlaceVerdict | null {
  const endMs = (filter.look + 1) * LOOK_MS;
  if (atMs >= endMs) {
    weigh(filter, endMs, settings.stayMs);
    filter.dueMs = Math.max(endMs, filter.sinceMs + FIRST_MS);
  }
  const { dueMs } = filter;
  if (!(atMs >= dueMs)) return null;
  filter.dueMs = Number.NaN;
  for (const [place, confidence] of filter.belief) {
    if (confidence >= settings.certainty) return { place, confidence, atMs: dueMs };
  }
  return null;
}

/** Another witness says that the collar is in this place. */
export function believePlace(filter: PlaceFilter, place: string): void {
  const { belief } = filter;
  addPlace(belief, place);
  const before = belief.get(place) ?? 0;
  const wanted = Math.max(BELIEVED, before);
  for (const [other, share] of belief) belief.set(other, before < 1 ? (share * (1 - wanted)) / (1 - before) : 0);
  belief.set(place, wanted);
}

/** What was heard in the open look makes some places likelier. */
function weigh(filter: PlaceFilter, endMs: number, stayMs: number): void {
  const { receivers, belief, look } = filter;
  const loudest = new Map<string, number>();
  let best = Number.NEGATIVE_INFINITY;
  for (const receiver of receivers.values()) {
    if (receiver.heard > 0) receiver.dbm = receiver.sum / receiver.heard;
    receiver.sum = 0;
    receiver.heard = 0;
    if (endMs - receiver.atMs >= receiver.holdMs) continue;
    const { place, dbm } = receiver;
    loudest.set(place, Math.max(loudest.get(place) ?? Number.NEGATIVE_INFINITY, dbm));
    best = Math.max(best, dbm);
  }
  const passed = filter.believedLook <= look ? look - filter.believedLook : 1;
  // The collar may have walked, anywhere.
  const stays = Math.exp((-passed * LOOK_MS) / stayMs);
  const comes = (1 - stays) / (belief.size + 1);
  let known = 0;
  for (const share of belief.values()) known += share;
  let total = (stays * Math.max(0, 1 - known) + comes) * Math.exp(-MOST_DB / SCATTER_DB);
  for (const [place, share] of belief) {
    const below = Math.min(MOST_DB, best - (loudest.get(place) ?? Number.NEGATIVE_INFINITY));
    const now = (stays * share + comes) * Math.exp(-below / SCATTER_DB) + LEAST;
    belief.set(place, now);
    total += now;
  }
  for (const [place, share] of belief) belief.set(place, share / total);
  filter.believedLook = look;
  filter.look = Number.NaN;
}

/** A place that nobody knew is as likely as each of the others. */
function addPlace(belief: Map<string, number>, place: string): void {
  if (belief.has(place)) return;
  if (belief.size >= MAX_PLACES) {
    let least = place;
    for (const [other, share] of belief) if (share < (belief.get(least) ?? 1)) least = other;
    belief.delete(least);
  }
  const share = 1 / (belief.size + 2);
  for (const [other, before] of belief) belief.set(other, before * (1 - share));
  belief.set(place, share);
}

/** What was heard before the clock started again says nothing of when; what is believed stays. */
function startAgain(filter: PlaceFilter): void {
  filter.receivers.clear();
  filter.look = Number.NaN;
  filter.believedLook = Number.NaN;
  filter.dueMs = Number.NaN;
}

function forgetOne({ receivers, belief }: PlaceFilter): void {
  let oldest: string | null = null;
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const [name, { atMs }] of receivers) {
    if (atMs < oldestMs) [oldest, oldestMs] = [name, atMs];
  }
  if (oldest === null) return;
  const place = receivers.get(oldest)?.place ?? '';
  receivers.delete(oldest);
  for (const other of receivers.values()) if (other.place === place) return;
  belief.delete(place);
}
