/** Who does what of several centrals: what the store knows, and, where there is an etcd, who is registered and has claimed what. */
import { SHARDS, shardName } from '../contract/topic.ts';
import { isAway } from '../etcd/gateway.ts';
import type { CentralConfig } from './config.ts';
import { type EtcdAccess, etcdOf } from './ownership/etcd-of.ts';
import { keysOf, type View, viewOf } from './ownership/view.ts';
import type { ShardRow, SharedStore, WorkerRow } from './store/shared-store.ts';

const ANSWER_MS = 3_000;
/** Who has not said for so long that it is there is shown as gone: three times as long as it takes between two words. */
const HEARD_MS = 30_000;

export interface ShownWorker extends WorkerRow {
  /** By its lease, or, without etcd, by when it was heard. */
  readonly isThere: boolean;
  readonly leads: boolean;
  readonly shards: number;
}

export interface ShownShard extends Omit<ShardRow, 'shard'> {
  /** `s17` */
  readonly shard: string;
  /** Who has it now may write; null: nobody that is there. */
  readonly worker: string | null;
  /** Stored, and not folded yet. */
  readonly waiting: number;
  /** Known to exist, and above the mark: not stored, or waiting for what is not. */
  readonly awaited: number;
}

export interface CentralStatus {
  /** By the configuration there are several. */
  readonly shared: boolean;
  readonly workers: readonly ShownWorker[];
  readonly shards: readonly ShownShard[];
  readonly lead: string | null;
  /** Why etcd was not asked, or null. */
  readonly etcd: string | null;
}

export async function statusOf(
  store: Pick<SharedStore, 'status'>,
  { workers, group }: Pick<CentralConfig, 'workers' | 'group'>,
  now: Date,
  signal: AbortSignal,
): Promise<CentralStatus> {
  const known = await store.status();
  const asked = workers?.etcd === undefined ? null : await askEtcd(workers, workers.etcd, group, signal);
  const view = typeof asked === 'string' ? null : asked;
  const registered = [...(view?.workers ?? [])];
  const isHeard = ({ heardAt }: WorkerRow) => now.getTime() - Date.parse(heardAt) < HEARD_MS;
  const isThere = (worker: WorkerRow) =>
    view === null ? isHeard(worker) : registered.some(([, { id }]) => id === worker.id);
  const there = known.workers.filter(isThere).map(({ id }) => id);
  // A claim is older than the first write under it, and gone sooner than its owner's name.
  const claimant = (duty: number | 'lead') =>
    registered.find(([lease]) => lease === view?.owners.get(duty)?.lease)?.[1].id ?? null;
  const present = (owner: string | null | undefined) => (there.includes(owner ?? '') ? (owner ?? null) : null);
  const lead = view === null ? present(known.lead?.owner) : claimant('lead');
  const shards = known.shards.map(({ shard, ...row }): ShownShard => {
    const worker = view === null ? present(row.owner) : claimant(shard);
    const awaited = row.epochs.reduce((sum, { highestSeq, mark }) => sum + highestSeq - mark, 0);
    return { shard: shardName(shard), worker, ...row, waiting: row.arrived - row.projected, awaited };
  });
  const shown = known.workers.map((worker) => ({
    ...worker,
    isThere: isThere(worker),
    leads: lead === worker.id,
    shards: shards.filter((shard) => shard.worker === worker.id).length,
  }));
  return {
    shared: workers !== undefined,
    workers: shown,
    shards,
    lead,
    etcd: typeof asked === 'string' ? asked : null,
  };
}

/** What is wrong, for who must act; empty where all is well. */
export function concernsOf({ shared, workers, shards, lead, etcd }: CentralStatus): readonly string[] {
  const concerns: string[] = [];
  if (etcd !== null) concerns.push(`${etcd}. What is shown is what the store knows`);
  const there = workers.filter(({ isThere }) => isThere);
  if (there.length === 0) return shared ? [...concerns, 'no worker runs: start collard central --worker'] : concerns;
  const had = shards.filter(({ worker }) => worker !== null).length;
  if (had < SHARDS) concerns.push(`${SHARDS - had} of ${SHARDS} shards have no worker: what their agents send waits`);
  if (lead === null)
    concerns.push('nobody leads: what is stored is not folded. With workers.shards, start the one that has shard 0');
  return concerns;
}

async function askEtcd(
  access: EtcdAccess,
  endpoints: readonly string[],
  group: string,
  signal: AbortSignal,
): Promise<View | string> {
  const keys = keysOf(group);
  try {
    return viewOf(keys, (await etcdOf(access, endpoints, ANSWER_MS).range(keys.root, signal)).entries);
  } catch (error) {
    if (!isAway(error)) throw error;
    return error.message;
  }
}
