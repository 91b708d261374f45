/** How an agent is, as it tells it on MQTT. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DiskHealth, HealthMessage } from '../contract/message.ts';
import { type Clock, isoTime } from './clock.ts';
import type { AgentConfig } from './config.ts';
import type { IngestSource } from './ingest.ts';
import type { IngestLog } from './log/event-log.ts';
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
  readonly status: ForwardStatus;
  readonly disk: DiskHealth;
  readonly freeBytes: (folder: string) => Promise<number | null>;
}

export async function healthOf(parts: HealthParts): Promise<HealthMessage> {
  const { config, version, log, clock, sources, heard, status } = parts;
  const current = log.epochs().at(-1);
  return {
    version,
    simulated: config.simulated,
    epoch: current?.epoch ?? '',
    lastSeq: current?.lastSeq ?? 0,
    storedSeq: status.storedSeq,
    queue: status.queue,
    oldestUnstored: await oldestUnstored(log),
    lastConfirmed: status.lastConfirmed,
    stalled: status.stalled,
    conflicting: status.conflicting,
    oversize: status.oversize,
    lastError: status.lastError,
    logBytes: log.bytes(),
    disk: parts.disk.state,
    walBytes: parts.disk.walBytes,
    diskFreeBytes: await parts.freeBytes(dirname(config.log.path)),
    rssBytes: process.memoryUsage.rss(),
    clock: clock.quality(),
    protocol: status.protocol,
    sources: sources.map(sourceHealth),
    collars: heard.health((monoMs) => isoTime(clock.wallNow() - (clock.monoNow() - monoMs))),
  };
}

async function oldestUnstored(log: IngestLog): Promise<string | null> {
  const behind = log.epochs().find((head) => Math.max(head.storedSeq + 1, head.firstSeq) <= head.lastSeq);
  if (behind === undefined) return null;
  const from = Math.max(behind.storedSeq + 1, behind.firstSeq);
  return (await log.read(behind.epoch, from, behind.lastSeq, 1, 1))[0]?.time ?? null;
}

/** null where the system does not tell. */
export async function freeBytesOf(folder: string): Promise<number | null> {
  return statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  );
}
