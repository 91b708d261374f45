/**
 * Where a cat is by what the receivers of several agents heard of its collar, weighed together by the filter that an agent asks of
 * its own. All in plain values: a state is kept as JSON, and one that was kept goes on as if it had never been.
 */
import {
  believePlace,
  createPlaceFilter,
  hearPlace,
  LOOK_MS,
  type PlaceFilter,
  type PlaceFilterSettings,
  UNHEARD_MS,
  weighPlaces,
} from '../../place/place-filter.ts';

/**
 * Part of what the models are made of, as their code is: another value would be another history at the next replay. Each sighting is a
 * mean over seconds: less certainty is enough.
 */
const SETTINGS: PlaceFilterSettings = { stayMs: 60_000, certainty: 0.8 };
/** A receiver that says nothing for so many of its times does not hear the collar any more. */
const HELD_TIMES = 2.5;
/** To so much a share is kept. */
const SHARE = 1e9;

type KeptReceiver = readonly [receiver: string, place: string, dbm: number, atMs: number, holdMs: number];

/** Survives JSON. */
export interface Sightings {
  /** How many there were: a state far behind is no good place to go back to. */
  readonly facts: number;
  readonly receivers: readonly KeptReceiver[];
  readonly belief: readonly (readonly [place: string, share: number])[];
  readonly look: number;
  readonly sinceMs: number;
}

interface SightedChange {
  readonly place: string;
  readonly receiver: string;
  /** Null: a motion sensor. */
  readonly dbm: number | null;
  readonly forMs: number;
}

/** `location`: where the cat was before, whoever said so. `to`: where it is for certain; null where nobody can say. */
export function sight(
  { sightings, location }: { readonly sightings?: Sightings; readonly location: string | null },
  { place, receiver, dbm, forMs }: SightedChange,
  atMs: number,
): { readonly sightings: Sightings | null; readonly to: string | null } {
  if (dbm === null) return { sightings: sightings === undefined ? null : believeSighted(sightings, place), to: place };
  const filter = sightings === undefined ? createPlaceFilter() : unpack(sightings);
  if (sightings === undefined && location !== null) believePlace(filter, location);
  hearPlace(filter, receiver, { place, dbm, atMs, holdMs: Math.max(UNHEARD_MS, HELD_TIMES * forMs) });
  // Each is a mean over seconds: nothing that is to come belongs to the same look.
  const verdict = weighPlaces(filter, (filter.look + 1) * LOOK_MS, SETTINGS);
  return { sightings: pack(filter, (sightings?.facts ?? 0) + 1), to: verdict?.place ?? null };
}

/** Another witness, or a person, says that the cat is in this place. */
export function believeSighted(sightings: Sightings, place: string): Sightings {
  const filter = unpack(sightings);
  believePlace(filter, place);
  return pack(filter, sightings.facts + 1);
}

/** Agents one of whose receivers counts in the newest look, by name. */
export function heardBy({ receivers, look }: Sightings): readonly string[] {
  const endMs = (look + 1) * LOOK_MS;
  const counting = receivers.filter(([, , , atMs, holdMs]) => endMs - atMs < holdMs);
  return [...new Set(counting.map(([receiver]) => receiver.split('\n', 1)[0] ?? ''))].sort();
}

function pack({ receivers, belief, believedLook, sinceMs }: PlaceFilter, facts: number): Sightings {
  return {
    facts,
    receivers: Array.from(
      receivers,
      ([name, { place, dbm, atMs, holdMs }]): KeptReceiver => [name, place, rounded(dbm), atMs, holdMs],
    ),
    belief: Array.from(belief, ([place, share]) => [place, Math.round(share * SHARE) / SHARE] as const),
    look: believedLook,
    sinceMs,
  };
}

function unpack({ receivers, belief, look, sinceMs }: Sightings): PlaceFilter {
  const filter = createPlaceFilter();
  for (const [name, place, dbm, atMs, holdMs] of receivers)
    filter.receivers.set(name, { place, dbm, atMs, holdMs, sum: 0, heard: 0 });
  for (const [place, share] of belief) filter.belief.set(place, share);
  filter.believedLook = look;
  filter.sinceMs = sinceMs;
  return filter;
}

/** To a tenth. JSON knows no negative zero. */
function rounded(dbm: number): number {
  return Math.round(dbm * 10) / 10 || 0;
}
