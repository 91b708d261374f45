/** Cats as a table for people. */
import type { CatRow } from '../central/store/store.ts';
import { type Cell, safe, table } from './output.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Who was not heard for so long is marked. */
const STALE_MS = HOUR;

/** As of `now`: times are told as how long ago they were, JSON has them to the millisecond. */
export function catList(cats: readonly CatRow[], now: Date): string {
  if (cats.length === 0) return 'no cats: collard cat add NAME --collar ID';
  const rows = cats.map((cat): readonly Cell[] => [
    String(cat.id),
    [safe(cat.name), 'bold'],
    safe(cat.location ?? '-'),
    cat.locationSince === null ? '' : ago(cat.locationSince, now),
    nowOf(cat),
    seenOf(cat, now),
    String(cat.meowsToday),
    cat.collar === null ? '-' : safe(cat.collar),
  ]);
  const head = ['id', 'name', 'place', 'since', 'now', 'last seen', 'meows today', 'collar'];
  return table(head, rows, { right: ['id', 'meows today'] });
}

function nowOf(cat: CatRow): Cell {
  if (cat.isMeowed) return ['shaking', 'red'];
  if (cat.silent) return ['silent', 'yellow'];
  return cat.batteryLow ? ['battery low', 'yellow'] : '';
}

function seenOf({ lastHeard, lastSeen }: CatRow, now: Date): Cell {
  const seen = lastHeard ?? lastSeen;
  if (seen === null) return ['never', 'dim'];
  const text = ago(seen, now);
  return now.getTime() - Date.parse(seen) >= STALE_MS ? [text, 'yellow'] : text;
}

/** `12 s ago`. A clock that is ahead of ours is no reason to tell of the future. */
export function ago(time: string, now: Date): string {
  const ms = Math.max(0, now.getTime() - Date.parse(time));
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h ago`;
  return `${Math.floor(ms / DAY)} days ago`;
}
