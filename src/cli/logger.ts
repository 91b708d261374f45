/** The log of a daemon: lines of JSON on stderr, readable ones on a terminal. */
import type { Logger } from 'pino';
import { safe } from './output.ts';

export const LOG_LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error'];

/** Written at once, so that the last words of a process that ends are not lost. */
export async function openLogger(level: string): Promise<Logger> {
  const { pino } = await import('pino');
  if (!process.stderr.isTTY)
    return pino({ level, hooks: { streamWrite: safeLine } }, pino.destination({ fd: 2, sync: true }));
  // Loaded for people only: a daemon does without its memory.
  const { default: pretty } = await import('pino-pretty');
  const colorize = (process.env.NO_COLOR ?? '') === '';
  const stream = pretty({ destination: 2, sync: true, colorize, ignore: 'pid,hostname' });
  return pino({ level, hooks: { streamWrite: safeForPeople } }, stream);
}

/** JSON escapes C0 only. Outside of its strings no other control is left, so that an escape says the same. */
export function safeLine(line: string): string {
  return `${safe(line.trimEnd())}\n`;
}

/** pino-pretty prints the values, not their JSON: so they hold the escapes as text. A stack keeps its lines. */
export function safeForPeople(line: string): string {
  const escaped: unknown = JSON.parse(line, (key, value: unknown) => {
    if (typeof value !== 'string') return value;
    return key === 'stack' ? value.split('\n').map(safe).join('\n') : safe(value);
  });
  return `${JSON.stringify(escaped)}\n`;
}
