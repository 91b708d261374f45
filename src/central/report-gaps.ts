/** What a report must say is missing: receivers that were not read, events that were lost, and those that are still to come. */
import { setImmediate } from 'node:timers/promises';
import { fullType } from '../contract/event.ts';
import { upcast } from '../contract/upcast.ts';
import type { Stretch } from './models/report.ts';
import type { CentralEvent, EventFilter, ReadStore } from './store/store.ts';

/** Of each kind, what is told one by one. */
export const MAX_TOLD = 100;
const EVENTS_A_READ = 1_000;
const OF_SENSORS = ['sensor.failed', 'sensor.recovered'];
/** What failed before the span, and is not well yet, is found so far back. */
const BACK_MS = 28 * 86_400_000;

/** Gives all events of a filter, by time. */
export type ReadEvents = (filter: EventFilter, take: (event: CentralEvent) => void) => Promise<void>;

export interface Loss {
  readonly agent: string;
  readonly count: number;
  readonly reason: string;
  /** What was lost happened in between; null where no event beside it is known. */
  readonly afterMs: number | null;
  readonly beforeMs: number | null;
}

export interface Outage extends Stretch {
  readonly agent: string;
  readonly source: string;
  readonly reason: string;
}

/** Events that an agent holds and central has not got yet. */
export interface Awaited {
  readonly agent: string;
  readonly events: number;
}

/** Receivers that were not read, of any agent: whether the cat would have been heard there, nobody knows. */
export async function outagesOf(read: ReadEvents, span: Stretch): Promise<readonly Outage[]> {
  const open = new Map<string, Outage>();
  const found: Outage[] = [];
  await read(filterOf({ fromMs: span.fromMs - BACK_MS, toMs: span.toMs }, OF_SENSORS), (stored) => {
    const result = upcast(stored);
    if (stored.revoked || result.type === 'unknown') return;
    const { event } = result;
    const atMs = Date.parse(stored.time);
    if (event.type !== 'sensor.failed' && event.type !== 'sensor.recovered') return;
    const { source, reason } = event.data;
    const key = JSON.stringify([stored.agent, source]);
    const since = open.get(key);
    if (event.type === 'sensor.failed')
      open.set(key, since ?? { agent: stored.agent, source, reason, fromMs: atMs, toMs: span.toMs });
    else {
      found.push(
        since === undefined
          ? { agent: stored.agent, source, reason, fromMs: span.fromMs, toMs: atMs }
          : { ...since, toMs: atMs },
      );
      open.delete(key);
    }
  });
  return [...found, ...open.values()]
    .filter(({ toMs }) => toMs > span.fromMs)
    .map((outage) => ({ ...outage, fromMs: Math.max(outage.fromMs, span.fromMs) }))
    .sort((a, b) => a.fromMs - b.fromMs);
}

/** Told whenever it was: when it happened is told by the events beside what is missing. */
export async function lossesOf(
  read: ReadEvents,
  store: Pick<ReadStore, 'event'>,
  span: Stretch,
): Promise<readonly Loss[]> {
  const told: CentralEvent[] = [];
  const from = new Date(span.fromMs).toISOString();
  await read({ types: [fullType('history.lost')], from }, (event) => told.push(event));
  const losses: Loss[] = [];
  for (const stored of told.slice(0, MAX_TOLD)) {
    const result = upcast(stored);
    if (stored.revoked || result.type === 'unknown' || result.event.type !== 'history.lost') continue;
    const { epoch, fromSeq, toSeq, count, reason } = result.event.data;
    const timeOf = async (seq: number) => {
      const event = seq < 1 ? null : await store.event(epoch, seq);
      return event === null ? null : Date.parse(event.time);
    };
    const [afterMs, beforeMs] = [await timeOf(fromSeq - 1), (await timeOf(toSeq + 1)) ?? Date.parse(stored.time)];
    if ((afterMs === null || afterMs < span.toMs) && beforeMs >= span.fromMs)
      losses.push({ agent: stored.agent, count, reason, afterMs, beforeMs });
  }
  return losses;
}

export async function awaitedOf(store: Pick<ReadStore, 'agents'>): Promise<readonly Awaited[]> {
  const missing = (await store.agents()).map(({ agent, epochs }) => ({
    agent,
    events: epochs.reduce((sum, epoch) => sum + epoch.missing, 0),
  }));
  return missing.filter(({ events }) => events > 0);
}

/** By time. `count` may throw where it is too much. */
export async function eachRow(
  store: Pick<ReadStore, 'oldest'>,
  filter: EventFilter,
  count: (events: number) => void,
  take: (event: CentralEvent) => void,
): Promise<void> {
  for (let after: string | undefined; ; ) {
    const page = await store.oldest({ ...filter, limit: EVENTS_A_READ, ...(after === undefined ? {} : { after }) });
    count(page.events.length);
    for (const event of page.events) take(event);
    if (page.events.length < EVENTS_A_READ) return;
    after = page.next;
    await setImmediate();
  }
}

export function filterOf({ fromMs, toMs }: Stretch, types: readonly string[]): EventFilter {
  return {
    types: types.map(fullType),
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
  };
}
