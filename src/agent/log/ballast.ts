/**
 * A file that holds nothing but room, beside the log: given up when the disk is full, since SQLite needs room even to delete.
 * It also keeps a start from dying: SQLite maps a file into memory, and a disk that is full there ends the process with SIGBUS.
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { explainDisk, logError, tryDisk } from './log-error.ts';
import { sizeOf } from './log-file.ts';

/** On small disks less: no more than this share of what is free. */
const BALLAST_BYTES = 1024 * 1024;
const BALLAST_SHARE = 1 / 16;
const MIN_BALLAST_BYTES = 64 * 1024;
/** SQLite's shared memory takes 32 KiB at each start, the first commits as much again; the rest is for others who write. */
export const MIN_START_BYTES = 256 * 1024;

export function ballastPath(path: string): string {
  return `${path}.ballast`;
}

/** Written with zeros, for a file with holes holds no room. Where that fails it is left. */
export function makeBallast(path: string, freeBytes: number): void {
  const bytes = Math.min(BALLAST_BYTES, Math.floor(freeBytes * BALLAST_SHARE));
  if (bytes < MIN_BALLAST_BYTES || sizeOf(ballastPath(path)) >= MIN_BALLAST_BYTES) return;
  // A power cut may have left one without room in it.
  releaseBallast(path);
  const isMade = tryDisk(() => {
    const fd = openSync(ballastPath(path), 'wx', 0o600);
    try {
      const zeros = Buffer.alloc(MIN_BALLAST_BYTES);
      for (let left = bytes; left > 0; ) left -= writeSync(fd, zeros, 0, Math.min(left, zeros.length));
    } finally {
      closeSync(fd);
    }
  });
  // No room, or nobody may write: then the log says so by itself.
  if (!isMade) releaseBallast(path);
}

/** True when there was one. */
export function releaseBallast(path: string): boolean {
  return tryDisk(() => rmSync(ballastPath(path)));
}

/** Throws ENOSPC where there is so little room that a start could end with SIGBUS, also without the ballast. */
export function assertRoomToStart(path: string, freeBytes: (folder: string) => number): void {
  try {
    const folder = dirname(path);
    if (freeBytes(folder) >= MIN_START_BYTES) return;
    releaseBallast(path);
    const free = freeBytes(folder);
    if (free >= MIN_START_BYTES) return;
    const needed = `${MIN_START_BYTES / 1024} KiB are needed to open it safely`;
    throw logError('ENOSPC', `only ${Math.floor(free / 1024)} KiB are free on its disk, ${needed}`);
  } catch (error) {
    throw explainDisk(path, error);
  }
}
