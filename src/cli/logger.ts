/** The log of a daemon: lines of JSON on stderr, readable ones on a terminal. */
import { type Logger, pino } from 'pino';

export const LOG_LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error'];

/** Written at once, so that the last words of a process that ends are not lost. */
export async function openLogger(level: string): Promise<Logger> {
  if (!process.stderr.isTTY) return pino({ level }, pino.destination({ fd: 2, sync: true }));
  // Loaded for people only: a daemon does without its memory.
  const { default: pretty } = await import('pino-pretty');
  const colorize = (process.env.NO_COLOR ?? '') === '';
  return pino({ level }, pretty({ destination: 2, sync: true, colorize, ignore: 'pid,hostname' }));
}
