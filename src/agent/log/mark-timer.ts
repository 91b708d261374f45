/** When the marks that central tells come onto the card. */
import { flushMarks, type LogCore, write } from './core.ts';
import { isPassing } from './log-error.ts';

/** Writes marks when nothing else has been written for a while: one flush for many marks spares the card. */
export function markTimer(state: LogCore, afterMs: number): { start(): void; stop(): void } {
  let timer: NodeJS.Timeout | null = null;
  const flush = () => {
    timer = null;
    if (!state.marksDirty || state.failed !== null) return;
    try {
      write(state, () => flushMarks(state));
    } catch (error) {
      // Either `write` has kept it, and the next append ends the agent with it; or the next append writes the marks as well.
      if (state.failed === null && !isPassing(error)) throw error;
    }
  };
  return {
    start() {
      timer ??= setTimeout(flush, afterMs).unref();
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}
