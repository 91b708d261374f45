/**
 * A ring of segments on the disk, each a gzip file of blocks. One writer, outside of what ingest waits for, and nothing is flushed to
 * the card: readings are worth less than events. Where the disk is short they go first; what cannot be written is left out and told.
 */
import type { KeptHealth } from '../../contract/message.ts';
import { createQueue } from '../../lib/queue.ts';
import { packMember } from './member.ts';
import { openSegments, type Segments } from './segments.ts';

export interface RingOptions {
  readonly folder: string;
  readonly keepMs: number;
  readonly keepBytes: number;
}

export interface RingPorts {
  readonly wallNow: () => number;
  readonly monoNow: () => number;
  /** null where the system does not tell. */
  readonly disk: (folder: string) => Promise<DiskRoom | null>;
  readonly logger: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

export interface DiskRoom {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface Block {
  readonly text: string;
  /** It begins a segment. */
  readonly isStart: boolean;
}

export interface KeptRing {
  /** False: too many wait already, and this one is left out. */
  push(block: Block): boolean;
  /** The next block must begin a segment: this one is full, or could not be written. */
  startDue(): boolean;
  health(): KeptHealth;
  /** Writes until `close`, and then what still waits. Never rejects: what goes wrong is told in health and tried again. */
  run(): Promise<void>;
  close(): void;
}

/** Blocks that wait for the disk: about 2 MB. */
export const WAITING_BLOCKS = 32;
/** A ring has about so many segments: with the oldest goes so much of it. */
const SEGMENTS = 24;
const MIN_SEGMENT_MS = 60_000;
/** So much of a disk is left free, or this share of a small one. */
const MIN_FREE_BYTES = 256 * 1024 * 1024;
const MIN_FREE_SHARE = 0.05;
/** Bytes a day are told once so much has been seen. */
const MEASURE_MS = 60_000;
const DAY_MS = 86_400_000;

export function openKeptRing(options: RingOptions, ports: RingPorts): KeptRing {
  const { keepMs, keepBytes } = options;
  const segments = openSegments(options.folder);
  const waiting = createQueue<Block>(WAITING_BLOCKS);
  const begunMs = ports.monoNow();
  const state = createState(options.folder, ports);
  let segmentMs = begunMs;
  let isLoaded = false;
  let written = 0;
  let lostBlocks = 0;

  const write = async ({ text, isStart }: Block): Promise<boolean> => {
    if (!isLoaded) await segments.load();
    isLoaded = true;
    if (!(await makeRoom(segments, options, ports))) {
      state.become('short', 'the disk has too little free space');
      return false;
    }
    if (isStart) {
      await segments.begin(ports.wallNow());
      segmentMs = ports.monoNow();
    }
    const member = await packMember(text);
    if (member === null || !(await segments.append(member, ports.wallNow()))) return false;
    written += member.length;
    state.become('kept', null);
    return true;
  };
  return {
    push(block) {
      const isTaken = waiting.push(block);
      if (!isTaken) lostBlocks += 1;
      return isTaken;
    },
    startDue: () =>
      !segments.isOpen ||
      segments.openBytes >= keepBytes / SEGMENTS ||
      ports.monoNow() - segmentMs >= Math.max(MIN_SEGMENT_MS, keepMs / SEGMENTS),
    health() {
      const forMs = ports.monoNow() - begunMs;
      const bytesPerDay = forMs < MEASURE_MS ? null : Math.round((written * DAY_MS) / forMs);
      return { ...state.health(), bytes: segments.bytes, bytesPerDay, lostBlocks };
    },
    async run() {
      // Ends with the queue.
      const { signal } = new AbortController();
      while (true) {
        const [block] = await waiting.takeUpTo(1, signal);
        if (block === undefined) break;
        const isKept = await write(block).catch((error: unknown) => failed(segments, state, error));
        if (isKept) continue;
        lostBlocks += 1;
        // What follows says nothing without this one: the next segment begins anew.
        await segments.leave().catch((error: unknown) => state.failed(error));
      }
      await segments.leave().catch((error: unknown) => state.failed(error));
    },
    close: () => waiting.close(),
  };
}

/** By age and size; and where the disk is short down to nothing. False: there is nothing left to give, and it still is. */
async function makeRoom(segments: Segments, options: RingOptions, ports: RingPorts): Promise<boolean> {
  const { folder, keepMs, keepBytes } = options;
  while (segments.bytes > keepBytes || segments.oldestMs < ports.wallNow() - keepMs) await segments.removeOldest();
  while (await isShort(folder, ports)) {
    if (segments.count === 0) return false;
    await segments.removeOldest();
  }
  return true;
}

async function isShort(folder: string, ports: RingPorts): Promise<boolean> {
  const disk = await ports.disk(folder);
  return disk !== null && disk.freeBytes < Math.min(MIN_FREE_BYTES, MIN_FREE_SHARE * disk.totalBytes);
}

/** A full disk takes the oldest. */
async function failed(segments: Segments, state: State, error: unknown): Promise<false> {
  state.failed(error);
  if (isFull(error)) await segments.removeOldest().catch((again: unknown) => state.failed(again));
  return false;
}

function isFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

interface State {
  become(next: KeptHealth['state'], reason: string | null): void;
  failed(error: unknown): void;
  health(): Pick<KeptHealth, 'state' | 'reason'>;
}

/** A change is told once. */
function createState(folder: string, { logger }: RingPorts): State {
  let state: KeptHealth['state'] = 'kept';
  let reason: string | null = null;
  const become: State['become'] = (next, why) => {
    if (next !== state) {
      if (next === 'kept') logger.info({ folder }, 'readings are kept again');
      else if (next === 'short') logger.warn({ folder, reason: why }, 'the disk is short: kept readings go first');
      else logger.warn({ folder, reason: why }, 'readings are not kept; events are');
    }
    [state, reason] = [next, why];
  };
  return {
    become,
    failed: (error) =>
      become(isFull(error) ? 'short' : 'failed', error instanceof Error ? error.message : String(error)),
    health: () => ({ state, reason }),
  };
}
