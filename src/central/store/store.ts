/**
 * What the central store promises. Written by the receive loop (events, marks, agents), by CatService (central's own events)
 * and by the project loop (models); read by the API. SQL stays behind these functions.
 */
import type { ChainHash, ChainPoint } from '../../contract/chain.ts';
import type { NewEvent, StoredEvent } from '../../contract/event.ts';
import type { StateMessage, StoredMessage, SyncMessage } from '../../contract/message.ts';
import type { BadItem } from '../../contract/sorted-batch.ts';
import type { AccessStore } from './access-store.ts';
import type { CheckStore } from './check-store.ts';
import type { AppliedCorrection } from './corrections.ts';
import type { FoldStatus, Stopped, StoredVersion } from './fold-status.ts';
import type { GapStore } from './gap-store.ts';
import type { QuarantineMessage, QuarantineStore } from './kept.ts';
import type { KeyStore } from './key-store.ts';
import type { NoticeStore } from './notice-store.ts';
import type { RecoverableStore } from './recoverable.ts';
import type { RetentionStore } from './retention-store.ts';
import type { Claim, SharedStore } from './shared-store.ts';
import type { ToldStore } from './told-store.ts';

/** An event with what central added to it. Its `time` is when it happened, as far as central knows. */
export interface CentralEvent extends StoredEvent {
  /** What the agent's clock said, which was not set: `time` was corrected by a `clock.synced`. Absent or null: `time` is what it said. */
  readonly originalTime?: string | null;
  readonly agent: string;
  readonly shard: number;
  /** Gapless per shard, in arrival order; given in the transaction that inserted the row. */
  readonly arrival: number;
  /** Gapless per shard, in each agent's order; null until the event is contiguous. */
  readonly position: number | null;
  /** Has an `event.revoked` taken it back? Then the models count it as if it had never been. */
  readonly revoked: boolean;
  /** The cat that it belongs to by an `event.reassigned`, or null. */
  readonly reassignedTo: number | null;
  /** The correction that says so: of several the newest, and one that takes back before one that reassigns. */
  readonly correction: AppliedCorrection | null;
  /** Where it was asked for, and sightings up to this one gave a cat its place. Made by the models: another replay may say otherwise. */
  readonly fused?: FusedPlace;
}

export interface FusedPlace {
  readonly catId: number;
  readonly from: string | null;
  readonly to: string;
  /** 0 to 1; absent where a motion sensor says it alone. */
  readonly confidence?: number;
  /** Those that heard the cat, or the one whose motion sensor saw it. */
  readonly agents: readonly string[];
}

/** A place in all shards' orders: shard → last number seen. Encoded as text for clients by `cursor.ts`. */
export type Cursor = ReadonlyMap<number, number>;

export interface IngestResult {
  readonly stored: StoredMessage;
  readonly inserted: number;
  readonly duplicates: number;
  readonly conflicts: number;
  /** Conflicts for which there was no room: counted, and not kept. */
  readonly unkept: number;
  /** Bad items that are in quarantine now, with a gap in their place; and those for which there was no room: they come again. */
  readonly rejected: number;
  readonly waiting: number;
  /** False once the epoch's chain has differed from the agent's: said in the log, and shown with the agent. */
  readonly chainOk: boolean;
}

/** Which events; all conditions hold at once. */
export interface EventFilter {
  /** Full types (`collard.meow.ended`). */
  readonly types?: readonly string[];
  readonly catId?: number;
  readonly collar?: string;
  readonly agent?: string;
  /** Inclusive from, exclusive to, RFC 3339 in UTC. */
  readonly from?: string;
  readonly to?: string;
}

export interface EventQuery extends EventFilter {
  readonly after?: Cursor;
  readonly limit: number;
}

export interface EventPage {
  readonly events: readonly CentralEvent[];
  /** Give it back as `after` (or `before`) for the following page; equal to what came when there is nothing more. */
  readonly next: string;
}

/** How far somebody has come in all events. Survives JSON. */
export interface WholePlace {
  /** Of each epoch the last seq of its segments. */
  readonly sealed: Readonly<Record<string, number>>;
  /** A cursor of the order of time in the rows; null where none was given yet. */
  readonly rows: string | null;
}

/** Segments first, epoch by epoch, then the rows by time. */
export interface WholeEvents {
  /** Empty: that was all. */
  next(limit: number): Promise<readonly CentralEvent[]>;
  /** Behind what was given. */
  place(): WholePlace;
  /** The cats that an event was told of or given to. */
  cats(event: CentralEvent): readonly number[];
  close(): Promise<void>;
}

/** A row of the read model `cat`. */
export interface CatRow {
  readonly id: number;
  readonly name: string;
  /** Shaking now. */
  readonly isMeowed: boolean;
  readonly location: string | null;
  /** When it came to `location`. */
  readonly locationSince: string | null;
  /** How sure its sightings by several agents are of `location`, 0 to 1; absent where there are none. */
  readonly confidence?: number;
  readonly collar: string | null;
  /** The newest event of its collar. */
  readonly lastSeen: string | null;
  /** The newest sign of its collar: an event, or what an agent's health says. No part of the fold. */
  readonly lastHeard: string | null;
  readonly meowsToday: number;
  readonly batteryLow: boolean;
  readonly silent: boolean;
}

