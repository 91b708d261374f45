/** Figures for Prometheus behind a small facade. Labels come from closed lists, or are bounded: agents and cats. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { FoldStatus } from '../store/fold-status.ts';
import type { QuarantineStore, QuarantineTally } from '../store/kept.ts';
import type { NoticeCounts, NoticeStore } from '../store/notice-store.ts';
import type { IngestResult, ReadStore } from '../store/store.ts';
import type { Room } from '../store-room.ts';
import type { Dropped } from '../tell.ts';
import { fleetMetrics } from './fleet-metrics.ts';

const KINDS = ['unreadable', 'refused', 'rejected', 'conflict'] as const;

export interface Metrics {
  /** After every ingest transaction. */
  ingested(result: Pick<IngestResult, 'inserted' | 'duplicates' | 'conflicts' | 'unkept' | 'rejected'>): void;
  /** A message that was not believed: its signature is missing, wrong or revoked. */
  doubted(type: 'batch' | 'sync' | 'state' | 'health'): void;
  /** Messages that had to go for want of room. */
  dropped(where: Dropped | 'broker', messages: number): void;
  /** At every look at the disk of a store on this machine. */
  room(room: Room): void;
  /** `route` is the pattern (`/api/v1/cats/:id`), never the path. */
  request(method: string, route: string, status: number, seconds: number): void;
  streamClients(count: number): void;
  /** A webhook was tried. */
  webhook(outcome: { readonly ok: boolean }): void;
  /** The text format of Prometheus, with the store's counts of this moment. */
  text(store: MetricsStore, now: Date): Promise<string>;
  readonly contentType: string;
}

export type MetricsStore = Pick<
  ReadStore & QuarantineStore & NoticeStore,
  'agents' | 'cats' | 'counts' | 'foldStatus' | 'quarantineTally' | 'noticeCounts'
>;

export function createMetrics(version: string): Metrics {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });

  tellVersion(registers, version);
  const inserted = counter('collard_ingested_events_total', 'Events stored since the start');
  const duplicates = counter('collard_ingested_duplicates_total', 'Events that came again since the start');
  const conflicts = counter(
    'collard_ingested_conflicts_total',
    'Events with a known id and other content, since the start',
  );
  const doubted = counter(
    'collard_doubted_messages_total',
    'Messages whose signature is missing, wrong or revoked, since the start',
    ['type'],
  );
  const requests = counter('collard_http_requests_total', 'HTTP requests', ['method', 'route', 'status']);
  const seconds = durations(registers);
  const clients = gauge('collard_stream_clients', 'Clients that follow the stream');
  const rejected = counter('collard_ingested_rejected_total', 'Events that were none and left a gap, since the start');
  const unkept = counter('collard_ingested_conflicts_dropped_total', 'Conflicts without room to keep, since the start');
  const quarantine = quarantineGauges(registers);
  const webhooks = webhookFigures(registers);
  const stored = {
    events: gauge('collard_stored_events', 'Events in the store'),
    conflicts: gauge('collard_stored_conflicts', 'Conflicts in the store'),
    quarantined: counter('collard_quarantined_messages_total', 'Messages that ever came to quarantine'),
    gaps: gauge('collard_stored_gaps', 'Gaps in the histories of the agents'),
  };
  const models = modelGauges(registers);
  const fleet = fleetMetrics(registers);
  const own = processFigures(registers);

  return {
    contentType: registry.contentType,
    ingested(result) {
      inserted.inc(result.inserted);
      duplicates.inc(result.duplicates);
      conflicts.inc(result.conflicts);
      rejected.inc(result.rejected);
      unkept.inc(result.unkept);
    },
    doubted: (type) => doubted.inc({ type }),
    dropped: dropCounters(registers),
    room: roomGauges(registers),
    request(method, route, status, took) {
      requests.inc({ method, route, status: `${Math.floor(status / 100)}xx` });
      seconds.observe(took);
    },
    streamClients: (count) => clients.set(count),
    webhook: webhooks.tried,
    async text(store, now) {
      const counts = await store.counts();
      stored.events.set(counts.events);
      stored.conflicts.set(counts.conflicts);
      setTo(stored.quarantined, counts.quarantined);
      stored.gaps.set(counts.gaps);
      models(counts.skipped, await store.foldStatus());
      quarantine(await store.quarantineTally());
      webhooks.set(await store.noticeCounts());
      fleet(await store.agents(), await store.cats(now));
      own();
      return registry.metrics();
    },
  };
}

function tellVersion(registers: Registry[], version: string): void {
  const labelNames = ['version'];
  new Gauge({ name: 'collard_build_info', help: 'Version of this program', labelNames, registers }).set({ version }, 1);
}

function durations(registers: Registry[]): Histogram {
  return new Histogram({
    name: 'collard_http_request_duration_seconds',
    help: 'Time from request to response, streams apart',
    buckets: [0.005, 0.02, 0.1, 0.5, 2],
    registers,
  });
}

