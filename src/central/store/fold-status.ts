/** How far the models have come, and what of the stored events this program can read. */

export interface FoldStatus {
  readonly skipped: readonly SkippedType[];
  readonly stopped: Stopped | null;
}

/** Events of one type and version that the models leave out. */
export interface SkippedType {
  readonly type: string;
  readonly version: number;
  readonly events: number;
  /** Is it of a type that the models are made of? Then they may be wrong without it. */
  readonly needed: boolean;
  /** Why, of one of them. */
  readonly reason: string;
}

/** The event that the models need, cannot read, and stand before. */
export interface Stopped {
  /** `epoch/seq` */
  readonly id: string;
  readonly agent: string;
  readonly type: string;
  readonly version: number;
  readonly reason: string;
}

export interface StoredVersion {
  readonly type: string;
  readonly version: number;
  readonly events: number;
  /** Times of the first and the last. */
  readonly first: string;
  readonly last: string;
}
