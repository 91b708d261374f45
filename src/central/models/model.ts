/** What the read models of cats speak: facts in, the state of each cat and its changes out. */
import type { CentralEvent, MeowingRow } from '../store/store.ts';
import type { Sightings } from './sightings.ts';

/**
 * The order of everything that happened: last writer wins by (time, agent, epoch, seq). A text that sorts as those do, so that
 * a database orders it too.
 */
export type FactKey = string;

export type CatChange =
  | { readonly type: 'named'; readonly name: string }
  /** The collar that the cat wears from now on; null when another cat has got it. */
  | { readonly type: 'wears'; readonly collar: string | null }
  | { readonly type: 'moved'; readonly to: string }
  /** One receiver heard it, or, `dbm` null, a motion sensor saw it. */
  | {
      readonly type: 'sighted';
      readonly place: string;
      readonly receiver: string;
      readonly dbm: number | null;
      readonly forMs: number;
    }
  | { readonly type: 'meow'; readonly shaking: boolean }
  | { readonly type: 'silent'; readonly lastSeen: string }
  | { readonly type: 'heard' }
  | { readonly type: 'battery' };

/** What of an event the models look at. */
export type ModelEvent = Pick<
  CentralEvent,
  | 'agent'
  | 'epoch'
  | 'seq'
  | 'type'
  | 'version'
  | 'subject'
  | 'time'
  | 'originalTime'
  | 'data'
  | 'revoked'
  | 'reassignedTo'
>;

/** One thing that happened to one cat. */
export interface CatFact {
  readonly key: FactKey;
  readonly time: string;
  /** `epoch/seq` of the event. */
  readonly eventId: string;
  /** Told by the collar itself: then the cat was seen. */
  readonly fromCollar: boolean;
  readonly change: CatChange;
}

/** Cat and collar belong together from this event on, until the collar or the cat is assigned anew. */
export interface Assignment {
  readonly key: FactKey;
  readonly time: string;
  readonly eventId: string;
  readonly catId: number;
  readonly collar: string;
}

/** What an event says to the models. */
export type Meaning =
  | {
      readonly type: 'fact';
      /** The cat that the event itself or a correction names, or null: then it is the cat that wears `collar`. */
      readonly catId: number | null;
      readonly collar: string | null;
      readonly fact: CatFact;
    }
  | { readonly type: 'assigned'; readonly assignment: Assignment }
  /** Corrections of the event at `epoch`/`seq`. */
  | { readonly type: 'revoked'; readonly epoch: string; readonly seq: number }
  | { readonly type: 'reassigned'; readonly epoch: string; readonly seq: number; readonly catId: number }
  /** Known, and nothing about a cat. */
  | { readonly type: 'other' }
  /**
   * An unknown type, a newer version, a body of another shape: kept in the store, noted, not folded. `needed`: of a type that the
   * models are made of, so that they may be wrong without it.
   */
  | { readonly type: 'skipped'; readonly reason: string; readonly needed: boolean };

/** A cat as far as it is folded. Survives JSON. */
export interface CatState {
  readonly catId: number;
  /** Null until a `cat.named` is known: such a cat is not shown. */
  readonly name: string | null;
  readonly isMeowed: boolean;
  readonly location: string | null;
  readonly locationSince: string | null;
  readonly collar: string | null;
  readonly lastSeen: string | null;
  readonly batteryLow: boolean;
  readonly silent: boolean;
  /** What receivers of several agents have heard; absent before the first sighting of the collar that it wears. */
  readonly sightings?: Sightings;
  /** Of the last fact; all facts up to here are in. Empty before the first. */
  readonly key: FactKey;
}

export interface Evolved {
  readonly state: CatState;
  /** The change as a row of `meowing`, or null where nothing of it changed. */
  readonly row: MeowingRow | null;
}

/** The time in which one cat wore one collar: facts with from < key < to belong to it. */
export interface Wearing {
  readonly catId: number;
  readonly collar: string;
  /** The assignment that began it. */
  readonly assigned: FactKey;
  /** Empty, below every key, where it reaches back to the beginning. */
  readonly from: FactKey;
  readonly fromTime: string;
  /** Null while it wears it. */
  readonly to: FactKey | null;
  readonly toTime: string | null;
}

export interface Wearings {
  /** The cat that wore this collar at that moment, or null. */
  wearer(collar: string, at: FactKey): number | null;
  ofCat(catId: number): readonly Wearing[];
  ofCollar(collar: string): readonly Wearing[];
  /** `wears` facts of a cat, in order. */
  changes(catId: number): readonly CatFact[];
}

/** The pure functions that the store is handed to build the models `cat` and `meowing`. */
export interface CatModel {
  key(event: Pick<ModelEvent, 'time' | 'agent' | 'epoch' | 'seq'>): FactKey;
  meaning(event: ModelEvent): Meaning;
  wearings(assignments: readonly Assignment[]): Wearings;
  start(catId: number): CatState;
  evolve(state: CatState, fact: CatFact): Evolved;
  /** Agents whose receivers heard the cat when this state came to be, by name. */
  heardBy(state: CatState): readonly string[];
}
