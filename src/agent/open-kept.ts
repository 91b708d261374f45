/** Readings that are kept for a while, where the configuration asks for it: what takes them down, and what writes them. */
import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { delay } from '../lib/wait.ts';
import type { Clock } from './clock.ts';
import type { AgentConfig } from './config.ts';
import type { WatchSettings } from './detector/watch.ts';
import { nameDetectors } from './detector-names.ts';
import { parseKeep } from './keep-limits.ts';
import { createKeeper, type Keeper } from './kept/keeper.ts';
import { type DiskRoom, type KeptRing, openKeptRing, type RingPorts } from './kept/ring.ts';

/** At the end the disk has so long for what still waits: readings hold nothing up. */
const LINGER_MS = 2_000;

export interface Kept extends Pick<KeptRing, 'health'> {
  readonly keeper: Keeper;
  /** Resolves once it is closed, and what waited is written or has had its time. Never rejects. */
  run(): Promise<void>;
  close(): void;
}

/** Beside the log, where the configuration names no folder. */
export function keptFolder({ readings, log }: Pick<AgentConfig, 'readings' | 'log'>): string {
  return readings.folder ?? join(dirname(log.path), 'kept');
}

/** Where they lie and how they are decided now; null where none are kept. */
export function keptOf(config: Pick<AgentConfig, 'readings' | 'log'>, settings: WatchSettings) {
  const isKept = config.readings.keep !== undefined && parseKeep(config.readings.keep) !== null;
  return isKept ? { folder: keptFolder(config), settings } : null;
}

/** null where none are kept. */
export function openKept(
  config: Pick<AgentConfig, 'readings' | 'log'>,
  detect: WatchSettings,
  clock: Clock,
  logger: RingPorts['logger'],
  lingerMs: number = LINGER_MS,
): Kept | null {
  const limits = config.readings.keep === undefined ? null : parseKeep(config.readings.keep);
  if (limits === null) return null;
  const { wallNow, monoNow } = clock;
  const ring = openKeptRing({ folder: keptFolder(config), ...limits }, { wallNow, monoNow, disk: diskRoomOf, logger });
  const keeper = createKeeper({ ring, clock, detectors: nameDetectors(detect) });
  const closed = new AbortController();
  return {
    keeper,
    health: ring.health,
    async run() {
      const over = new AbortController();
      const late = new Promise<void>((resolve) => {
        closed.signal.addEventListener('abort', () => void delay(lingerMs, over.signal).then(resolve), { once: true });
      });
      await Promise.race([ring.run(), late]);
      over.abort();
    },
    close() {
      ring.close();
      closed.abort();
    },
  };
}

/** null where the system does not tell. */
async function diskRoomOf(folder: string): Promise<DiskRoom | null> {
  return statfs(folder).then(
    ({ bavail, blocks, bsize }) => ({ freeBytes: bavail * bsize, totalBytes: blocks * bsize }),
    () => null,
  );
}
