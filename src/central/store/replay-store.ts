/** What the store promises of its models' versions: made anew beside the live one, compared, swapped. */
import type { CatRow } from './store.ts';

export interface ReplayOptions {
  /** Builds a model of all before this time (RFC 3339), to be looked at; it never goes live. Null: of everything. */
  readonly to: string | null;
  /** Goes on with a version that is built and differs, instead of building one anew. */
  readonly accept: boolean;
  /** Which program folds: a version that another one began is not gone on with. */
  readonly program: string;
}

/** A version in the making. */
export interface Build {
  readonly version: number;
  /** Was begun by an earlier replay. */
  readonly resumed: boolean;
  /** All events that were stored when it was begun; of a past time, at most so many. */
  readonly total: number;
  /** How many of them are in. */
  readonly done: number;
  /**
   * Folds the next events in. What is committed stays: a later replay goes on from there. Rejects with code REPLAY_TAKEN when
   * another replay has taken this one over, SEGMENT_DAMAGED where a segment is not what was sealed: the message names it.
   */
  step(): Promise<BuildStep>;
  /** What it holds beside the version. */
  close(): void;
  /** Takes in what has come since, as far as the live version has it. Resolves to the number of events. */
  catchUp(): Promise<number>;
  /** The live version against this one at the same place of arrival. */
  compare(): Promise<Comparison>;
  /** One transaction. False: the live version has gone on meanwhile, catch up first. */
  swap(): Promise<boolean>;
  /** The cats of this version, as of a moment. */
  cats(at: Date): Promise<readonly CatRow[]>;
  /** SHA-256 over all rows of this version. */
  digest(): Promise<string>;
}

export interface BuildStep {
  /** Segments are read before anything is folded: no event counts yet then. */
  readonly phase: 'reading segments' | 'folding';
  readonly events: number;
  readonly segmentsLeft: number;
  readonly finished: boolean;
}

export interface Comparison {
  /** SHA-256 over the ordered rows. */
  readonly live: string;
  readonly rebuilt: string;
  readonly equal: boolean;
  /** Cats of which something arrived that the live version has not seen: compared up to there. */
  readonly inFlight: number;
  readonly cats: number;
  readonly difference: Difference | null;
}

/** The first one, by cat, then by time. */
export interface Difference {
  readonly model: 'cat' | 'meowing' | 'skipped';
  readonly catId: number;
  /** Of `meowing`: the time and event of the row. */
  readonly timestamp: string | null;
  readonly event: string | null;
  /** The columns that differ; all, where one side has no such row. */
  readonly live: Readonly<Record<string, unknown>> | null;
  readonly rebuilt: Readonly<Record<string, unknown>> | null;
}

export interface ReplayStore {
  /**
   * Begins the next version, or goes on with the one that was begun. Earlier ones that are neither live nor wanted are dropped. Rejects
   * with code EXPIRED where there are segments and no folder of them is named.
   */
  build(options: ReplayOptions): Promise<Build>;
  /** Brings the version that was live before up to now and makes it live again. Null: there is none. */
  swapBack(): Promise<{ readonly live: number; readonly previous: number } | null>;
  /** Folds everything in memory, a page at a time, and compares; writes nothing. */
  verifyModels(
    onPage: (events: number, of: number) => void,
  ): Promise<Comparison & { readonly version: number; readonly events: number }>;
  /** The cats as they were at a moment before which something is in segments: folded from the beginning, in bounded memory. */
  wholeCatsAt(at: Date): Promise<readonly CatRow[]>;
  close(): Promise<void>;
}
