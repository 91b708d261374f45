/** Loaded before the program under fault (`--import`): writes the longest stop of its event loop, in ms, to LAG_TOLD. */
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const path = process.env.LAG_TOLD;
if (path !== undefined && isMainThread) {
  const lag = monitorEventLoopDelay({ resolution: 10 });
  // The start of the program is no stop of its loops.
  setTimeout(() => {
    lag.reset();
    lag.enable();
  }, 2_000).unref();
  process.on('exit', () => writeFileSync(path, `${Math.round(lag.max / 1e6)}`));
}
