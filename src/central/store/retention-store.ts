/** What retention promises: see `expire.ts`. */

export interface ExpireOptions {
  /** The folder of the segments; made where it is missing. */
  readonly dir: string;
  /** RFC 3339 in UTC: what is older may go. */
  readonly before: string;
  /** Stops between two transactions; the next run goes on. */
  readonly signal: AbortSignal;
  /** Told after each segment, with all events so far. */
  readonly told?: (file: string, events: number) => void;
  /** Told what is done, for tests that stop in between. */
  readonly step?: (name: string) => void;
}

export interface Expired {
  readonly segments: number;
  readonly events: number;
  /** Why nothing was done, or null. */
  readonly waiting: string | null;
}

/** A sealed segment as the store knows it. */
export interface SegmentRow {
  readonly agent: string;
  readonly epoch: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly events: number;
  readonly chain: string | null;
  readonly sha256: string;
  readonly file: string;
  /** Are all its rows deleted? */
  readonly done: boolean;
}

export interface RetentionStore {
  /**
   * Moves what is old into sealed segments. Of each agent's epoch the beginning may go: events older than `before` by a clock that
   * was set, at or below the mark, folded by the models. Names, collars, corrections and central's own events stay. One
   * run at a time. Rejects with code SEGMENT_DAMAGED or SEGMENT_EXISTS, whose message says what to do, or that of the disk.
   */
  expire(options: ExpireOptions): Promise<Expired>;
  segments(): Promise<readonly SegmentRow[]>;
}
