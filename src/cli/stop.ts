/** How a command that runs on is told to end. */
import { EXIT } from './exit.ts';

const ECHO_MS = 300;

/**
 * Aborts at SIGTERM (exit code 0) and SIGINT (130). A second signal ends the process at once: what is on the disk can bear it.
 * One that comes within ECHO_MS is the first one again: sent to the whole group, and passed on by npm or the runtime guard.
 */
export function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  let firstAt = 0;
  for (const [name, exitCode] of [
    ['SIGTERM', EXIT.ok],
    ['SIGINT', EXIT.interrupted],
  ] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) {
        if (performance.now() - firstAt < ECHO_MS) return;
        process.exit(EXIT.interrupted);
      }
      firstAt = performance.now();
      process.exitCode = exitCode;
      stop.abort();
    });
  }
  return stop.signal;
}

/** SIGHUP: the configuration is to be loaded anew. */
export function onHangUp(reload: () => void, signal: AbortSignal): void {
  process.on('SIGHUP', reload);
  signal.addEventListener('abort', () => process.removeListener('SIGHUP', reload), { once: true });
}
