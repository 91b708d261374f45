/** Memory that a thread has used to start and needs no more. */

/** By then all is connected. Within the start it would be waited for. */
const SETTLED_MS = 5_000;

/**
 * Collects all garbage of this thread and gives its pages back, which V8 does not do by itself while little happens: 8 of 108 MB of an agent
 * at rest. Takes 10 to 50 ms. Only where Node.js was started with `--expose-gc`, as the unit does.
 */
export function giveBack(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/** The same once, when all is connected. Returns what calls it off. No thread goes on only for it. */
export function giveBackLater(): () => void {
  const timer = setTimeout(giveBack, SETTLED_MS).unref();
  return () => clearTimeout(timer);
}
