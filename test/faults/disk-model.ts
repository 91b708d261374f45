/**
 * A folder on a disk that may lose power: what is durable, what is written but not flushed, and what a cut leaves of it.
 * Names are durable once the folder is flushed (fsync of a file does not count for its name: harsher than ext4). Of names that
 * are not, a cut leaves a prefix. Memory-mapped -shm files are never there after a cut.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { below } from './frame.ts';
import type { Operation } from './recording.ts';

/**
 * process: the process dies, the system lives. strict: all that was not flushed is gone. reorder: any subset of the writes is
 * there. torn: any subset of their 512-byte sectors. garbled: as torn, and lost sectors hold noise. destroyed: as torn, and
 * whole sectors around one write in flight hold noise, beyond the written bytes too. destroyed-65536: so does the erase block
 * of a card, with what had been flushed in it: no log withstands that, and no row of CRASH_MODELS asks for it.
 */
export type CrashModel =
  | 'process'
  | 'strict'
  | 'reorder'
  | 'torn'
  | 'garbled'
  | 'destroyed-512'
  | 'destroyed-4096'
  | 'destroyed-65536';

export const CRASH_MODELS: readonly CrashModel[] = [
  'process',
  'strict',
  'reorder',
  'torn',
  'garbled',
  'destroyed-512',
  'destroyed-4096',
];

type Change =
  | { readonly type: 'write'; readonly offset: number; readonly data: Uint8Array }
  | { readonly type: 'truncate'; readonly length: number };

interface Inode {
  durable: Content;
  pending: Change[];
}

type NameChange = (names: Map<string, Inode>) => void;

export interface Disk {
  apply(operation: Operation): void;
  /** Changes that no flush has covered. */
  pending(): number;
  /** Writes what a cut leaves into `folder`. Returns how many changes it dropped or spoilt. */
  cut(model: CrashModel, random: () => number, folder: string): number;
}

const SECTOR = 512;
const ERASE_BLOCK = 65_536;

/** `ignoresSync`: the flushes of a lying card. */
export function createDisk(ignoresSync = false): Disk {
  const now = new Map<string, Inode>();
  const durable = new Map<string, Inode>();
  const byFd = new Map<number, Inode | 'folder'>();
  let renames: NameChange[] = [];
  const rename = (path: string, change: NameChange) => {
    change(now);
    // Never there after a cut: to drop such a name is no fault.
    if (!path.endsWith('-shm')) renames.push(change);
  };
  const sync = (target: Inode | 'folder' | undefined) => {
    if (target === undefined || ignoresSync) return;
    if (target === 'folder') {
      for (const change of renames) change(durable);
      renames = [];
      return;
    }
    for (const change of target.pending) applyChange(target.durable, change);
    target.pending = [];
  };
  const open = (fd: number, path: string, truncates: boolean) => {
    if (path === '') {
      byFd.set(fd, 'folder');
      return;
    }
    let inode = now.get(path);
    if (inode === undefined) {
      const made: Inode = { durable: createContent(), pending: [] };
      rename(path, (names) => names.set(path, made));
      inode = made;
    }
    if (truncates) inode.pending.push({ type: 'truncate', length: 0 });
    byFd.set(fd, inode);
  };
  const file = (fd: number): Inode => {
    const inode = byFd.get(fd);
    if (inode === undefined || inode === 'folder') throw new Error(`file ${fd} was never opened`);
    return inode;
  };
  return {
    apply(operation) {
      if (operation.op === 'open') open(operation.fd, operation.path, operation.truncates);
      if (operation.op === 'close') byFd.delete(operation.fd);
      if (operation.op === 'write')
        file(operation.fd).pending.push({ type: 'write', offset: operation.offset, data: operation.data });
      if (operation.op === 'truncate') file(operation.fd).pending.push({ type: 'truncate', length: operation.length });
      if (operation.op === 'sync') sync(byFd.get(operation.fd));
      if (operation.op === 'unlink') rename(operation.path, (names) => names.delete(operation.path));
      if (operation.op === 'rename')
        rename(operation.path, (names) => {
          const inode = names.get(operation.path);
          names.delete(operation.path);
          if (inode !== undefined) names.set(operation.to, inode);
        });
    },
    pending: () => renames.length + [...new Set(now.values())].reduce((sum, inode) => sum + inode.pending.length, 0),
    cut(model, random, folder) {
      const names = model === 'process' ? now : new Map(durable);
      let spoilt = 0;
      if (model !== 'process') {
        const kept = model === 'strict' ? 0 : below(random, renames.length + 1);
        for (const change of renames.slice(0, kept)) change(names);
        spoilt += renames.length - kept;
      }
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      const target = model.startsWith('destroyed') ? inFlight(names, random) : null;
      for (const [name, inode] of names) {
        if (name.endsWith('-shm')) continue;
        const left = leaveBehind(inode, model, random, target);
        // The witness is never flushed: to drop a write of it is no fault of the log.
        if (!name.endsWith('.head')) spoilt += left.spoilt;
        writeFileSync(join(folder, name), left.content.bytes());
      }
      return model.startsWith('destroyed') && target === null ? 0 : spoilt;
    },
  };
}

