/** What the store promises of notices: events that somebody outside is to be told of, until they have been. */
export interface Notice {
  /** Whom; one that is not known any more is not asked for, and stays. */
  readonly target: string;
  readonly epoch: string;
  readonly seq: number;
  /** How often it has been tried, this time included. */
  readonly attempts: number;
}

export interface NoticeCounts {
  readonly waiting: number;
  /** Given up, and kept until somebody looks. */
  readonly dead: number;
  /** Never kept, ever: a target had too many already. */
  readonly dropped: number;
}

export interface NoticeStore {
  /**
   * Those of these targets that are due, the one that waits longest first. Each is this asker's alone until `untilMs`, whoever else asks;
   * if nothing is heard of it by then (whoever had it may have died), it is due again.
   */
  claimNotices(targets: readonly string[], nowMs: number, untilMs: number, limit: number): Promise<readonly Notice[]>;
  /** When the next one is due; null where none waits. */
  nextNoticeMs(targets: readonly string[]): Promise<number | null>;
  /** It has been told: forgotten. */
  noticeTold(notice: Notice): Promise<void>;
  /** Due again at that time; null: given up. */
  noticeFailed(notice: Notice, againMs: number | null, reason: string): Promise<void>;
  noticeCounts(): Promise<NoticeCounts>;
  /** The ones that were given up, with the reason of the last try, oldest first. */
  deadNotices(limit: number): Promise<readonly (Notice & { readonly reason: string })[]>;
  /** Those that were given up are due again. Resolves to how many. */
  reviveNotices(nowMs: number): Promise<number>;
}
