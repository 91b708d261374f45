/**
 * The newest events of the log and their chains, in memory: forward asks for each event just after it was appended, and need not have it
 * read and hashed again for that. Holds only what is durable, exactly as it was hashed then. Older events come from the file.
 */
import type { ChainHash } from '../../contract/chain.ts';
import type { NewEvent, StoredEvent } from '../../contract/event.ts';

/** What is held at most, but one group at least. */
export const RECENT_EVENTS = 4_000;
export const RECENT_CHARACTERS = 512 * 1024;
const HASH_BYTES = 32;

/** One that was appended: consecutive events, and chain at each of them, one after the other. */
export interface RecentGroup {
  readonly epoch: string;
  readonly firstSeq: number;
  readonly events: readonly NewEvent[];
  readonly chains: Uint8Array;
}

export interface RecentRange {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly maxBytes: number;
}

export interface Recent {
  note(group: RecentGroup): void;
  /** Some of it may have been given up. */
  clear(): void;
  /** As `LogReader.read` for `to` ≤ the last seq; null where not all of it is held. */
  read(epoch: string, range: RecentRange): readonly StoredEvent[] | null;
  /** null where it is not held. */
  chainAt(epoch: string, seq: number): ChainHash | null;
}

interface Held extends RecentGroup {
  readonly lastSeq: number;
  readonly characters: number;
}

export function createRecent(): Recent {
  /** Of one epoch, each behind the other without a gap. */
  let groups: Held[] = [];
  let events = 0;
  let characters = 0;
  const clear = () => {
    groups = [];
    events = 0;
    characters = 0;
  };
  const indexOf = (epoch: string, seq: number) =>
    groups[0]?.epoch === epoch ? groups.findIndex((group) => group.firstSeq <= seq && seq <= group.lastSeq) : -1;
  return {
    clear,
    note(group) {
      const before = groups.at(-1);
      // Something else was written in between: what tells of a loss, or another epoch.
      if (before !== undefined && (before.epoch !== group.epoch || before.lastSeq + 1 !== group.firstSeq)) clear();
      const length = group.events.reduce((sum, { data }) => sum + data.length, 0);
      groups.push({ ...group, lastSeq: group.firstSeq + group.events.length - 1, characters: length });
      events += group.events.length;
      characters += length;
      for (const oldest of groups.slice(0, -1)) {
        if (events <= RECENT_EVENTS && characters <= RECENT_CHARACTERS) break;
        groups.shift();
        events -= oldest.events.length;
        characters -= oldest.characters;
      }
    },
    read(epoch, { from, to, limit, maxBytes }) {
      const last = groups.at(-1)?.lastSeq ?? 0;
      const first = indexOf(epoch, from);
      if (first < 0 || limit < 1 || to < from || Math.min(to, from + limit - 1) > last) return null;
      const found: StoredEvent[] = [];
      let bytes = 0;
      for (const group of groups.slice(first)) {
        const { firstSeq } = group;
        for (let seq = Math.max(from, firstSeq); seq <= group.lastSeq; seq += 1) {
          if (seq > to) return found;
          const event = group.events[seq - firstSeq] as NewEvent;
          bytes += event.data.length;
          if (found.length > 0 && bytes > maxBytes) return found;
          if (found.push({ ...event, epoch, seq }) >= limit) return found;
        }
      }
      return found;
    },
    chainAt(epoch, seq) {
      const group = groups[indexOf(epoch, seq)];
      if (group === undefined) return null;
      const at = (seq - group.firstSeq) * HASH_BYTES;
      return group.chains.subarray(at, at + HASH_BYTES);
    },
  };
}
