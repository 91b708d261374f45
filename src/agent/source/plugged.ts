/** Waits for a port that is not there: until it appears, as the folder that it will be in tells, or for so long at most. */
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { childOf, delay } from '../../lib/wait.ts';

/** True where it has appeared meanwhile. What is there already is not waited for: something else keeps us from it. */
export async function untilPlugged(path: string, withinMs: number, signal: AbortSignal): Promise<boolean> {
  if (existsSync(path)) {
    await delay(withinMs, signal);
    return false;
  }
  const seen = childOf(signal);
  let watcher: FSWatcher | null = null;
  const look = () => {
    watcher?.close();
    watcher = existsSync(path) ? null : watchAbove(path, look);
    if (existsSync(path)) seen.abort();
  };
  try {
    look();
    // Also without any notice, as where the system has no more watches to give.
    await delay(withinMs, seen.signal);
    return existsSync(path);
  } finally {
    (watcher as FSWatcher | null)?.close();
    seen.release();
  }
}

/** The nearest folder that is there: /dev/serial comes and goes with the first and the last device. */
function watchAbove(path: string, changed: () => void): FSWatcher | null {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      const watcher = watch(folder, { persistent: false }, changed);
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      // Not there, or not to be watched: the one above it.
      if (folder === dirname(folder)) return null;
    }
  }
}
