/**
 * The room that a store in a file of this machine has: how much of its disk is free, and how far its write-ahead log has grown. It is looked
 * at from time to time, told once when it is wrong and once when it is well again. A server looks after its own disk.
 */
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { aborted, delay } from '../lib/wait.ts';
import { parseStoreUrl } from './store/store-url.ts';

/** Of the disk. With less free it is time to act: central ends when nothing is. */
export const LOW_SHARE = 0.05;
/** One large transaction may need some of it for a moment; only a reader that does not end lets it grow beyond. */
export const MAX_WAL_BYTES = 64 * 1024 * 1024;
const LOOK_MS = 60_000;

/** Null: the system does not tell. */
export interface Room {
  readonly freeBytes: number | null;
  readonly totalBytes: number | null;
  readonly walBytes: number | null;
}

export interface RoomPorts {
  readonly diskOf: (folder: string) => Promise<Pick<Room, 'freeBytes' | 'totalBytes'>>;
  /** 0 where there is no such file. */
  readonly bytesOf: (path: string) => Promise<number | null>;
}

export interface StoreRoom {
  /** What is wrong, as it was last seen, for who must act. */
  concerns(): readonly string[];
  /** Looks at once, and then every minute. Resolves after the signal aborted. */
  run(signal: AbortSignal): Promise<void>;
}

export interface StoreRoomParts {
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** Told at every look. */
  readonly seen: (room: Room) => void;
  readonly ports?: RoomPorts;
}

export function openStoreRoom(url: string, { logger, seen, ports = SYSTEM }: StoreRoomParts): StoreRoom {
  const path = fileOf(url);
  if (path === null) return { concerns: () => [], run: aborted };
  let wrong: Concerns = { disk: null, log: null };
  const look = async () => {
    const room = await roomOf(path, ports);
    seen(room);
    const now = concernsOf(path, room);
    for (const what of ['disk', 'log'] as const) {
      if (now[what] !== null && wrong[what] === null) logger.warn({ ...room }, now[what]);
      if (now[what] === null && wrong[what] !== null) logger.info({ ...room }, WELL_AGAIN[what]);
    }
    wrong = now;
  };
  return {
    concerns: () => asList(wrong),
    async run(signal) {
      while (!signal.aborted) {
        await look();
        await delay(LOOK_MS, signal);
      }
    },
  };
}

/** What is wrong at this moment, for who asks without central. */
export async function roomConcerns(url: string, ports: RoomPorts = SYSTEM): Promise<readonly string[]> {
  const path = fileOf(url);
  return path === null ? [] : asList(concernsOf(path, await roomOf(path, ports)));
}

/** Null: it is in memory, or on a server. */
function fileOf(url: string): string | null {
  const address = parseStoreUrl(url);
  if (typeof address === 'string' || address.kind !== 'sqlite' || address.path === ':memory:') return null;
  return address.path;
}

async function roomOf(path: string, { diskOf, bytesOf }: RoomPorts): Promise<Room> {
  return { ...(await diskOf(dirname(path))), walBytes: await bytesOf(`${path}-wal`) };
}

type Concerns = Readonly<Record<'disk' | 'log', string | null>>;

const WELL_AGAIN: Readonly<Record<keyof Concerns, string>> = {
  disk: 'the disk of the store has room again',
  log: 'the write-ahead log of the store is small again',
};

function concernsOf(path: string, { freeBytes, totalBytes, walBytes }: Room): Concerns {
  const isLow = freeBytes !== null && totalBytes !== null && freeBytes < LOW_SHARE * totalBytes;
  const isHeld = walBytes !== null && walBytes > MAX_WAL_BYTES;
  return {
    disk: isLow
      ? `the disk of ${path} has ${megabytes(freeBytes)} of ${megabytes(totalBytes)} free: make room on it, or keep fewer days (retention). Central ends when it is full; agents keep what they have`
      : null,
    log: isHeld
      ? `the write-ahead log of ${path} has ${megabytes(walBytes)}: another program reads the store without an end. Find it (fuser ${path}) and end it`
      : null,
  };
}

function asList({ disk, log }: Concerns): readonly string[] {
  return [disk, log].filter((one) => one !== null);
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

const SYSTEM: RoomPorts = {
  diskOf: (folder) =>
    statfs(folder).then(
      ({ bavail, blocks, bsize }) => ({ freeBytes: bavail * bsize, totalBytes: blocks * bsize }),
      () => ({ freeBytes: null, totalBytes: null }),
    ),
  bytesOf: (path) =>
    stat(path).then(
      ({ size }) => size,
      (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? 0 : null),
    ),
};
