/**
 * What lies in segments, in the order of time: segments are in the order of their epochs, and a fold asks for that of time across all of
 * them. So their events are sorted in a temporary database of their own, which spills to a file that goes with the process (`/var/tmp`,
 * or where SQLITE_TMPDIR says): memory stays bounded however many there are.
 */
import Database from 'better-sqlite3';
import type { Db } from './agents.ts';
import { allClocks } from './clocks.ts';
import type { TimePlace } from './cursor.ts';
import { notedSegments, refuseUnnamed } from './expired.ts';
import type { TimelineRow } from './tables.ts';
import { readVerified } from './verified-segment.ts';

/** Pages of the temporary database in memory, in KiB. */
const CACHE_KIB = 32_768;
const COLUMNS = 'epoch_no, seq, type, version, subject, time, original_time, data, shard, arrival';

export interface SealedRows {
  /** Segments that are not in yet. */
  readonly left: number;
  /** Reads and verifies the next one. Resolves to the number of its events; rejects with code SEGMENT_DAMAGED, which names the file. */
  loadNext(): Promise<number>;
  /** What follows a place, in the order of (time, epoch, seq). Asked once none is left. */
  rowsAfter(place: TimePlace, limit: number): readonly TimelineRow[];
  close(): void;
}

/** The events of all segments that happened in [from, to). Rejects with code EXPIRED where there are segments and no folder is named. */
export async function openSealedRows(
  db: Db,
  dir: string | undefined,
  { from, to }: { readonly from: string; readonly to: string | null },
): Promise<SealedRows> {
  await refuseUnnamed(db, dir);
  const segments = await notedSegments(db);
  const timesOf = await allClocks(db);
  const scratch = openScratch();
  let next = 0;
  return {
    get left() {
      return segments.length - next;
    },
    async loadNext() {
      const segment = segments[next];
      if (segment === undefined) return 0;
      scratch.begin();
      for await (const event of readVerified(dir ?? '', segment)) {
        const times = timesOf(event);
        if (times.time >= from && (to === null || times.time < to))
          scratch.add({ epoch_no: segment.epoch_no, ...event, ...times });
      }
      scratch.commit();
      next += 1;
      return segment.events;
    },
    rowsAfter: scratch.rowsAfter,
    close: scratch.close,
  };
}

function openScratch() {
  // Without a name: on the disk where it does not fit into its cache, and gone when it is closed.
  const database = new Database('');
  for (const setting of ['journal_mode = OFF', 'synchronous = OFF', `cache_size = -${CACHE_KIB}`])
    database.pragma(setting);
  database.exec(`create table sealed (time text, epoch_no integer, seq integer, type text, version integer, subject text,
    original_time text, data text, shard integer, arrival integer, primary key (time, epoch_no, seq)) without rowid`);
  const insert = database.prepare(`insert into sealed (${COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const select = database.prepare<unknown[], TimelineRow>(
    `select ${COLUMNS} from sealed where (time, epoch_no, seq) > (?, ?, ?) order by time, epoch_no, seq limit ?`,
  );
  return {
    begin: () => void database.exec('begin'),
    commit: () => void database.exec('commit'),
    add({ epoch_no, seq, type, version, subject, time, original_time, data, shard, arrival }: TimelineRow) {
      insert.run(epoch_no, seq, type, version, subject, time, original_time, data, shard, arrival);
    },
    rowsAfter: ({ time, epochNo, seq }: TimePlace, limit: number) => select.all(time, epochNo, seq, limit),
    close: () => void database.close(),
  };
}