/** A row of the read model `meowing`: one change, newest value and the value before. */
export interface MeowingRow {
  readonly id: string;
  readonly timestamp: string;
  readonly catId: number;
  readonly location: string | null;
  readonly eventType: 'cat_name' | 'location' | 'meow';
  readonly oldValue: string | null;
  readonly newValue: string | null;
}

export interface AgentRow {
  readonly agent: string;
  readonly state: 'online' | 'offline' | 'unknown';
  readonly session: number;
  readonly version: string;
  /** Must it sign? By a key that a person enrolled, by the first that was heard, or it is heard no more. */
  readonly signed: 'unsigned' | 'verified' | 'first-use' | 'revoked';
  /** When central last heard anything of it. */
  readonly lastHeard: string | null;
  /** The newest event of it that is stored. */
  readonly lastEvent: string | null;
  readonly lastStored: string | null;
  /** The health message as it came, or null. */
  readonly health: Readonly<Record<string, unknown>> | null;
  readonly epochs: readonly {
    readonly epoch: string;
    readonly mark: number;
    /** The highest seq that central knows to exist. */
    readonly highestSeq: number;
    readonly missing: number;
    readonly chainOk: boolean;
  }[];
  readonly conflicts: number;
  readonly gaps: number;
  /** Messages of it in quarantine. */
  readonly quarantined: number;
}

/** A collar that was heard and belongs to no cat. */
export interface UnassignedCollar {
  readonly collar: string;
  /** Its newest event, or what the health of `agent` says. */
  readonly lastSeen: string;
  readonly agent: string;
}

/** Consecutive events of one epoch, with holes where an item is bad. */
export interface IngestBatch {
  readonly agent: string;
  readonly events: readonly StoredEvent[];
  /** chain at the last item; null where nobody told. */
  readonly chain: ChainHash | null;
  readonly bad?: readonly BadItem[];
  /** Where it came from: noted with bad items. */
  readonly topic?: string;
}

/** A piece of what the receive loop gives to the store: what one agent said. `heard` null: when it said so is not known (a retained message). */
export type Work =
  | { readonly type: 'batch'; readonly batch: IngestBatch }
  | { readonly type: 'sync'; readonly agent: string; readonly message: SyncMessage }
  | { readonly type: 'state'; readonly agent: string; readonly message: StateMessage; readonly heard: string | null }
  | {
      readonly type: 'health';
      readonly agent: string;
      readonly health: Readonly<Record<string, unknown>>;
      readonly heard: string | null;
    }
  | { readonly type: 'quarantine'; readonly message: QuarantineMessage };

export type Outcome =
  | { readonly type: 'ingested'; readonly result: IngestResult }
  | { readonly type: 'answered'; readonly stored: StoredMessage }
  | { readonly type: 'noted' }
  /** Nothing of it is stored. Code REFUSED: it never will be. Else what the database says of it, or of one that came before it. */
  | { readonly type: 'failed'; readonly error: Error };

/** What the receive loop needs. */
export interface IngestStore {
  readonly incarnation: string;
  /** One transaction. Resolves after the commit; then `stored` may be sent. Rejects with `code` and nothing is stored. */
  ingest(batch: IngestBatch, now: string): Promise<IngestResult>;
  /** Notes what the agent says it holds (first and last seq, so also gaps that it can no longer fill) and answers. */
  sync(agent: string, message: SyncMessage, now: string): Promise<StoredMessage>;
  /**
   * All of it in one transaction, in this order, each with the outcome that it would have alone: what cannot be written stops no other
   * agent. Resolves after the commit, to an outcome for each. Rejects where the database can write nothing now, and of what it was
   * given nothing is known.
   */
  ingestAll(works: readonly Work[], now: string): Promise<readonly Outcome[]>;
}

/** What commands need: central's own events, decided inside the transaction that appends them. */
export interface CommandStore {
  /**
   * `decide` reads through `view` and returns the events to append; one transaction, serialised with other commands.
   * `cats`, as without a word: it sees the cats of this moment. Rejects with code MODEL_STOPPED where the models stand still.
   * `correction`: it looks at events only, is folded at once, and may be what lets the models go on. `note`: it looks at events
   * only, and the project loop folds it. `notify`: who outside is to be told of these events, kept with them.
   */
  command<T>(
    now: string,
    decide: (view: CommandView) => Promise<{ events: readonly NewEvent[]; result: T; notify?: readonly string[] }>,
    kind?: 'cats' | 'correction' | 'note',
  ): Promise<T>;
}

