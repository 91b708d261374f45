/** Databases and cards that are copied, put back and removed. Nobody must have them open. */
import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';

const FILES = ['', '-wal', '-shm', '-journal'] as const;
/** What lies beside a log and tells how far it had come. */
const WITNESS = '.head';

/** Copies a database with what belongs to it. Nobody must have it open. */
export function copyDatabase(from: string, to: string): void {
  removeDatabase(to);
  for (const suffix of FILES) if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
}

export function removeDatabase(path: string): void {
  for (const suffix of FILES) rmSync(path + suffix, { force: true });
}

/** A log with its witness, as when the whole card is copied. */
export function copyCard(from: string, to: string): void {
  copyDatabase(from, to);
  rmSync(to + WITNESS, { force: true });
  if (existsSync(from + WITNESS)) copyFileSync(from + WITNESS, to + WITNESS);
}

/** Puts a copy in the place of a database, as another file or, as `cp` does, into the same one. */
export function restoreDatabase(from: string, to: string, sameFile: boolean): void {
  for (const suffix of FILES.slice(1)) rmSync(to + suffix, { force: true });
  if (sameFile) {
    copyFileSync(from, to);
    return;
  }
  copyFileSync(from, `${to}.restored`);
  renameSync(`${to}.restored`, to);
}
