/**
 * Alerts as events of central's own log: raised once and cleared once, over restarts and over all processes that watch the same
 * store, since whether an alert stands is asked in the transaction that writes.
 */
import { type AlertData, fullType, type NewEvent, newEvent } from '../../contract/event.ts';
import { upcast } from '../../contract/upcast.ts';
import type { CentralEvent, CommandStore, ReadStore } from '../store/store.ts';
import type { Alert } from './rules.ts';

/** The newest alert events of a cat that are looked at: more than any set of rules can have standing at once. */
export const MAX_ALERTS_READ = 200;
const TYPES = (['alert.raised', 'alert.cleared'] as const).map(fullType);

export interface AlertLog {
  /** What stands for a cat, by the key of its rule. `look`: asked as part of one. */
  standing(catId: number, look: Pick<ReadStore, 'newest'>): Promise<ReadonlyMap<string, Alert>>;
  /** Resolves to false where it is so already: then nothing is written. */
  write(change: 'raised' | 'cleared', catId: number, alert: Alert): Promise<boolean>;
}

/** `notify`: who outside is to be told of such a change, kept in the transaction that writes it. */
export function openAlertLog(
  store: CommandStore,
  clock: () => Date,
  notify: (change: 'raised' | 'cleared') => readonly string[] = () => [],
): AlertLog {
  return {
    async standing(catId, look) {
      const { events } = await look.newest({ catId, types: TYPES, limit: MAX_ALERTS_READ });
      return standingOf(events);
    },
    write(change, catId, alert) {
      const time = clock().toISOString();
      const { rule, key, text } = alert;
      return store.command(
        time,
        async (view): Promise<{ events: readonly NewEvent[]; result: boolean; notify?: readonly string[] }> => {
          const stands = standingOf(await view.newestOf(catId, TYPES, MAX_ALERTS_READ)).has(key);
          if (stands === (change === 'raised')) return { events: [], result: false };
          const when = { time, clock: 'synced', boot: null, monoMs: null } as const;
          const data: AlertData = { catId, rule, key, text };
          const events = [newEvent(`alert.${change}`, `cat/${catId}`, data, when)];
          return { events, result: true, notify: notify(change) };
        },
        // It must not hold the others while a long backlog is folded.
        'note',
      );
    },
  };
}

/** `events` newest first: the first word about a key is the last one said. */
function standingOf(events: readonly CentralEvent[]): ReadonlyMap<string, Alert> {
  const said = new Set<string>();
  const standing = new Map<string, Alert>();
  for (const stored of events) {
    const result = stored.revoked ? null : upcast(stored);
    if (result?.type !== 'known') continue;
    const { event } = result;
    if ((event.type !== 'alert.raised' && event.type !== 'alert.cleared') || said.has(event.data.key)) continue;
    const { rule, key, text } = event.data;
    said.add(key);
    if (event.type === 'alert.raised')
      standing.set(key, { rule: rule as Alert['rule'], key, since: stored.time, text });
  }
  return standing;
}
