/** What goes wrong with old events that lie in segments, in the words of a command. */
import { CommandError, EXIT } from './exit.ts';

/** Another error is given back as it is. */
export function asSealedFailure(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const exitCode = { EXPIRED: EXIT.unavailable, SEGMENT_DAMAGED: EXIT.data, TOO_MUCH_HISTORY: EXIT.data }[code];
  if (exitCode === undefined || !(error instanceof Error)) return error;
  return new CommandError(exitCode, error.message, null, { cause: error });
}
