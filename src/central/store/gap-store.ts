/** What the store tells of numbers that no event has. */

/** A closed range of seqs. */
export interface AgentGap {
  readonly epoch: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  /** Why they will never come; null: they are known to exist and awaited. */
  readonly reason: string | null;
  /** When that was noted; null where they are awaited. */
  readonly noted: string | null;
}

/** Ranges of one agent that are told of each kind. */
export const MAX_TOLD_GAPS = 500;

export interface GapStore {
  /** What is lost, newest first, then what is awaited; at most MAX_TOLD_GAPS of each. Empty for an agent that nobody knows. */
  agentGaps(agent: string): Promise<readonly AgentGap[]>;
}
