/** Tells those who show something that there may be something new to show. Carries no content: they read the store. */
import { createWaiters } from '../../lib/wait.ts';

export interface Changes {
  /** Counts the announcements, so that none is missed between reading the store and waiting. */
  readonly version: number;
  /** Called by a loop after it has committed something that people see. */
  announce(): void;
  /** Resolves once `version` is above `seen`, at once if it is already; or when the signal aborts, or after `withinMs`. */
  after(seen: number, signal: AbortSignal, withinMs?: number): Promise<void>;
}

export function createChanges(): Changes {
  let version = 0;
  const waiters = createWaiters();
  return {
    get version() {
      return version;
    },
    announce() {
      version += 1;
      waiters.wake();
    },
    after: async (seen, signal, withinMs) => {
      if (version <= seen) await waiters.wait(signal, withinMs);
    },
  };
}
