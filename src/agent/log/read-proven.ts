/** Reads events so that none leaves the log that is not what was appended, and none is passed over that should be there. */
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

/** Positions, both included, whose events were hashed last. */
interface Proven {
  readonly from: number;
  readonly through: number;
}

/**
 * As `readEvents`. Throws SQLITE_CORRUPT where an event has changed or is missing. One whose group was given up in part cannot be
 * proved any more. A large group that is read in parts is hashed once.
 */
export function createProvenReader(core: LogCore): (epoch: EpochState, range: ReadRange) => readonly StoredEvent[] {
  let proven: Proven = { from: 1, through: 0 };
  return (epoch, range) => {
    // Behind its end, or before what is held, nothing can be missing: whoever asks may ask for anything.
    if (range.from > epoch.lastSeq || range.to < epoch.firstSeq) return [];
    const events = readEvents(core.rows, epoch, range);
    let next = Math.max(range.from, epoch.firstSeq);
    for (const { seq } of events) {
      assertHole(core, epoch, next, seq - 1);
      next = seq + 1;
    }
    const to = Math.min(range.to, epoch.lastSeq);
    const end = epoch.base + next - 1;
    if (core.rows.first(end, epoch.base + to) === null) assertHole(core, epoch, next, to);
    const { from, through } = proven;
    const isNew = ({ seq }: StoredEvent) => epoch.base + seq < from || epoch.base + seq > through;
    const fresh = events.slice(Math.max(0, events.findIndex(isNew)));
    if (fresh[0] !== undefined && isNew(fresh[0])) proven = assertProven(core, epoch, fresh);
    return events;
  };
}

/** What was given up took its hashes along, all but the last one: others are the trace of events that ought to be there. */
function assertHole({ chains }: LogCore, epoch: EpochState, from: number, to: number): void {
  const trace = from < to && chains.first(epoch.base + from - 1, epoch.base + to - 1) !== null;
  if (trace || from > to + 1)
    throw logError('SQLITE_CORRUPT', `events ${from} to ${to} of epoch ${epoch.epoch} are missing or out of order`);
}

/** Hashes each group, to its end, which may lie behind the last event that was asked for. */
function assertProven({ rows, chains }: LogCore, epoch: EpochState, events: readonly StoredEvent[]): Proven {
  const [first = 1, last = 1] = [events[0]?.seq, events.at(-1)?.seq];
  const end = epoch.base + last;
  const groupEnd = chains.first(end - 1, epoch.base + epoch.lastSeq);
  if (groupEnd === null)
    throw logError('SQLITE_CORRUPT', `no chain is kept behind event ${last} of epoch ${epoch.epoch}`);
  const hashes = new Map(chains.range(epoch.base + first, groupEnd).map(({ pos, hash }) => [pos, hash]));
  let hash: ChainHash | null = null;
  let pos = Number.NaN;
  const follow = (event: StoredEvent) => {
    if (epoch.base + event.seq !== pos + 1) hash = chainOfEpoch(rows, chains, epoch, event.seq - 1);
    pos = epoch.base + event.seq;
    const kept = hashes.get(pos);
    hash = hash === null ? null : chainNext(hash, event);
    if (hash === null || (kept !== undefined && Buffer.compare(hash, kept) !== 0))
      throw logError('SQLITE_CORRUPT', `event ${event.seq} of epoch ${epoch.epoch} does not match its chain`);
  };
  for (const event of events) follow(event);
  for (const event of rows.iterate(epoch, end + 1, groupEnd)) follow(event);
  return { from: epoch.base + first, through: pos };
}
