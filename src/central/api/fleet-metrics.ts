/**
 * Figures of agents and cats for Prometheus: agents have no port of their own, so that central tells what they say of themselves. What
 * they say is a stranger's, and there are only so many of each: labels are bounded.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { AgentRow, CatRow } from '../store/store.ts';

/** Agents and cats that have series of their own, the first by name and number; `collard_agents` and `collard_cats` count all. */
export const MAX_SERIES = 500;
const DISK = ['ok', 'warn', 'thinning', 'losing'] as const;
const SOURCE = ['open', 'failed', 'ended'] as const;

type Health = Readonly<Record<string, unknown>>;
type Figure = readonly [name: string, help: string, value: (row: AgentRow, health: Health) => number | null];

/** Null: it is not known, and there is no such series. */
const OF_AGENT: readonly Figure[] = [
  ['up', 'Whether the broker knows it as connected', ({ state }) => (state === 'online' ? 1 : 0)],
  ['last_heard_timestamp_seconds', 'When central last heard of it', ({ lastHeard }) => seconds(lastHeard)],
  ['last_event_timestamp_seconds', 'When its newest stored event happened', ({ lastEvent }) => seconds(lastEvent)],
  ['missing_events', 'Events that it is known to have made and that are not stored', ({ epochs }) => sum(epochs)],
  ['chain_ok', '0 where its history differs from what is stored', ({ epochs }) => flag(epochs.every((e) => e.chainOk))],
  ['conflicts', 'Events of it that came under a known number with other content', ({ conflicts }) => conflicts],
  ['gaps', 'Ranges of its history that are lost', ({ gaps }) => gaps],
  ['quarantined_messages', 'Messages of it in quarantine', ({ quarantined }) => quarantined],
  ['queue_events', 'Events in its log that central has not confirmed', (_, { queue }) => count(queue)],
  [
    'oldest_unconfirmed_timestamp_seconds',
    'When the oldest of them happened; absent where all is confirmed',
    (_, { oldestUnstored }) => seconds(oldestUnstored),
  ],
  [
    'stalled',
    '1 while its queue does not move',
    (_, { stalled }) => (stalled === undefined ? null : flag(stalled === true)),
  ],
  [
    'clock_synced',
    '1 once its clock is set',
    (_, { clock }) => (clock === undefined ? null : flag(clock === 'synced')),
  ],
  ['log_bytes', 'Size of its log', (_, { logBytes }) => count(logBytes)],
  ['wal_bytes', 'Size of the write-ahead part of its log', (_, { walBytes }) => count(walBytes)],
  [
    'wal_held',
    '1 while another program reads its log without an end, so that this part grows',
    (_, { walBytes, walHeld }) => (walBytes === undefined ? null : flag(walHeld === true)),
  ],
  ['disk_free_bytes', 'Free bytes of the disk of its log', (_, { diskFreeBytes }) => count(diskFreeBytes)],
  ['disk_size_bytes', 'Size of that disk', (_, { diskTotalBytes }) => count(diskTotalBytes)],
  ['resident_memory_bytes', 'Resident memory of its process', (_, { rssBytes }) => count(rssBytes)],
  ['uptime_seconds', 'For how long it has run', (_, { uptimeMs }) => thousandth(count(uptimeMs))],
];

/** Since the agent began: they start again with it, as counters do. */
const COUNTED: readonly Figure[] = [
  ['readings_total', 'Readings of all its sources', (_, health) => over(health, ({ readings }) => count(readings))],
  ['discarded_frames_total', 'What its sources sent and could not be read', (_, health) => over(health, discarded)],
  [
    'lost_samples_total',
    'Samples that never came',
    (_, health) => over(health, ({ lostSamples }) => count(lostSamples)),
  ],
  ['written_bytes_total', 'What its card was given for the log', (_, { writtenBytes }) => count(writtenBytes)],
];

const OF_CAT: readonly (readonly [name: string, help: string, value: (row: CatRow) => number | null])[] = [
  ['shaking', '1 while it shakes', ({ isMeowed }) => flag(isMeowed)],
  ['meows_today', 'Its meows since midnight of this machine', ({ meowsToday }) => meowsToday],
  ['last_heard_timestamp_seconds', 'When its collar was last heard', ({ lastHeard }) => seconds(lastHeard)],
  ['collar_silent', '1 while its collar is not heard', ({ silent }) => flag(silent)],
  ['battery_low', '1 while the battery of its collar is low', ({ batteryLow }) => flag(batteryLow)],
];

export type TellFleet = (agents: readonly AgentRow[], cats: readonly CatRow[]) => void;

export function fleetMetrics(registers: Registry[]): TellFleet {
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ name, help, labelNames, registers });
  const agents = gauge('collard_agents', 'Agents that are known');
  const cats = gauge('collard_cats', 'Cats that are known');
  const disk = gauge('collard_agent_disk_state', '1 for the state of its disk budget', 'agent', 'state');
  const sources = gauge('collard_agent_sources', 'Its sources by state', 'agent', 'state');
  const ofAgent = OF_AGENT.map(([name, help, value]) => ({
    value,
    metric: gauge(`collard_agent_${name}`, help, 'agent'),
  }));
  const counted = COUNTED.map(([name, help, value]) => ({
    value,
    metric: new Counter({ name: `collard_agent_${name}`, help, labelNames: ['agent'], registers }),
  }));
  const ofCat = OF_CAT.map(([name, help, value]) => ({ value, metric: gauge(`collard_cat_${name}`, help, 'cat') }));
  const all = [...ofAgent, ...counted, ...ofCat].map(({ metric }) => metric);
  return (rows, catRows) => {
    for (const metric of [...all, disk, sources]) metric.reset();
    agents.set(rows.length);
    cats.set(catRows.length);
    for (const row of rows.slice(0, MAX_SERIES)) {
      const { agent } = row;
      const health = row.health ?? {};
      for (const { value, metric } of ofAgent) tell(value(row, health), (n) => metric.set({ agent }, n));
      for (const { value, metric } of counted) tell(value(row, health), (n) => metric.inc({ agent }, n));
      if (row.health === null) continue;
      for (const state of DISK) disk.set({ agent, state }, flag(health.disk === state));
      for (const state of SOURCE) {
        const inState = sourcesOf(health).filter((source) => source.state === state);
        sources.set({ agent, state }, inState.length);
      }
    }
    for (const row of catRows.slice(0, MAX_SERIES))
      for (const { value, metric } of ofCat) tell(value(row), (n) => metric.set({ cat: row.name }, n));
  };
}

function tell(value: number | null, say: (value: number) => void): void {
  if (value !== null) say(value);
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}

function sum(epochs: AgentRow['epochs']): number {
  return epochs.reduce((total, { missing }) => total + missing, 0);
}

function seconds(time: unknown): number | null {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? null : ms / 1_000;
}

function count(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value) ? value : null;
}

function thousandth(value: number | null): number | null {
  return value === null ? null : value / 1_000;
}

function sourcesOf({ sources }: Health): readonly Health[] {
  const items: readonly unknown[] = Array.isArray(sources) ? sources : [];
  return items.filter((item): item is Health => typeof item === 'object' && item !== null);
}

function over(health: Health, value: (source: Health) => number | null): number | null {
  const sources = sourcesOf(health);
  return sources.length === 0 ? null : sources.reduce((total, source) => total + (value(source) ?? 0), 0);
}

function discarded({ discarded: reasons }: Health): number {
  const counts: readonly unknown[] = typeof reasons === 'object' && reasons !== null ? Object.values(reasons) : [];
  return counts.reduce<number>((total, one) => total + (count(one) ?? 0), 0);
}
