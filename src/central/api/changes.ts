/** Tells those who show something that there may be something new to show. Carries no content: they read the store. */

export interface Changes {
  /** Counts the announcements, so that none is missed between reading the store and waiting. */
  readonly version: number;
  /** Called by a loop after it has committed something that people see. */
  announce(): void;
  /** Resolves once `version` is above `seen`, at once if it is already, or when the signal aborts. */
  after(seen: number, signal: AbortSignal): Promise<void>;
}

export function createChanges(): Changes {
  let version = 0;
  const waiting = new Set<() => void>();
  return {
    get version() {
      return version;
    },
    announce() {
      version += 1;
      for (const wake of [...waiting]) wake();
    },
    after(seen, signal) {
      return new Promise((resolve) => {
        if (version > seen || signal.aborted) return resolve();
        const wake = () => {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    },
  };
}
