/**
 * Duties by leases in etcd. Each worker registers under its lease and claims what `share` gives it and nobody has; what is too much it
 * gives up once that has stood for a while. A claim is a key that only one can make, and goes with its lease.
 *
 * The token of a claim is its revision in etcd, which only grows, on top of a base that is kept there too: an etcd that was made anew
 * counts from 1, and a store may have been worked on without it. The base is raised by whoever holds a claim and finds a higher token.
 */
import { type Etcd, isAway } from '../../etcd/gateway.ts';
import { runAll } from '../../lib/run-all.ts';
import { backoffMs, childOf, createGate, createWaiters, delay } from '../../lib/wait.ts';
import { type LeaseParts, underLease } from './lease.ts';
import { type Duty, isFenced, type OwnerParts } from './ownership.ts';
import { share } from './share.ts';
import { takeByClaim } from './take-by-claim.ts';
import { followView, type Keys, type Registration, type View } from './view.ts';

/** What is too much is given up after so long, and at random up to twice: whoever comes and goes at once moves nothing. */
const SETTLE_MS = 1_000;
const LOOK_MS = 500;
/** Each waits for a flush of etcd's disk, which those that come together share. */
const CLAIMS_AT_ONCE = 8;
const RETRY = { firstMs: 200, maxMs: 5_000 };

export interface EtcdOwnerParts extends OwnerParts, LeaseParts {
  readonly logger: OwnerParts['logger'];
  readonly keys: Keys;
  readonly shards: readonly number[];
  readonly registration: Registration;
  readonly highestToken: (signal: AbortSignal) => Promise<number>;
  /** Resolves once this process can do duties at all; asked before a lease is. */
  readonly ready: (signal: AbortSignal) => Promise<void>;
  /** Since when, by `monoNow`, it cannot; null: it can. After the time of a lease it lets others do it. */
  readonly unfitSince: () => number | null;
}

/** Resolves after the signal aborted, with all duties given back. Rejects as a duty does, unless somebody else has it. */
export async function runByEtcd(parts: EtcdOwnerParts, signal: AbortSignal): Promise<void> {
  let told = false;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      await parts.ready(signal);
      if (signal.aborted) return;
      await underLease(
        parts,
        (lease, stop) => {
          attempt = 0;
          told = false;
          return serve(parts, { ...lease, duties: new Map(), shunned: new Map(), told: '' }, stop);
        },
        signal,
      );
    } catch (error) {
      if (signal.aborted && !isFenced(error)) return;
      if (!isAway(error)) throw error;
      if (!told) parts.logger.warn(error.message);
      told = true;
    }
    await delay(backoffMs(attempt, RETRY, parts.random()), signal);
  }
}

/** One life of a worker, from its registration to the end of its lease. */
interface Life {
  readonly id: string;
  readonly held: () => boolean;
  readonly duties: Map<Duty, { readonly revision: number; end(): void }>;
  /** Until when a duty that was lost in the store is left to others. */
  readonly shunned: Map<Duty, number>;
  /** What was said last of how much it has. */
  told: string;
}

