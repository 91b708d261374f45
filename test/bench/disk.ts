/** The disk that a contender writes to: a small ext4 of its own where we may mount one, so that every byte is counted, also its journal's. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openSmallDisk, whyNoSmallDisk } from '../faults/small-disk.ts';

const MEGABYTES = 1_024;
const SECTOR_BYTES = 512;

export interface BenchDisk {
  readonly folder: string;
  /** An empty folder on it. */
  fresh(): string;
  /** Written to the block device so far, after all that waits has been; null where it cannot be told. */
  writtenBytes(): number | null;
  close(): void;
}

export function openBenchDisk(): BenchDisk {
  const parent = mkdtempSync(join(tmpdir(), 'collard-bench-'));
  const disk = whyNoSmallDisk('ext4') === null ? openSmallDisk(parent, 'ext4', MEGABYTES) : null;
  const folder = disk?.folder ?? parent;
  const device = disk === null ? null : deviceOf(folder);
  let no = 0;
  return {
    folder,
    fresh() {
      no += 1;
      const own = join(folder, `run${no}`);
      rmSync(join(folder, `run${no - 1}`), { recursive: true, force: true });
      mkdirSync(own);
      return own;
    },
    writtenBytes() {
      if (device === null) return null;
      execFileSync('sync', ['-f', folder]);
      const fields = readFileSync(`/sys/block/${device}/stat`, 'latin1').trim().split(/\s+/);
      return Number(fields[6]) * SECTOR_BYTES;
    },
    close() {
      disk?.close();
      rmSync(parent, { recursive: true, force: true });
    },
  };
}

/** Such as loop3. */
function deviceOf(folder: string): string | null {
  const line = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .find((mount) => mount.split(' ')[1] === folder);
  const [source] = line?.split(' ') ?? [];
  return source === undefined ? null : basename(source);
}
