/**
 * Tells true events from damaged ones: a commit group is proven where its events, hashed on from a kept hash, give the next
 * kept hash. What is between two kept hashes that do not fit is not proven. Pure.
 */
import { type ChainHash, chainNext, chainStart } from '../../contract/chain.ts';
import type { StoredEvent } from '../../contract/event.ts';
import type { EpochSpan } from './rows.ts';

/** A kept hash and where it belongs. */
export interface Kept {
  readonly pos: number;
  readonly hash: ChainHash;
}

export interface Group {
  /** The kept hash before its first event. */
  readonly before: Kept;
  readonly events: readonly StoredEvent[];
  /** The kept hash at its last event. */
  readonly after: Kept;
}

export interface Readable {
  events(span: EpochSpan, from: number, to: number): readonly StoredEvent[];
  chains(from: number, to: number): readonly Kept[];
  /** The next position behind `pos` at which something is, or may be. */
  next(pos: number): number;
}

/** Positions that are read at once. */
const WINDOW = 1_000;
/** Events after a kept hash that wait for the next one; more are not proven. */
const MAX_GROUP = 20_000;

/** Events that follow a kept hash without a gap. */
interface Line {
  readonly before: Kept;
  hash: ChainHash;
  readonly events: StoredEvent[];
}

/** The proven groups with pos in (base, end], in order. A kept hash that is itself damaged does not spoil the group around it. */
export function* provenGroups(from: Readable, span: EpochSpan, end: number): Generator<Group> {
  let lines: Line[] = [lineAfter({ pos: span.base, hash: chainStart(span.agent, span.epoch) })];
  // A broken tree tells its rows in any order: what was passed once is not looked at again.
  let passed = span.base;
  for (let at = nextBehind(from, passed); at <= end; at = nextBehind(from, passed)) {
    const to = Math.min(end, at + WINDOW - 1);
    passed = to;
    const events = from.events(span, at, to);
    let next = 0;
    for (const kept of [...rising(from.chains(at, to), at), null]) {
      for (; next < events.length; next += 1) {
        const event = events[next];
        if (event === undefined || (kept !== null && span.base + event.seq > kept.pos)) break;
        lines = lines.filter((line) => follow(line, event, span.base));
      }
      if (kept === null) continue;
      const proven = lines.find((line) => line.events.length > 0 && endsAt(line, kept));
      if (proven === undefined) {
        // The newest line may go on behind a hash that is damaged; an older one has had its chance.
        lines = [...lines.slice(-1), lineAfter(kept)];
        continue;
      }
      yield { before: proven.before, events: proven.events, after: kept };
      lines = [lineAfter(kept)];
    }
  }
}

function nextBehind(from: Readable, pos: number): number {
  return Math.max(pos + 1, from.next(pos));
}

/** Those that are at `from` or behind it and rise. */
function rising(chains: readonly Kept[], from: number): readonly Kept[] {
  let last = from - 1;
  return chains.filter(({ pos }) => {
    if (pos <= last) return false;
    last = pos;
    return true;
  });
}

function lineAfter(before: Kept): Line {
  return { before, hash: before.hash, events: [] };
}

/** False where the event does not follow: the line ends. */
function follow(line: Line, event: StoredEvent, base: number): boolean {
  if (base + event.seq !== line.before.pos + line.events.length + 1 || line.events.length >= MAX_GROUP) return false;
  line.hash = chainNext(line.hash, event);
  line.events.push(event);
  return true;
}

function endsAt(line: Line, kept: Kept): boolean {
  return line.before.pos + line.events.length === kept.pos && Buffer.compare(line.hash, kept.hash) === 0;
}
