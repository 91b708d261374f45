/** The files of a ring on the disk, oldest first; their numbers only rise. Other files of the folder are left alone. */
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

interface Segment {
  readonly name: string;
  readonly no: number;
  bytes: number;
  /** Wall time of what was written last. */
  endMs: number;
}

/** All reject with the disk's errors. */
export interface Segments {
  /** Looks what is there from before. */
  load(): Promise<void>;
  /** Begins a new file, behind all others. */
  begin(wallMs: number): Promise<void>;
  /** Nothing is flushed to the card. False: there is no open file. */
  append(bytes: Uint8Array, wallMs: number): Promise<boolean>;
  /** The open file is written to no more. */
  leave(): Promise<void>;
  /** Nothing where there is none; the open one is left before it goes. */
  removeOldest(): Promise<void>;
  readonly isOpen: boolean;
  readonly count: number;
  readonly bytes: number;
  /** Of the newest. */
  readonly openBytes: number;
  /** Of the oldest; infinite where there is none. */
  readonly oldestMs: number;
}

const NAME = /^readings-(\d{8,15})\.gz$/;

/** Names of the segments in a folder, oldest first. Rejects with ENOENT where there is no folder. */
export async function segmentNames(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name));
  return names.sort((a, b) => numberOf(a) - numberOf(b));
}

export function openSegments(folder: string): Segments {
  let segments: Segment[] = [];
  let file: FileHandle | null = null;
  let lastNo = 0;
  const leave = async () => {
    const before = file;
    file = null;
    await before?.close();
  };
  return {
    async load() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const found: Segment[] = [];
      for (const name of await segmentNames(folder)) {
        const { size, mtimeMs } = await stat(join(folder, name));
        found.push({ name, no: numberOf(name), bytes: size, endMs: mtimeMs });
      }
      segments = found;
      lastNo = Math.max(lastNo, found.at(-1)?.no ?? 0);
    },
    async begin(wallMs) {
      await leave();
      await mkdir(folder, { recursive: true, mode: 0o700 });
      lastNo += 1;
      const name = `readings-${String(lastNo).padStart(8, '0')}.gz`;
      file = await open(join(folder, name), 'wx', 0o600);
      segments.push({ name, no: lastNo, bytes: 0, endMs: wallMs });
    },
    async append(bytes, wallMs) {
      const newest = segments.at(-1);
      if (file === null || newest === undefined) return false;
      await file.appendFile(bytes);
      newest.bytes += bytes.length;
      newest.endMs = wallMs;
      return true;
    },
    leave,
    async removeOldest() {
      const [oldest] = segments;
      if (oldest === undefined) return;
      if (segments.length === 1) await leave();
      await rm(join(folder, oldest.name), { force: true });
      segments.shift();
    },
    get isOpen() {
      return file !== null;
    },
    get count() {
      return segments.length;
    },
    get bytes() {
      return segments.reduce((sum, { bytes }) => sum + bytes, 0);
    },
    get openBytes() {
      return segments.at(-1)?.bytes ?? 0;
    },
    get oldestMs() {
      return segments[0]?.endMs ?? Number.POSITIVE_INFINITY;
    },
  };
}

function numberOf(name: string): number {
  return Number(NAME.exec(name)?.[1]);
}
