/** The thread in which settings are compared, behind everything else that the machine does. */
import { setPriority } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { type CompareJob, compareKept } from './compare-kept.ts';

const LEAST_PRIORITY = 19;
/** Where the priority may not be changed, it rests so many times as long as it worked. */
const REST = 2;

/** On Linux of this thread alone; elsewhere it would be that of the whole agent. */
function stepBack(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    setPriority(LEAST_PRIORITY);
    return true;
  } catch {
    // A sandbox of systemd forbids it.
    return false;
  }
}

function createRest(): () => Promise<void> {
  let woke = performance.now();
  return async () => {
    await setTimeout(REST * (performance.now() - woke));
    woke = performance.now();
  };
}

const rest = stepBack() ? async () => undefined : createRest();
parentPort?.postMessage(await compareKept(workerData as CompareJob, rest));