export interface CommandView {
  /** As the log has them at this moment, by number. */
  cats(): Promise<readonly CatRow[]>;
  catByName(name: string): Promise<CatRow | null>;
  cat(id: number): Promise<CatRow | null>;
  /** One more than the highest id that was ever given. */
  nextCatId(): Promise<number>;
  event(epoch: string, seq: number): Promise<CentralEvent | null>;
  /** The newest events that name this cat themselves, newest first. */
  newestOf(catId: number, types: readonly string[], limit: number): Promise<readonly CentralEvent[]>;
  /** Of the start of a shake its end, and of the end its start; null where there is none, or the event is neither. */
  otherHalf(event: CentralEvent): Promise<CentralEvent | null>;
}

/** What the API and the commands that print need. */
export interface ReadStore {
  /**
   * In the order of positions: who goes on from `next` misses nothing that comes late. Rejects with code BAD_CURSOR where `after` is ahead
   * of the store, as one of before a restore may be.
   */
  events(query: EventQuery): Promise<EventPage>;
  /**
   * Newest first, by time; `before` is an opaque cursor of this order. `fused`: sightings by which a cat got its place are among them,
   * whatever types are asked for, and say so.
   */
  newest(
    query: EventFilter & { readonly limit: number; readonly before?: string; readonly fused?: boolean },
  ): Promise<EventPage>;
  /**
   * For several questions that belong together: who wore which collar is read once, for the first that needs it, and holds for all
   * of them. What was assigned since then is seen by the next look only.
   */
  oneLook(): Pick<ReadStore, 'newest'>;
  /** Oldest first, by time; `after` is an opaque cursor of this order. What comes late may lie before it. */
  oldest(query: EventFilter & { readonly limit: number; readonly after?: string }): Promise<EventPage>;
  /** One event by its key, or null. */
  event(epoch: string, seq: number): Promise<CentralEvent | null>;
  /**
   * All of a filter once, from the segments of this folder and from the rows; on from a place, or from the beginning. Rejects with code
   * EXPIRED where there are segments and no folder is named; the events reject with SEGMENT_DAMAGED.
   */
  whole(dir: string | undefined, filter: EventFilter, from: WholePlace | null): Promise<WholeEvents>;
  /** What is older than this time may be in segments only; empty where nothing was deleted. */
  horizon(): Promise<string>;
  /** In arrival order, for followers: live events first seen first. */
  arrivals(after: Cursor, limit: number): Promise<{ readonly events: readonly CentralEvent[]; readonly next: Cursor }>;
  /** The arrival cursor of now: a follower that starts here sees only what comes. */
  arrivalHead(): Promise<Cursor>;
  cats(now: Date): Promise<readonly CatRow[]>;
  catsAt(at: Date): Promise<readonly CatRow[]>;
  catHistory(catId: number, limit: number): Promise<readonly MeowingRow[]>;
  /** Events that are or were of this cat and that a correction in force is about, newest first. */
  correctedEvents(catId: number, limit: number): Promise<readonly CentralEvent[]>;
  agents(): Promise<readonly AgentRow[]>;
  unassignedCollars(): Promise<readonly UnassignedCollar[]>;
  /**
   * chain of an epoch at `seq`, recomputed from the stored rows, from `since` on where that is known; null where rows are missing.
   * `onHashed`: how far it is.
   */
  chainAt(epoch: string, seq: number, since?: ChainPoint, onHashed?: (seq: number) => void): Promise<ChainHash | null>;
  counts(): Promise<{
    readonly events: number;
    readonly conflicts: number;
    readonly quarantined: number;
    readonly gaps: number;
    /** Events that the models leave out: of unknown type, newer version or another shape. */
    readonly skipped: number;
  }>;
  /** What the models leave out, and where they stand still. */
  foldStatus(): Promise<FoldStatus>;
  /** What is stored, by type and version; reads all of it. */
  versions(): Promise<readonly StoredVersion[]>;
}

export interface ProjectStore {
  /** Folds up to `limit` events that no model has seen, in one transaction; tells which cats changed and which meows began. */
  project(limit: number): Promise<Projected>;
}

export interface Projected {
  readonly events: number;
  readonly changedCats: readonly number[];
  readonly meows: readonly { readonly catId: number; readonly event: CentralEvent }[];
  /** Set where the models go no further (policy `stop`): it is asked again, and goes on when it can. */
  readonly stopped?: Stopped | null;
  /** Set where only times of events were moved so far, which comes first: the next call goes on. */
  readonly movingTimes?: boolean;
}

export interface Store
  extends RetentionStore,
    IngestStore,
    QuarantineStore,
    KeyStore,
    GapStore,
    AccessStore,
    CommandStore,
    ReadStore,
    ProjectStore,
    SharedStore,
    CheckStore,
    NoticeStore,
    ToldStore,
    RecoverableStore {
  /** Of a shard that was taken. Rejects with code FENCED, and nothing is stored, once a higher token is there. */
  ofShard(shard: number, claim: Claim & { readonly token: number }): Pick<IngestStore, 'ingest' | 'sync' | 'ingestAll'>;
  /** With the token of `takeLead`; rejects with code FENCED, and changes nothing, once a higher one is there. */
  asLeader(token: number): ProjectStore & Pick<RetentionStore, 'expire'>;
  close(): Promise<void>;
}
