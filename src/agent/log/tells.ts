/** Where the log's own `history.lost` events lie: they are sent first, and told again when they go. Kept as a fact: no scan at a start. */
import { fullType, type NewEvent } from '../../contract/event.ts';
import { parseKeptList } from './kept-json.ts';
import type { Db } from './log-file.ts';

const LOST = fullType('history.lost');

export interface Tells {
  /** Positions, rising. Never changed in place. */
  readonly all: readonly number[];
  /** Notes those among `events`, of which the first is at `firstPos`. Within the caller's transaction. */
  note(events: readonly NewEvent[], firstPos: number): void;
  /** Forgets those in [from, to]. Within the caller's transaction. */
  remove(from: number, to: number): void;
  /** After a transaction that was rolled back. */
  restore(all: readonly number[]): void;
}

export function openTells(db: Db): Tells {
  const read = db.prepare<[], string | null>("SELECT value FROM fact WHERE key = 'tells'").pluck();
  const save = db.prepare("INSERT OR REPLACE INTO fact (key, value) VALUES ('tells', ?)");
  const kept = read.get();
  let all: readonly number[] = kept == null ? scan(db) : (parseKeptList(kept, 'list of losses') as number[]);
  let isKept = kept != null;
  const set = (next: readonly number[]) => {
    if (isKept && next.length === all.length) return;
    all = next;
    isKept = true;
    save.run(JSON.stringify(all));
  };
  return {
    get all() {
      return all;
    },
    note(events, firstPos) {
      const fresh = events.flatMap((event, i) => (event.type === LOST ? [firstPos + i] : []));
      set(fresh.length === 0 ? all : [...all, ...fresh]);
    },
    remove(from, to) {
      set(all.filter((pos) => pos < from || pos > to));
    },
    restore(before) {
      all = before;
      isKept = false;
    },
  };
}

/** A file that was written before the fact was kept: once, the next append keeps it. */
function scan(db: Db): number[] {
  return db
    .prepare<[string], number>('SELECT pos FROM event WHERE type = (SELECT no FROM word WHERE text = ?) ORDER BY pos')
    .pluck()
    .all(LOST);
}
