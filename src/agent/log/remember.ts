/** The last thing known of each collar: a fold of the log, kept on the card now and then so that rows may be trimmed. */
import { collarOf, type NewEvent, shortType } from '../../contract/event.ts';
import type { RememberedCollar } from './event-log.ts';
import { parseKeptList, parseKeptObject } from './kept-json.ts';
import { logError } from './log-error.ts';
import type { Db } from './log-file.ts';
import { type EpochSpan, MAX_TIME_MS, type Rows } from './rows.ts';

/** More collars than any house has; beyond it the one that was quiet longest is forgotten. */
export const REMEMBERED_LIMIT = 4_096;
/** A configuration has 16 sources; names change now and then. */
const FAILED_LIMIT = 64;
/** The fold is written after so many events: no more have to be read again at the next start. */
const SAVE_EVERY = 2_000;

export interface Memory {
  /** Folds what was just committed. */
  note(events: readonly NewEvent[], lastPos: number): void;
  /** Writes the fold where it is due, or always. Within the caller's transaction. */
  save(always: boolean): void;
  /** How far it has come: `restore` puts that back after a transaction that was rolled back. To fold the same again changes nothing. */
  mark(): readonly [savedPos: number, notedPos: number];
  restore(mark: readonly [savedPos: number, notedPos: number]): void;
  all(): readonly RememberedCollar[];
  /** The boot of unsynced events that no `clock.synced` has explained yet, or null. */
  readonly unsyncedBoot: string | null;
  /** Sources that failed and have not recovered. */
  readonly failedSources: readonly string[];
}

const NEWS: ReadonlyMap<string, Partial<RememberedCollar>> = new Map([
  ['meow.started', { openMeow: true }],
  ['meow.ended', { openMeow: false }],
  ['collar.silent', { silent: true }],
  ['collar.heard', { silent: false }],
  ['battery.low', { batteryLow: true }],
]);

interface Row {
  readonly collar: string;
  readonly place: string | null;
  readonly open_meow: number;
  readonly silent: number;
  readonly battery_low: number;
  readonly last_event: number;
}

/** Reads what was kept and folds the events after it. */
export function openMemory(db: Db, rows: Rows, spans: readonly EpochSpan[], lastPos: number): Memory {
  const collars = new Map<string, RememberedCollar>();
  for (const row of db.prepare<[], Row>('SELECT * FROM remembered ORDER BY last_event').all())
    collars.set(row.collar, fromRow(row));
  const readFact = db.prepare<[string], string | null>('SELECT value FROM fact WHERE key = ?').pluck();
  const saveFact = db.prepare('INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)');
  const saveRow = db.prepare('INSERT OR REPLACE INTO remembered VALUES (?, ?, ?, ?, ?, ?)');
  let savedPos = Number(readFact.get('rememberedPos') ?? 0);
  let notedPos = savedPos;
  let unsyncedBoot = readFact.get('unsyncedBoot') ?? null;
  const failed = new Set(parseKeptList(readFact.get('failedSources') ?? '[]', 'failed sources').map(String));

  const fold = (event: NewEvent) => {
    if (event.boot !== null) unsyncedBoot = event.boot;
    const type = shortType(event.type);
    if (type === 'clock.synced') unsyncedBoot = null;
    if (type === 'sensor.failed' && failed.size < FAILED_LIMIT) failed.add(sourceIn(event.data));
    if (type === 'sensor.recovered') failed.delete(sourceIn(event.data));
    const collar = collarOf(event);
    if (collar === null) return;
    const next = {
      ...(collars.get(collar) ?? unknown(collar, event.time)),
      ...news(type, event.data),
      lastEvent: event.time,
    };
    // Set anew, so that the map stays in the order of the last event.
    collars.delete(collar);
    collars.set(collar, next);
    for (const quietest of collars.keys()) {
      if (collars.size <= REMEMBERED_LIMIT) break;
      collars.delete(quietest);
    }
  };
  spans.forEach((span, i) => {
    const end = spans[i + 1]?.base ?? lastPos;
    if (end <= savedPos) return;
    for (const event of rows.iterate(span, Math.max(span.base, savedPos) + 1, end)) fold(event);
  });
  notedPos = lastPos;

  return {
    note(events, pos) {
      for (const event of events) fold(event);
      notedPos = pos;
    },
    save(always) {
      if (notedPos === savedPos || (!always && notedPos - savedPos < SAVE_EVERY)) return;
      db.exec('DELETE FROM remembered');
      for (const c of collars.values())
        saveRow.run(c.collar, c.place, +c.openMeow, +c.silent, +c.batteryLow, Date.parse(c.lastEvent));
      saveFact.run('rememberedPos', String(notedPos));
      saveFact.run('unsyncedBoot', unsyncedBoot);
      saveFact.run('failedSources', JSON.stringify([...failed]));
      savedPos = notedPos;
    },
    mark: () => [savedPos, notedPos],
    restore(before) {
      [savedPos, notedPos] = before;
    },
    all: () => [...collars.values()],
    get unsyncedBoot() {
      return unsyncedBoot;
    },
    get failedSources() {
      return [...failed];
    },
  };
}

/** What an event of this type says of its collar. */
function news(type: string, data: string): Partial<RememberedCollar> {
  if (type === 'cat.moved') return { place: placeIn(data) };
  return NEWS.get(type) ?? {};
}

function placeIn(data: string): string | null {
  const { to } = parseKeptObject(data, 'cat.moved');
  return typeof to === 'string' ? to : null;
}

function sourceIn(data: string): string {
  return String(parseKeptObject(data, 'sensor.failed').source);
}

function unknown(collar: string, lastEvent: string): RememberedCollar {
  return { collar, place: null, openMeow: false, silent: false, batteryLow: false, lastEvent };
}

function fromRow(row: Row): RememberedCollar {
  if (!(Math.abs(row.last_event) <= MAX_TIME_MS))
    throw logError('SQLITE_CORRUPT', `what the log remembers of collar ${row.collar} is damaged`);
  return {
    collar: row.collar,
    place: row.place,
    openMeow: row.open_meow === 1,
    silent: row.silent === 1,
    batteryLow: row.battery_low === 1,
    lastEvent: new Date(row.last_event).toISOString(),
  };
}
