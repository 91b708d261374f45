/** The chain of an epoch from what is held of it, and whether its end is sound. */
import { type ChainHash, chainStart } from '../../contract/chain.ts';
import { logError } from './log-error.ts';
import { type Chains, chainAtPos, type EpochSpan, type Rows } from './rows.ts';

type Epoch = EpochSpan & { readonly lastSeq: number };

/** chain at `seq` of an epoch; null where the log no longer knows it. */
export function chainOfEpoch(rows: Rows, chains: Chains, epoch: Epoch, seq: number): ChainHash | null {
  const start = chainStart(epoch.agent, epoch.epoch);
  if (seq === 0) return start;
  if (seq < 0 || seq > epoch.lastSeq) return null;
  return chainAtPos(rows, chains, epoch, epoch.base + seq, start);
}

/** At its last seq. */
export function chainAtLast(chains: Chains, epoch: Epoch): ChainHash {
  const nearest = chains.nearest(epoch.base, epoch.base + epoch.lastSeq);
  return nearest?.hash ?? chainStart(epoch.agent, epoch.epoch);
}

/** What was deleted has taken its hashes along, all but the last one: a hash without its events is the trace of damage. */
export function assertStart(
  chains: Chains,
  { base, firstSeq, lastSeq }: Epoch & { firstSeq: number },
  path: string,
): void {
  const first = chains.first(base, base + lastSeq);
  if (first !== null && first < base + firstSeq - 1)
    throw logError('SQLITE_CORRUPT', `log ${path}: its oldest events are missing`);
}

/** A torn or stale end of the file shows here: the last commit group is hashed again. */
export function assertTail(rows: Rows, chains: Chains, epoch: Epoch, path: string): void {
  const end = epoch.base + epoch.lastSeq;
  if (rows.first(end, Number.MAX_SAFE_INTEGER) !== null)
    throw logError('SQLITE_CORRUPT', `log ${path}: events without a chain at its end`);
  if (rows.first(Math.max(epoch.base, end - 1), end) === null) return;
  const kept = chains.nearest(epoch.base, end);
  const start = chainStart(epoch.agent, epoch.epoch);
  const below: Chains = { ...chains, nearest: (base) => chains.nearest(base, end - 1) };
  const computed = chainAtPos(rows, below, epoch, end, start);
  if (kept?.pos !== end || computed === null || Buffer.compare(kept.hash, computed) !== 0)
    throw logError('SQLITE_CORRUPT', `log ${path}: the newest events do not match their chain`);
}

/** The oldest event that is held is at `pos` now. Of the hashes before it the last one stays: the chain goes on from there. */
export function beginAt(
  { chains }: { readonly chains: Chains },
  epoch: EpochSpan & { firstSeq: number },
  pos: number,
): void {
  chains.remove(epoch.base + 1, pos - 2);
  epoch.firstSeq = pos - epoch.base;
}
