/** A time on the command line. */
import { CommandError, EXIT } from './exit.ts';
import { safe } from './output.ts';

/** Throws CommandError where `text` is none. */
export function moment(option: string, text: string): Date {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) {
    throw new CommandError(EXIT.usage, `${option} ${safe(text)} is no time`, 'write it as 2026-11-20T08:00Z');
  }
  return at;
}
