/**
 * Duties by configuration, on one machine: a process has those that its file names. A second start with the same ones gets the higher
 * tokens, and so ends the first's.
 */
import { runAll } from '../../lib/run-all.ts';
import { aborted } from '../../lib/wait.ts';
import { type Duty, isFenced, type OwnerParts } from './ownership.ts';

/** Resolves after the signal aborted. A duty that is somebody else's now is dropped for good. */
export async function runStatic(duties: readonly Duty[], parts: OwnerParts, signal: AbortSignal): Promise<void> {
  await runAll([aborted, ...duties.map((duty) => (stop: AbortSignal) => hold(duty, parts, stop))], signal);
}

async function hold(duty: Duty, parts: OwnerParts, signal: AbortSignal): Promise<void> {
  try {
    const token = await parts.take(duty, null, signal);
    await parts.hold(duty, { token, held: () => !signal.aborted }, signal);
  } catch (error) {
    if (signal.aborted && !isFenced(error)) return;
    if (!isFenced(error)) throw error;
    parts.logger.warn({ duty }, `${error.message}: dropped until the next start`);
  }
}