/** One of the newest writes that no flush has covered, anywhere. */
function inFlight(names: ReadonlyMap<string, Inode>, random: () => number): Change | null {
  const writes = [...names].flatMap(([name, inode]) =>
    /-shm$|\.head$/.test(name) ? [] : inode.pending.filter((change) => change.type === 'write').slice(-4),
  );
  return writes[below(random, writes.length)] ?? null;
}

function leaveBehind(
  inode: Inode,
  model: CrashModel,
  random: () => number,
  target: Change | null,
): { readonly content: Content; readonly spoilt: number } {
  const { pending } = inode;
  if (pending.length === 0) return { content: inode.durable, spoilt: 0 };
  const content = createContent(inode.durable.bytes());
  // Not always half of them: a cut that loses one of many, or keeps one of many, is another one.
  const keep = random();
  let spoilt = 0;
  for (const change of pending) {
    if (change === target) {
      destroy(content, change, Number(model.slice('destroyed-'.length)), random);
      spoilt += 1;
    } else if (model === 'process') applyChange(content, change);
    else if (model === 'strict') spoilt += 1;
    else if (model === 'reorder' || change.type === 'truncate') {
      if (random() < keep) applyChange(content, change);
      else spoilt += 1;
    } else spoilt += tear(content, change, model === 'garbled', keep, random);
  }
  return { content, spoilt };
}

/** Each sector of a write for itself. Returns 1 where one did not arrive. */
function tear(
  content: Content,
  { offset, data }: { readonly offset: number; readonly data: Uint8Array },
  garbles: boolean,
  keep: number,
  random: () => number,
): number {
  let torn = 0;
  for (let at = offset; at < offset + data.length; ) {
    const end = Math.min(offset + data.length, at - (at % SECTOR) + SECTOR);
    if (random() < keep) content.write(at, data.subarray(at - offset, end - offset));
    else {
      torn = 1;
      if (garbles && random() < 0.5) content.write(at, noise(end - at, random));
    }
    at = end;
  }
  return torn;
}

function destroy(content: Content, change: Change, sector: number, random: () => number): void {
  if (change.type !== 'write') return;
  const from = change.offset - (change.offset % sector);
  const written = change.offset + change.data.length;
  const end = Math.ceil(written / sector) * sector;
  const to = sector === ERASE_BLOCK ? Math.min(end, Math.max(written, content.bytes().length)) : end;
  content.write(from, noise(to - from, random));
}

function noise(length: number, random: () => number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (random() * 2 ** 32) | 1;
  for (let i = 0; i < words.length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

function applyChange(content: Content, change: Change): void {
  if (change.type === 'write') content.write(change.offset, change.data);
  else content.truncate(change.length);
}

interface Content {
  write(offset: number, data: Uint8Array): void;
  truncate(length: number): void;
  /** A view, valid until the next write. */
  bytes(): Uint8Array;
}

function createContent(from: Uint8Array = new Uint8Array(0)): Content {
  let buffer = new Uint8Array(Math.max(16_384, from.length * 2));
  let length = from.length;
  buffer.set(from);
  const reserve = (size: number) => {
    if (size <= buffer.length) return;
    const larger = new Uint8Array(size * 2);
    larger.set(buffer.subarray(0, length));
    buffer = larger;
  };
  return {
    write(offset, data) {
      reserve(offset + data.length);
      buffer.set(data, offset);
      length = Math.max(length, offset + data.length);
    },
    truncate(size) {
      reserve(size);
      if (size < length) buffer.fill(0, size, length);
      length = size;
    },
    bytes: () => buffer.subarray(0, length),
  };
}
