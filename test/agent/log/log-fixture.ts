/** A log in a folder of its own, with a clock that the test moves. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { IngestLog } from '../../../src/agent/log/event-log.ts';
import { type LogOptions, type LogPorts, openEventLog } from '../../../src/agent/log/open-event-log.ts';
import { openLogWorker, type ThreadPorts } from '../../../src/agent/log/open-log-worker.ts';
import {
  type EventData,
  type EventType,
  type NewEvent,
  newEvent,
  type StoredEvent,
} from '../../../src/contract/event.ts';

export const T0 = Date.parse('2026-11-23T06:00:00.000Z');
export const GIGABYTE = 1_000_000_000;

export function timeAt(ms: number): string {
  return new Date(ms).toISOString();
}

export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function tempPath(): string {
  return join(tempFolder(), 'events.db');
}

/** How many files this process holds open. */
export function openFiles(): number {
  return readdirSync('/dev/fd').length;
}

export function openLog(
  path: string,
  options: Partial<LogOptions> = {},
  ports: Partial<LogPorts> = {},
): Promise<IngestLog> {
  return openEventLog(
    { path, agent: 'porch', keepDays: 7, keepBytes: GIGABYTE, budgetBytes: GIGABYTE, ...options },
    {
      when: () => ({ time: timeAt(T0), clock: 'synced', boot: null, monoMs: null }),
      freeBytes: () => GIGABYTE,
      ...ports,
    },
  );
}

/** The same in a thread of its own. */
export function openLogInThread(
  path: string,
  options: Partial<LogOptions> = {},
  ports: Partial<ThreadPorts> = {},
): Promise<IngestLog> {
  return openLogWorker(
    { path, agent: 'porch', keepDays: 7, keepBytes: GIGABYTE, budgetBytes: GIGABYTE, ...options },
    { when: () => ({ time: timeAt(T0), clock: 'synced', boot: null, monoMs: null }), ...ports },
  );
}

/** An event of a collar at T0 + `ms`. */
export function event<T extends EventType>(type: T, data: EventData[T], ms = 0, collar = 'C0FFEE01'): NewEvent {
  return newEvent(type, `collar/${collar}`, data, { time: timeAt(T0 + ms), clock: 'synced', boot: null, monoMs: null });
}

/** `count` small events, one a second from T0 + `ms`. */
export function levels(count: number, ms = 0): NewEvent[] {
  return Array.from({ length: count }, (_, i) => event('meow.started', { level: i + 1 }, ms + i * 1_000));
}

export async function readAll(log: Pick<IngestLog, 'epochs' | 'read'>): Promise<StoredEvent[]> {
  const all: StoredEvent[] = [];
  for (const { epoch, firstSeq, lastSeq } of log.epochs())
    all.push(...(await log.read(epoch, firstSeq, lastSeq, 1_000_000, Number.POSITIVE_INFINITY)));
  return all;
}
