/**
 * What the agent's log promises to its two users: ingest appends, forward reads and marks.
 * One writer: the process that opened it. The methods are asynchronous so that a flush need not stop the reader of the port.
 */
import type { ChainHash } from '../../contract/chain.ts';
import type { EventData, NewEvent, StoredEvent } from '../../contract/event.ts';
import type { DiskState, SeqRange } from '../../contract/message.ts';

export interface DiskHealth {
  state: DiskState;
  walBytes: number;
  /** Somebody reads for so long that the write-ahead log grows beyond its limit. */
  walHeld: boolean;
}

export interface EpochHead {
  readonly epoch: string;
  /** The oldest seq that is still held; lastSeq + 1 when none is. */
  readonly firstSeq: number;
  /** 0 when nothing was ever appended. */
  readonly lastSeq: number;
  /** Central has committed everything up to here, by what it told last. */
  readonly storedSeq: number;
  /** Seqs of the `history.lost` events: what they tell is needed before what lies behind the holes. */
  readonly tells?: readonly number[];
}

export interface LogReader {
  /** Every epoch of this file, oldest first; the last one is being written. From memory. */
  epochs(): readonly EpochHead[];
  /** Events of an epoch with seq in [from, to], in order, at most `limit` of them and about `maxBytes` of data. */
  read(epoch: string, from: number, to: number, limit: number, maxBytes: number): Promise<readonly StoredEvent[]>;
  /** chain at `seq` (0 gives chain(0)); null where the log no longer knows it. */
  chainAt(epoch: string, seq: number): Promise<ChainHash | null>;
}

export interface Appended {
  readonly epoch: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** chain at each of them, one after the other. */
  readonly chains?: Uint8Array;
}

export interface EventLog extends LogReader {
  readonly agent: string;
  /** Resolves when the events are flushed to the card (synchronous=FULL). Rejects with `code`; then nothing was appended. */
  append(events: readonly NewEvent[]): Promise<Appended>;
  /** Resolves after the next append, or when the signal aborts. */
  appended(signal: AbortSignal): Promise<void>;
  /**
   * What central told. May go back (central restored from a backup). Kept in memory at once, on the card with the next
   * append or after `markFlushMs`: it saves work after a restart, no guarantee hangs on it.
   */
  saveMark(epoch: string, seq: number, incarnation: string): void;
  /**
   * Central holds another history of this epoch: a mark from now on says that nothing of it waits any more, as what differs went there
   * as conflicts. Said before that mark is saved; of what central holds under its own numbers the witness keeps the mark of before.
   */
  disown(epoch: string): void;
  /** The incarnation of central that was last heard, or null. */
  readonly incarnation: string | null;
  /**
   * Closes the current epoch and starts another, for a cloned, restored or lying card. Where central holds another history
   * of the old one, the new one begins with an event that says so.
   */
  startEpoch(reason: string, conflict?: EventData['history.conflict']): Promise<string>;
  /**
   * Central asks for these of an epoch and they could not be read. Tells by `history.lost` those that were given and are held no
   * more, unless that is told already. Resolves to how many that are.
   */
  tellMissing(epoch: string, asked: readonly SeqRange[]): Promise<number>;
  /** Until the next start only the disk budget makes events go (chains disagree: the evidence is kept while there is room). */
  holdTrimming(): void;
  /** Deletes confirmed events older than the grace; beyond the disk budget others too, the least worth first (`history.lost`). */
  trim(now: number): Promise<{ readonly deleted: number; readonly lost: number; readonly disk?: DiskHealth }>;
  /** The session number of the next connection: rises by one at each call, over restarts too. */
  nextSession(): Promise<number>;
  /** Size of the log's files in bytes. */
  bytes(): number;
  /** Bytes that the card was given for the log since it was opened; null where the system does not tell. */
  written(): number | null;
  /** The last thing known of each collar, so that detectors go on after a restart. */
  remembered(): Promise<readonly RememberedCollar[]>;
  close(): Promise<void>;
}

/** What ingest asks besides, to go on where it was before a restart. */
export interface IngestLog extends EventLog {
  /** The boot of unsynced events that no `clock.synced` has explained yet, over restarts too; null when there are none. */
  readonly unsyncedBoot: string | null;
  /** Names of sources whose `sensor.failed` no `sensor.recovered` has followed. */
  readonly failedSources: readonly string[];
}

export interface RememberedCollar {
  readonly collar: string;
  readonly place: string | null;
  /** A `meow.started` without its `meow.ended`: the agent was stopped in the middle. */
  readonly openMeow: boolean;
  readonly silent: boolean;
  readonly batteryLow: boolean;
  /** Wall time of its newest event. */
  readonly lastEvent: string;
}