/** What the store counts, or the system: it is told, and not counted here. */
function setTo<L extends string>(counter: Counter<L>, value: number): void {
  counter.reset();
  counter.inc(value);
}

/** Under the names that every client library has. */
function processFigures(registers: Registry[]): () => void {
  const resident = new Gauge({ name: 'process_resident_memory_bytes', help: 'Resident memory size', registers });
  const help = 'Start time of the process since the unix epoch';
  const start = new Gauge({ name: 'process_start_time_seconds', help, registers });
  const cpu = new Counter({ name: 'process_cpu_seconds_total', help: 'User and system CPU time spent', registers });
  start.set(Math.round(performance.timeOrigin) / 1_000);
  return () => {
    const { user, system } = process.cpuUsage();
    resident.set(process.memoryUsage.rss());
    setTo(cpu, (user + system) / 1_000_000);
  };
}

/** What the models leave out, and whether they stand still. */
function modelGauges(registers: Registry[]): (skipped: number, status: FoldStatus) => void {
  const help = 'Events that the models leave out because this program cannot read them';
  const left = new Gauge({ name: 'collard_stored_skipped', help, registers });
  const still = new Gauge({
    name: 'collard_models_stopped',
    help: '1 where the models stand still before an event (fold: stop)',
    registers,
  });
  return (skipped, { stopped }) => {
    left.set(skipped);
    still.set(stopped === null ? 0 : 1);
  };
}

/** All since the start. Agents keep their events and ask again: nothing of theirs is lost with these. */
function dropCounters(registers: Registry[]): Metrics['dropped'] {
  const counter = (where: string, help: string) =>
    new Counter({ name: `collard_${where}_dropped_total`, help: `${help}, since the start`, registers });
  const counters = {
    incoming: counter('incoming', 'Messages that came and found no room before the store'),
    outbox: counter('outbox', 'Messages to the broker that waited beyond their limit and were left out'),
    broker: counter('broker', 'Messages that the own broker did not keep for a client that is away or slow'),
  };
  return (where, messages) => counters[where].inc(messages);
}

const OF_ROOM: readonly (readonly [name: string, help: string, of: keyof Room])[] = [
  ['disk_free_bytes', 'Free bytes of the disk of the store', 'freeBytes'],
  ['disk_size_bytes', 'Size of that disk', 'totalBytes'],
  ['wal_bytes', 'Size of the write-ahead log of the store', 'walBytes'],
];

/** No series where it is not known, or the store is on a server. */
function roomGauges(registers: Registry[]): (room: Room) => void {
  const gauges = OF_ROOM.map(([name, help, of]) => {
    const gauge = new Gauge({ name: `collard_store_${name}`, help: `${help}, where it is a file`, registers });
    gauge.remove();
    return { gauge, of };
  });
  return (room) => {
    for (const { gauge, of } of gauges) {
      const value = room[of];
      if (value === null) gauge.remove();
      else gauge.set(value);
    }
  };
}

/** What webhooks were told and are still to be told. */
function webhookFigures(registers: Registry[]) {
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const waiting = gauge('collard_webhooks_waiting', 'Notices that a webhook has not answered yet');
  const dead = gauge('collard_webhooks_dead', 'Notices that were given up: collard central webhooks --retry');
  const dropped = new Counter({
    name: 'collard_webhooks_dropped_total',
    help: 'Notices for which there was no room, ever',
    registers,
  });
  const help = 'Requests to webhooks since the start';
  const tries = new Counter({ name: 'collard_webhook_tries_total', help, labelNames: ['outcome'], registers });
  return {
    tried: ({ ok }: { readonly ok: boolean }) => tries.inc({ outcome: ok ? 'told' : 'failed' }),
    set(counts: NoticeCounts) {
      waiting.set(counts.waiting);
      dead.set(counts.dead);
      setTo(dropped, counts.dropped);
    },
  };
}

/** What is in quarantine, and what had to go: told by the store at each look. */
function quarantineGauges(registers: Registry[]): (tally: QuarantineTally) => void {
  const held = new Gauge({ name: 'collard_quarantine_messages', help: 'Messages in quarantine now', registers });
  const size = new Gauge({ name: 'collard_quarantine_bytes', help: 'Bytes of them', registers });
  const gone = new Counter({
    name: 'collard_quarantine_dropped_total',
    help: 'Messages and conflicts that had to go for room, ever',
    labelNames: ['kind'],
    registers,
  });
  return ({ messages, bytes, dropped }) => {
    held.set(messages);
    size.set(bytes);
    gone.reset();
    for (const kind of KINDS) {
      const ofKind = dropped.filter((one) => one.kind === kind);
      gone.inc(
        { kind },
        ofKind.reduce((sum, one) => sum + one.messages, 0),
      );
    }
  };
}
