/** How an agent is, as it tells it on MQTT. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { HealthMessage, SourceHealth } from '../contract/message.ts';
import type { Unwritten } from './append-groups.ts';
import { type Clock, isoTime } from './clock.ts';
import type { AgentConfig } from './config.ts';
import type { IngestSource } from './ingest.ts';
import type { KeptRing } from './kept/ring.ts';
import type { DiskHealth, IngestLog } from './log/event-log.ts';
import { sourceHealth } from './open-source.ts';
import type { ForwardStatus } from './publisher/status.ts';
import type { Heard } from './source/heard.ts';

export interface HealthParts {
  readonly config: AgentConfig;
  readonly version: string;
  readonly log: IngestLog;
  readonly clock: Clock;
  readonly sources: readonly IngestSource[];
  readonly heard: Heard;
  /** null: no readings are kept. */
  readonly kept: Pick<KeptRing, 'health'> | null;
  readonly status: ForwardStatus;
  readonly disk: DiskHealth;
  readonly rates: Rates;
  readonly unwritten: Unwritten;
  /** `monoNow` at the start of the agent. */
  readonly startedAt: number;
  readonly freeBytes: (folder: string) => Promise<number | null>;
  readonly totalBytes: (folder: string) => Promise<number | null>;
}

type Told = Pick<HealthParts, 'rates' | 'unwritten' | 'startedAt' | 'freeBytes' | 'totalBytes'>;

/** What health counts from now on, and how it looks at the disk: as the system does, if nothing else is given. */
export function toldSince(
  monoNow: () => number,
  { freeBytes = freeBytesOf, totalBytes = totalBytesOf }: Partial<Pick<Told, 'freeBytes' | 'totalBytes'>>,
): Told {
  return { rates: createRates(monoNow), unwritten: { events: 0 }, startedAt: monoNow(), freeBytes, totalBytes };
}

export async function healthOf(parts: HealthParts): Promise<HealthMessage> {
  const { config, version, log, clock, sources, heard, status } = parts;
  const current = log.epochs().at(-1);
  const folder = dirname(config.log.path);
  const totalBytes = await parts.totalBytes(folder);
  const written = log.written();
  return {
    version,
    simulated: config.simulated,
    epoch: current?.epoch ?? '',
    lastSeq: current?.lastSeq ?? 0,
    storedSeq: status.storedSeq,
    queue: status.queue,
    unwritten: parts.unwritten.events,
    oldestUnstored: await oldestUnstored(log),
    lastConfirmed: status.lastConfirmed,
    stalled: status.stalled,
    conflicting: status.conflicting,
    oversize: status.oversize,
    lastError: status.lastError,
    logBytes: log.bytes(),
    disk: parts.disk.state,
    walBytes: parts.disk.walBytes,
    ...(parts.disk.walHeld ? { walHeld: true } : {}),
    diskFreeBytes: await parts.freeBytes(folder),
    ...(totalBytes === null ? {} : { diskTotalBytes: totalBytes }),
    ...(written === null ? {} : { writtenBytes: written }),
    uptimeMs: Math.round(clock.monoNow() - parts.startedAt),
    rssBytes: process.memoryUsage.rss(),
    clock: clock.quality(),
    protocol: status.protocol,
    sources: parts.rates.of(sources.map(sourceHealth)),
    ...(parts.kept === null ? {} : { readings: parts.kept.health() }),
    collars: heard.health((monoMs) => isoTime(clock.wallNow() - (clock.monoNow() - monoMs))),
  };
}

async function oldestUnstored(log: IngestLog): Promise<string | null> {
  const behind = log.epochs().find((head) => Math.max(head.storedSeq + 1, head.firstSeq) <= head.lastSeq);
  if (behind === undefined) return null;
  const from = Math.max(behind.storedSeq + 1, behind.firstSeq);
  return (await log.read(behind.epoch, from, behind.lastSeq, 1, 1))[0]?.time ?? null;
}

export interface Rates {
  /** With how many readings came a second since it was asked before. */
  of(sources: readonly SourceHealth[]): readonly SourceHealth[];
}

/** Asked twice in a shorter time, it answers as before: one packet would make a rate of it. */
const MIN_WINDOW_MS = 1_000;

export function createRates(monoNow: () => number): Rates {
  let before: { readonly atMs: number; readonly readings: ReadonlyMap<string, number> } | null = null;
  let rates: ReadonlyMap<string, number> = new Map();
  return {
    of(sources) {
      const atMs = monoNow();
      const windowMs = atMs - (before?.atMs ?? atMs);
      if (before === null || windowMs >= MIN_WINDOW_MS) {
        const { readings: was } = before ?? { readings: new Map<string, number>() };
        const rateOf = ({ source, readings }: SourceHealth) =>
          Math.round(((readings - (was.get(source) ?? 0)) * 10_000) / windowMs) / 10;
        if (before !== null) rates = new Map(sources.map((one) => [one.source, rateOf(one)]));
        before = { atMs, readings: new Map(sources.map(({ source, readings }) => [source, readings])) };
      }
      return sources.map((one) => {
        const perSecond = rates.get(one.source);
        return perSecond === undefined ? one : { ...one, perSecond };
      });
    },
  };
}

/** null where the system does not tell. */
async function totalBytesOf(folder: string): Promise<number | null> {
  return statfs(folder).then(
    ({ blocks, bsize }) => blocks * bsize,
    () => null,
  );
}

/** null where the system does not tell. */
async function freeBytesOf(folder: string): Promise<number | null> {
  return statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  );
}