async function serve(parts: EtcdOwnerParts, life: Life, signal: AbortSignal): Promise<void> {
  const { etcd, keys, monoNow } = parts;
  const value = JSON.stringify(parts.registration);
  try {
    await etcd.commit([], [{ put: keys.worker(life.id), value, lease: life.id }], signal);
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  const over = childOf(signal);
  const wake = createWaiters();
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let view: View | null = null;
  const begin = (duty: Duty, revision: number) => {
    const stop = childOf(over.signal);
    life.duties.set(duty, { revision, end: stop.abort });
    const work = doDuty(parts, life, duty, revision, stop.signal)
      .catch((error: unknown) => {
        failures.push(error);
        over.abort();
      })
      .finally(() => {
        stop.release();
        running.delete(work);
        life.duties.delete(duty);
        wake.wake();
      });
    running.add(work);
  };
  const look = async (stop: AbortSignal) => {
    const patience = createPatience(parts);
    while (!stop.aborted) {
      if (view !== null) await settle(parts, life, view, patience, begin, stop);
      const since = parts.unfitSince();
      if (since !== null && monoNow() - since > parts.seconds * 1_000) {
        parts.logger.warn('others may do what this one cannot now');
        over.abort();
      }
      await wake.wait(stop, LOOK_MS);
    }
  };
  const seen = (now: View) => {
    view = now;
    wake.wake();
  };
  try {
    await runAll([(stop) => followView(parts, seen, stop), (stop) => look(stop)], over.signal);
  } catch (error) {
    if (!over.signal.aborted) failures.push(error);
  } finally {
    over.abort();
    await Promise.all(running);
    over.release();
  }
  if (failures.length > 0) throw failures[0];
}

/** Claims what is ours and free, and gives up what has been too much for a while. */
async function settle(
  parts: EtcdOwnerParts,
  life: Life,
  view: View,
  patience: Patience,
  begin: (duty: Duty, revision: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { etcd, keys, monoNow, logger } = parts;
  const ours = dutiesOf(parts.shards, view, life.id);
  const claim = async (duty: Duty) => {
    if (signal.aborted || !life.held()) return;
    const owner = view.owners.get(duty);
    const key = keys.duty(duty);
    const put = { put: key, value: parts.registration.id, lease: life.id };
    const { succeeded, revision } = await etcd.commit([{ key, createRevision: 0 }], [put], signal);
    // An answer that got lost: it is ours all the same.
    if (succeeded) begin(duty, revision);
    else if (owner?.lease === life.id) begin(duty, owner.revision);
  };
  const gate = createGate(CLAIMS_AT_ONCE);
  const free = [...ours].filter((duty) => {
    const lease = view.owners.get(duty)?.lease ?? life.id;
    return lease === life.id && !life.duties.has(duty) && (life.shunned.get(duty) ?? 0) <= monoNow();
  });
  const claims = await Promise.allSettled(free.map((duty) => gate(() => claim(duty))));
  for (const result of claims) {
    if (result.status === 'rejected' && (!isAway(result.reason) || signal.aborted)) throw result.reason;
  }
  for (const [duty, { end }] of life.duties) if (patience.isOver(duty, !ours.has(duty))) end();
  tellSettled(life, ours, view, logger);
}

/** Once all that is ours is had, and nothing else. */
function tellSettled(life: Life, ours: ReadonlySet<Duty>, view: View, logger: OwnerParts['logger']): void {
  if (life.duties.size !== ours.size || [...ours].some((duty) => !life.duties.has(duty))) return;
  const leads = ours.has('lead');
  const shards = ours.size - (leads ? 1 : 0);
  const told = `${shards} ${leads} ${view.workers.size}`;
  if (told !== life.told) logger.info({ shards, leads, workers: view.workers.size }, 'the shards are shared');
  life.told = told;
}

/** The lead stays where it is, as long as that worker lives. */
function dutiesOf(shards: readonly number[], { workers, owners }: View, self: string): ReadonlySet<Duty> {
  const lives = [...workers.keys()];
  const leases = new Map([...owners].map(([duty, { lease }]) => [duty, lease]));
  const all = [...share<Duty>(shards, lives, leases), ...share<Duty>(['lead'], lives, leases)];
  return new Set(all.filter(([, lease]) => lease === self).map(([duty]) => duty));
}

/** Until the signal aborts or somebody else has it; then the claim is free again. */
async function doDuty(
  parts: EtcdOwnerParts,
  life: Life,
  duty: Duty,
  revision: number,
  signal: AbortSignal,
): Promise<void> {
  const { etcd, keys, logger, monoNow, seconds } = parts;
  try {
    const token = await takeByClaim(parts, duty, revision, signal);
    if (!signal.aborted) await parts.hold(duty, { token, held: life.held }, signal);
  } catch (error) {
    if (!isFenced(error)) {
      if (signal.aborted) return;
      if (!isAway(error)) throw error;
    } else {
      logger.warn({ duty }, `${error.message}: dropped here`);
    }
    life.shunned.set(duty, monoNow() + seconds * 1_000);
  } finally {
    await release(etcd, { key: keys.duty(duty), revision }, life, parts);
  }
}

/** What is not released here goes with the lease. */
async function release(
  etcd: Etcd,
  { key, revision }: { readonly key: string; readonly revision: number },
  life: Life,
  { seconds }: EtcdOwnerParts,
): Promise<void> {
  if (!life.held()) return;
  const soon = AbortSignal.timeout(seconds * 1_000);
  await etcd.commit([{ key, createRevision: revision }], [{ delete: key }], soon).catch(() => undefined);
}

interface Patience {
  /** Has it been too much for long enough? */
  isOver(duty: Duty, isTooMuch: boolean): boolean;
}

function createPatience({ monoNow, random }: Pick<LeaseParts, 'monoNow' | 'random'>): Patience {
  const until = new Map<Duty, number>();
  return {
    isOver(duty, isTooMuch) {
      if (!isTooMuch) {
        until.delete(duty);
        return false;
      }
      const end = until.get(duty) ?? monoNow() + SETTLE_MS * (1 + random());
      until.set(duty, end);
      return monoNow() >= end;
    },
  };
}
