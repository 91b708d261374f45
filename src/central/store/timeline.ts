/**
 * All events as facts of cats, in the order of time, a page at a time: what a version is made of from the beginning. Those that lie in
 * segments and those that are rows are merged; one that is both, while its row is being deleted, counts once.
 */
import type { CatFact, CatModel, ModelEvent, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { allCorrections, type Corrections } from './corrections.ts';
import type { TimePlace } from './cursor.ts';
import type { Scope } from './facts.ts';
import type { EpochName, EpochNames } from './rows.ts';
import { follows } from './runs.ts';
import type { SealedRows } from './sealed-rows.ts';
import type { Skipped } from './skipped.ts';
import type { TimelineRow } from './tables.ts';

/** Rows of one page: small ones are gone before they burden the garbage collector. */
const PAGE_ROWS = 1_000;
const COLUMNS = [
  ...(['epoch_no', 'seq', 'type', 'version', 'subject', 'time', 'original_time', 'data', 'shard', 'arrival'] as const),
];

export interface TimelineParts {
  readonly db: Db;
  readonly model: CatModel;
  readonly names: EpochNames;
  /** Of the events that are looked at. */
  readonly wearings: Wearings;
  readonly scope: Scope;
  /** What lies in segments, all of it read; absent: nothing does. */
  readonly sealed?: SealedRows | undefined;
  /** Rows of a page; more only where so many have the same time. */
  readonly rows?: number | undefined;
}

export interface TimelinePage {
  readonly events: number;
  /** In the order of their keys, each with its cat. */
  readonly facts: readonly CatAndFact[];
  /** What no fold can read, with the reason. */
  readonly skipped: readonly Skipped[];
  /** Everything before this time is in; null: everything. */
  readonly next: string | null;
}

export interface CatAndFact {
  readonly catId: number;
  readonly fact: CatFact;
}

/** From the time `from` on. */
export async function* timeline(parts: TimelineParts, from: string): AsyncGenerator<TimelinePage> {
  const { db, names, scope, sealed, rows: limit = PAGE_ROWS } = parts;
  const corrections = await allCorrections(db);
  const runs = [createRun((after) => rowsAfter(db, after, scope.before ?? null, limit), from, limit)];
  if (sealed !== undefined) runs.push(createRun(async (after) => sealed.rowsAfter(after, limit), from, limit));
  for (let start = from; ; ) {
    for (const run of runs) await run.fill();
    let horizon = earliest(runs);
    for (; horizon === start; horizon = earliest(runs)) {
      for (const run of runs) if (run.horizon() === start) await run.more();
    }
    const rows = merged(runs.map((run) => run.take(horizon)));
    const known = await names.of(
      db,
      rows.map((row) => row.epoch_no),
    );
    yield pageOf(parts, rows, known, corrections, horizon);
    if (horizon === null) return;
    start = horizon;
  }
}

/** Rows of one source in the order of time, some of which were read ahead. */
interface Run {
  /** Reads on where little is left. */
  fill(): Promise<void>;
  more(): Promise<void>;
  /** At this time there may be more than what was read: only what lies before it is certainly whole. Null: it was read to its end. */
  horizon(): string | null;
  take(before: string | null): readonly TimelineRow[];
}

function createRun(read: (after: TimePlace) => Promise<readonly TimelineRow[]>, from: string, limit: number): Run {
  let rows: readonly TimelineRow[] = [];
  // Below every epoch.
  let place: TimePlace = { time: from, epochNo: -1, seq: 0 };
  let ended = false;
  const more = async () => {
    const page = await read(place);
    ended = page.length < limit;
    const last = page.at(-1);
    if (last !== undefined) place = { time: last.time, epochNo: last.epoch_no, seq: last.seq };
    rows = rows.length === 0 ? page : rows.concat(page);
  };
  return {
    more,
    async fill() {
      if (!ended && rows.length < limit) await more();
    },
    horizon: () => (ended ? null : place.time),
    take(before) {
      const end = before === null ? -1 : rows.findIndex((row) => row.time >= before);
      const taken = end < 0 ? rows : rows.slice(0, end);
      rows = end < 0 ? [] : rows.slice(end);
      return taken;
    },
  };
}

function earliest(runs: readonly Run[]): string | null {
  return runs.map((run) => run.horizon()).reduce((a, b) => (a === null || (b !== null && b < a) ? b : a), null);
}

/** In any order: the facts of a page are sorted by their keys. */
function merged([rows = [], sealed = []]: readonly (readonly TimelineRow[])[]): readonly TimelineRow[] {
  if (rows.length === 0 || sealed.length === 0) return sealed.length === 0 ? rows : sealed;
  const place = (row: TimelineRow) => `${row.epoch_no}/${row.seq}`;
  const known = new Set(rows.map(place));
  return [...rows, ...sealed.filter((row) => !known.has(place(row)))];
}

function rowsAfter(db: Db, after: TimePlace, before: string | null, limit: number): Promise<TimelineRow[]> {
  let query = db
    .selectFrom('event')
    .select(COLUMNS)
    .where((eb) => follows(eb, 'asc', after));
  if (before !== null) query = query.where('time', '<', before);
  return query.orderBy('time').orderBy('epoch_no').orderBy('seq').limit(limit).execute();
}

function pageOf(
  { model, wearings, scope }: TimelineParts,
  rows: readonly TimelineRow[],
  names: ReadonlyMap<number, EpochName>,
  corrections: ReadonlyMap<string, Corrections>,
  next: string | null,
): TimelinePage {
  const facts: CatAndFact[] = [];
  const skipped: Skipped[] = [];
  const { isSeen } = scope;
  for (const row of rows) {
    if (isSeen !== undefined && !isSeen(row)) continue;
    const event = modelEvent(row, names.get(row.epoch_no) as EpochName, corrections);
    const meaning = model.meaning(event);
    if (meaning.type === 'skipped') skipped.push({ event, reason: meaning.reason, needed: meaning.needed });
    if (event.revoked) continue;
    if (meaning.type === 'fact') {
      const { collar, fact } = meaning;
      const catId = meaning.catId ?? (collar === null ? null : wearings.wearer(collar, fact.key));
      if (catId !== null) facts.push({ catId, fact });
    } else if (meaning.type === 'assigned') {
      const { catId, collar, key } = meaning.assignment;
      const cats = new Set([catId, ...wearings.ofCollar(collar).map((wearing) => wearing.catId)]);
      for (const id of cats) {
        for (const fact of wearings.changes(id)) if (fact.key === key) facts.push({ catId: id, fact });
      }
    }
  }
  return { events: rows.length, facts: facts.sort(byKey), skipped, next };
}

function modelEvent(
  row: TimelineRow,
  { agent, epoch }: EpochName,
  corrections: ReadonlyMap<string, Corrections>,
): ModelEvent {
  const { seq, type, version, subject, time, original_time: originalTime, data } = row;
  const found = corrections.size === 0 ? undefined : corrections.get(`${row.epoch_no}/${seq}`);
  const { revoked = null, reassigned = null } = found ?? {};
  const reassignedTo = reassigned?.catId ?? null;
  const told = { agent, epoch, seq, type, version, subject, time, originalTime, data };
  return { ...told, revoked: revoked !== null, reassignedTo };
}

/** Keys begin with the time, which decides nearly always and is a text that is there already. */
function byKey({ fact: a }: CatAndFact, { fact: b }: CatAndFact): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
