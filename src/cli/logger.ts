/** The log of a daemon: lines of JSON on stderr, readable ones on a terminal. */
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export const LOG_LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error'];

/** Written at once, so that the last words of a process that ends are not lost. */
export function openLogger(level: string): Logger {
  const colorize = (process.env.NO_COLOR ?? '') === '';
  const stream = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, colorize, ignore: 'pid,hostname' })
    : pino.destination({ fd: 2, sync: true });
  return pino({ level }, stream);
}
