/** Puts damaged files aside and others in their place, so that a power cut on any line leaves something that the next start finishes. */
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Damaged logs that are kept for a closer look; the oldest goes when another comes. */
export const ASIDE_LIMIT = 3;

const COMPANIONS = ['-wal', '-shm'] as const;

/** Where a salvage is made, and its name once it is whole. */
export function salvagePaths(path: string): { readonly making: string; readonly made: string } {
  return { making: `${path}.salvage`, made: `${path}.salvaged` };
}

/** Removes a database and its companions. */
export function removeFiles(path: string): void {
  for (const suffix of ['', ...COMPANIONS]) rmSync(path + suffix, { force: true });
}

/** Renames the file and its companions. Returns the new path. The file goes last: as long as it is there, this can be done again. */
export function putAside(path: string, now: number): string {
  const aside = `${path}.damaged-${new Date(now).toISOString().replace(/[:.]/g, '-')}`;
  for (const suffix of [...COMPANIONS, '']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  forgetOldest(path);
  return aside;
}

/** The salvage is whole: from here on it is what the next start takes. */
export function markMade(path: string): void {
  const { making, made } = salvagePaths(path);
  renameSync(making, made);
  flushFolder(path);
}

/** Is there a whole one? What is left of half a one goes. */
export function hasSalvage(path: string): boolean {
  const { making, made } = salvagePaths(path);
  removeFiles(making);
  return existsSync(made);
}

/** Puts a whole salvage in the place of the damaged file, also where an earlier start was stopped in the middle. Returns where that is now. */
export function takeSalvage(path: string, now: number): string {
  const { made } = salvagePaths(path);
  // Made by this start, where the one before was stopped just before the last line.
  if (statSync(path, { throwIfNoEntry: false })?.size === 0) rmSync(path);
  const aside = putAside(path, now);
  renameSync(made, path);
  flushFolder(path);
  return aside;
}

function forgetOldest(path: string): void {
  const folder = dirname(path);
  const name = `${basename(path)}.damaged-`;
  const kept = readdirSync(folder).filter((file) => file.startsWith(name) && !/-(wal|shm)$/.test(file));
  for (const file of kept.sort().slice(0, -ASIDE_LIMIT)) removeFiles(join(folder, file));
}

function flushFolder(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
