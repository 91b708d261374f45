/** The read models as texts for the stream: read once for all clients, and at most so often. */
import type { ApiParts } from './parts.ts';

/** Under a flood of events the models are read no more often than this. */
export const SNAPSHOT_EVERY_MS = 250;
/** Read again after this time even if nothing was announced: a day ends, a health message ages. */
export const SNAPSHOT_MAX_AGE_MS = 15_000;

export interface Snapshot {
  /** JSON texts. */
  readonly cats: string;
  readonly agents: string;
  /** What the models leave out, where they stand still, and what webhooks were not told. */
  readonly models: string;
  /** Something was announced since it was read, too soon to read again. */
  readonly outdated: boolean;
}

export interface Snapshots {
  read(): Promise<Snapshot>;
}

type Parts = Pick<ApiParts, 'store' | 'watchdog' | 'changes' | 'clock' | 'simulated'>;

export function createSnapshots(parts: Parts): Snapshots {
  let version = -1;
  let atMs = Number.NEGATIVE_INFINITY;
  let latest: Promise<Omit<Snapshot, 'outdated'>> | null = null;
  return {
    async read() {
      const ageMs = Math.abs(parts.clock().getTime() - atMs);
      const changed = parts.changes.version !== version;
      if (latest === null || (changed && ageMs >= SNAPSHOT_EVERY_MS) || ageMs >= SNAPSHOT_MAX_AGE_MS) {
        version = parts.changes.version;
        atMs = parts.clock().getTime();
        const reading = readModels(parts);
        latest = reading;
        reading.catch(() => {
          // Whoever awaits it below is told; the next reader tries again.
          if (latest === reading) latest = null;
        });
      }
      return { ...(await latest), outdated: parts.changes.version !== version };
    },
  };
}

async function readModels({ store, watchdog, clock, simulated }: Parts): Promise<Omit<Snapshot, 'outdated'>> {
  const [rows, agents, unassigned, models, webhooks] = await Promise.all([
    store.cats(clock()),
    store.agents(),
    store.unassignedCollars(),
    store.foldStatus(),
    store.noticeCounts(),
  ]);
  const activities = await watchdog.checkCats(rows);
  const cats = rows.map((row, i) => ({ ...row, alerts: activities[i]?.alerts ?? [] }));
  return {
    cats: JSON.stringify({ simulated, cats }),
    agents: JSON.stringify({ simulated, agents, unassigned }),
    models: JSON.stringify({ ...models, webhooks }),
  };
}
