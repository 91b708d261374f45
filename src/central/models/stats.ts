/** Counts events of one cat by hour or day. Pure: events go in in any order, rows come out by time. */
import { shortType } from '../../contract/event.ts';
import { upcast } from '../../contract/upcast.ts';
import type { CentralEvent } from '../store/store.ts';
import type { Calendar, Span } from './calendar.ts';

/** One cat in one hour or day in which it has events. */
export interface StatsRow {
  readonly catId: number;
  readonly from: string;
  readonly to: string;
  readonly events: number;
  /** How many of each type. */
  readonly types: Readonly<Record<string, number>>;
  /** Meows that have ended, how long they were together, and the mean; null without any. */
  readonly meows: number;
  readonly meowMs: number;
  readonly meanMs: number | null;
}

export interface Tally {
  add(event: CentralEvent): void;
  rows(): readonly StatsRow[];
}

interface Count {
  readonly span: Span;
  events: number;
  readonly types: Map<string, number>;
  meows: number;
  meowMs: number;
}

/** What was taken back is not counted. */
export function createTally(catId: number, calendar: Calendar): Tally {
  const counts = new Map<number, Count>();
  return {
    add(event) {
      if (event.revoked) return;
      const span = calendar.spanOf(Date.parse(event.time));
      const count = counts.get(span.fromMs) ?? { span, events: 0, types: new Map(), meows: 0, meowMs: 0 };
      if (count.events === 0) counts.set(span.fromMs, count);
      const type = shortType(event.type);
      count.events += 1;
      count.types.set(type, (count.types.get(type) ?? 0) + 1);
      const durationMs = type === 'meow.ended' ? durationOf(event) : null;
      if (durationMs === null) return;
      count.meows += 1;
      count.meowMs += durationMs;
    },
    rows: () =>
      [...counts.values()]
        .sort((a, b) => a.span.fromMs - b.span.fromMs)
        .map(({ span: { from, to }, events, types, meows, meowMs }) => ({
          catId,
          from,
          to,
          events,
          types: Object.fromEntries([...types].sort(([a], [b]) => (a < b ? -1 : 1))),
          meows,
          meowMs,
          meanMs: meows === 0 ? null : Math.round(meowMs / meows),
        })),
  };
}

/** Null where the body cannot be read. */
function durationOf(event: CentralEvent): number | null {
  const result = upcast(event);
  return result.type === 'known' && result.event.type === 'meow.ended' ? result.event.data.durationMs : null;
}
