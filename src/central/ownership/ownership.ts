/** Which process does what where several centrals share a store: the words of it. Two files give the duties out. */
import type { Logger } from 'pino';

/** A shard, by its number; or what one process does for all: fold, tell, retain. */
export type Duty = number | 'lead';

/** What a process has while it has a duty. */
export interface Held {
  /** Checked in the transactions that write: higher than that of anybody who had the duty before. */
  readonly token: number;
  /** False as soon as it may be somebody else's, by this process's own clock. */
  held(): boolean;
}

export interface OwnerParts {
  /** Notes in the store who has the duty, null: with the next token. Rejects with code FENCED where a higher one is there. */
  take(duty: Duty, token: number | null, signal: AbortSignal): Promise<number>;
  /** Does it, until the signal aborts. Rejects with code FENCED once somebody else has it. */
  hold(duty: Duty, held: Held, signal: AbortSignal): Promise<void>;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

/** Was the duty somebody else's, at whatever depth that is told? */
export function isFenced(error: unknown): error is Error & { readonly code?: unknown } {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === 'FENCED') || isFenced(error.cause);
}
