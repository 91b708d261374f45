/** Proves that a log holds every event that it ought to hold, unchanged. For a file that has given reason for doubt. */
import { chainNext } from '../../contract/chain.ts';
import { shortType } from '../../contract/event.ts';
import { lostRanges } from '../../contract/lost.ts';
import type { EpochState, LogCore } from './core.ts';
import { chainOfEpoch } from './epoch-chain.ts';
import { parseKeptObject } from './kept-json.ts';
import { logError } from './log-error.ts';

/**
 * Reads every event of the file. Throws SQLITE_CORRUPT where one does not match its chain, or one is missing that central has not
 * confirmed and no `history.lost` tells.
 */
export function assertWhole(core: LogCore): void {
  const told = toldBy(core);
  for (const epoch of core.epochs) {
    const gone = [[1, epoch.storedSeq] as const, ...(told.get(epoch.epoch) ?? [])];
    if (epoch.firstSeq > epoch.lastSeq || isWhole(core, epoch, gone)) continue;
    throw logError('SQLITE_CORRUPT', `log ${core.path}: events of epoch ${epoch.epoch} are missing or have changed`);
  }
}

/** `gone` is sorted by where its ranges begin. */
function isWhole({ rows, chains }: LogCore, epoch: EpochState, gone: readonly (readonly [number, number])[]): boolean {
  const { firstSeq, lastSeq, base } = epoch;
  const isGone = (from: number, to: number) => {
    let next = from;
    for (const [a, b] of gone) if (a <= next && next <= b) next = b + 1;
    return next > to;
  };
  /** The hash that was kept at exactly this seq, or null. */
  const kept = (seq: number) => {
    const anchor = chains.nearest(base, base + seq);
    return anchor?.pos === base + seq ? anchor.hash : null;
  };
  /** What is given up takes its hashes along, all but the last one. */
  const hasTrace = (from: number, to: number) => chains.first(base + from - 1, base + to - 1) !== null;
  let hash = chainOfEpoch(rows, chains, epoch, firstSeq - 1);
  let seq = firstSeq - 1;
  for (const event of rows.iterate(epoch, base + firstSeq, base + lastSeq)) {
    if (event.seq !== seq + 1) {
      if (!isGone(seq + 1, event.seq - 1) || hasTrace(seq + 1, event.seq - 1)) return false;
      hash = kept(event.seq - 1);
    }
    if (hash === null) return false;
    hash = chainNext(hash, event);
    seq = event.seq;
    const anchor = kept(seq);
    if (anchor !== null && Buffer.compare(hash, anchor) !== 0) return false;
  }
  return seq === lastSeq ? kept(seq) !== null : isGone(seq + 1, lastSeq) && !hasTrace(seq + 1, lastSeq);
}

/** What the `history.lost` events of the file tell, by epoch, sorted. */
function toldBy({ rows, epochs }: LogCore): ReadonlyMap<string, (readonly [number, number])[]> {
  const told = new Map<string, (readonly [number, number])[]>();
  for (const teller of epochs) {
    for (const event of rows.iterate(teller, teller.base + teller.firstSeq, teller.base + teller.lastSeq)) {
      if (shortType(event.type) !== 'history.lost') continue;
      const body = parseKeptObject(event.data, 'history.lost');
      const about = String(body.epoch);
      told.set(about, [...(told.get(about) ?? []), ...(lostRanges(body) ?? [])]);
    }
  }
  for (const ranges of told.values()) ranges.sort((a, b) => a[0] - b[0]);
  return told;
}
