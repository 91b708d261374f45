/** How a command that runs on is told to end. */
import { EXIT } from './exit.ts';

/**
 * Aborts at SIGTERM (exit code 0) and SIGINT (130). A second signal ends the process at once: what is on the disk can bear it.
 */
export function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  for (const [name, exitCode] of [
    ['SIGTERM', EXIT.ok],
    ['SIGINT', EXIT.interrupted],
  ] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(EXIT.interrupted);
      process.exitCode = exitCode;
      stop.abort();
    });
  }
  return stop.signal;
}
