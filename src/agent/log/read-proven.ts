/** Reads events so that none leaves the log that is not what was appended: each commit group is hashed before it is given. */
import { type ChainHash, chainNext } from '../../contract/chain.ts';
import type { StoredEvent } from '../../contract/event.ts';
import { type EpochState, type LogCore, readEvents } from './core.ts';
import { chainOfEpoch } from './epoch-chain.ts';
import { logError } from './log-error.ts';

export interface ReadRange {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly maxBytes: number;
}

/** As `readEvents`. Throws SQLITE_CORRUPT where an event has changed. One whose group was given up in part cannot be proved any more. */
export function readProven(core: LogCore, epoch: EpochState, range: ReadRange): readonly StoredEvent[] {
  const events = readEvents(core.rows, epoch, range);
  const last = events.at(-1);
  if (last === undefined) return events;
  let hash: ChainHash | null = null;
  let pos = Number.NaN;
  const follow = (event: StoredEvent) => {
    if (epoch.base + event.seq !== pos + 1) hash = chainOfEpoch(core.rows, core.chains, epoch, event.seq - 1);
    pos = epoch.base + event.seq;
    const kept = hashes.get(pos);
    hash = hash === null ? null : chainNext(hash, event);
    if (hash === null || (kept !== undefined && Buffer.compare(hash, kept) !== 0))
      throw logError('SQLITE_CORRUPT', `event ${event.seq} of epoch ${epoch.epoch} does not match its chain`);
  };
  const end = epoch.base + last.seq;
  const groupEnd = core.chains.first(end - 1, epoch.base + epoch.lastSeq) ?? end;
  const hashes = new Map(
    core.chains.range(epoch.base + (events[0]?.seq ?? 0), groupEnd).map((one) => [one.pos, one.hash]),
  );
  for (const event of events) follow(event);
  for (const event of core.rows.iterate(epoch, end + 1, groupEnd)) follow(event);
  return events;
}
