/** The JSON that the file of a log keeps, of which a bit may have changed. */
import { logError } from './log-error.ts';

/** Null where it is no list. */
export function keptList(text: string): readonly unknown[] | null {
  const value = parsed(text);
  return Array.isArray(value) ? value : null;
}

/** Throws SQLITE_CORRUPT where it is no list. */
export function parseKeptList(text: string, what: string): readonly unknown[] {
  const list = keptList(text);
  if (list === null) throw logError('SQLITE_CORRUPT', `the log's ${what} cannot be read`);
  return list;
}

/** Throws SQLITE_CORRUPT where it is no object. */
export function parseKeptObject(text: string, what: string): Readonly<Record<string, unknown>> {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null) throw logError('SQLITE_CORRUPT', `the log's ${what} cannot be read`);
  return value as Readonly<Record<string, unknown>>;
}

/** undefined: it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
