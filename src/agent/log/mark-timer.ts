/** When the marks that central tells come onto the card. */
import { flushMarks, type LogCore, write } from './core.ts';
import { tryDisk } from './log-error.ts';

/** Writes marks when nothing else has been written for a while: one flush for many marks spares the card. */
export function markTimer(state: LogCore, afterMs: number): { start(): void; stop(): void } {
  let timer: NodeJS.Timeout | null = null;
  const flush = () => {
    timer = null;
    // Where it fails, either `write` has kept why, and the next append ends the agent with it; or that writes the marks as well.
    if (state.marksDirty) tryDisk(() => write(state, () => flushMarks(state)));
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
