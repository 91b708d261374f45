/** Reads events by what they are about, in the order of their keys, a page at a time. */
import { collarOf, fullType } from '../../contract/event.ts';
import type { Assignment, CatFact, CatModel, FactKey, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { type EpochNames, isGivenTo, namedCat, selectEvents } from './rows.ts';
import type { CentralEvent, EventFilter } from './store.ts';
import type { EventRow } from './tables.ts';

/** Rows of one page of one source. */
const PAGE_ROWS = 1_000;

/** Where facts of a cat are found: under its own number, under a collar while it wore it, or given to it by corrections. */
type Source =
  | { readonly type: 'cat' | 'corrections'; readonly fromTime: string; readonly toTime: null }
  | { readonly type: 'collar'; readonly collar: string; readonly fromTime: string; readonly toTime: string | null };

/** What of the stored events may be looked at. */
export interface Scope {
  /** What a model that stands still has passed. Absent: all. */
  readonly isSeen?: IsSeen | undefined;
  /** What happened before this time. Absent: all. */
  readonly before?: string | null;
}

export type IsSeen = (event: Pick<CentralEvent, 'shard' | 'arrival'>) => boolean;

/** All assignments that count. There are few: collars are swapped by hand. */
export async function readWearings(db: Db, model: CatModel, names: EpochNames, scope: Scope = {}): Promise<Wearings> {
  const { isSeen = () => true, before = null } = scope;
  let query = selectEvents(db).where('type', '=', fullType('collar.assigned'));
  if (before !== null) query = query.where('time', '<', before);
  const rows = await query.execute();
  const assignments: Assignment[] = [];
  for (const event of await names.events(db, rows)) {
    const meaning = model.meaning(event);
    if (meaning.type === 'assigned' && !event.revoked && isSeen(event)) assignments.push(meaning.assignment);
  }
  return model.wearings(assignments);
}

/** The facts of one cat with keys above `after`, in order, in pages. */
export async function* factsOfCat(
  db: Db,
  model: CatModel,
  names: EpochNames,
  wearings: Wearings,
  catId: number,
  after: FactKey,
  { isSeen = () => true, before = null }: Scope = {},
): AsyncGenerator<readonly CatFact[]> {
  const changes = wearings.changes(catId);
  const sources: Source[] = [
    { type: 'cat', fromTime: '', toTime: null },
    { type: 'corrections', fromTime: '', toTime: null },
  ];
  for (const { collar, to, fromTime, toTime } of wearings.ofCat(catId)) {
    if (to === null || to > after) sources.push({ type: 'collar', collar, fromTime, toTime });
  }
  let from = after.slice(0, 24);
  for (let limit = PAGE_ROWS, key = after; ; ) {
    const pages = await Promise.all(sources.map((source) => page(db, source, catId, from, before, limit)));
    // Beyond the end of a full page there may be more at the same time: only what is certainly whole is taken.
    const ends = pages.filter((rows) => rows.length === limit).map((rows) => rows.at(-1)?.time ?? '');
    const horizon = ends.length === 0 ? null : ends.reduce((a, b) => (a < b ? a : b));
    if (horizon === from) {
      limit *= 2;
      continue;
    }
    const rows = pages.flat().filter((row) => horizon === null || row.time < horizon);
    const end = horizon ?? before;
    const facts: CatFact[] = changes.filter((fact) => fact.key > key && (end === null || fact.time < end));
    for (const event of await names.events(db, rows)) {
      const meaning = event.revoked || !isSeen(event) ? null : model.meaning(event);
      if (meaning?.type !== 'fact' || meaning.fact.key <= key) continue;
      const owner =
        meaning.catId ?? (meaning.collar === null ? null : wearings.wearer(meaning.collar, meaning.fact.key));
      if (owner === catId) facts.push(meaning.fact);
    }
    // What a correction gave to the cat that had it anyway comes from two sources.
    yield facts.sort((a, b) => (a.key < b.key ? -1 : 1)).filter((fact, i) => fact.key !== facts[i - 1]?.key);
    if (horizon === null) return;
    key = facts.at(-1)?.key ?? key;
    from = horizon;
    limit = PAGE_ROWS;
  }
}

function page(
  db: Db,
  source: Source,
  catId: number,
  from: string,
  before: string | null,
  limit: number,
): Promise<EventRow[]> {
  const start = from > source.fromTime ? from : source.fromTime;
  let query = selectEvents(db).where('time', '>=', start).orderBy('time').orderBy('epoch_no').orderBy('seq');
  if (before !== null) query = query.where('time', '<', before);
  switch (source.type) {
    case 'cat':
      query = query.where('cat_id', '=', catId);
      break;
    case 'corrections':
      query = query.where((eb) => isGivenTo(eb, catId));
      break;
    case 'collar':
      query = query.where('subject', '=', `collar/${source.collar}`).where('cat_id', 'is', null);
      if (source.toTime !== null) query = query.where('time', '<=', source.toTime);
  }
  return query.limit(limit).execute();
}

/** Whether an event is of the cat that is asked for, to the very key: by itself, by its collar, or by a correction. */
export function belongs(
  event: CentralEvent,
  { catId }: EventFilter,
  model: CatModel,
  wearings: Wearings | null,
): boolean {
  return catId === undefined || catsOf(event, model, wearings).includes(catId);
}

/** The cats that it was told of: by itself or by its collar, and the one that it was given to. */
export function catsOf(event: CentralEvent, model: CatModel, wearings: Wearings | null): readonly number[] {
  const own = namedCat(event) ?? wearings?.wearer(collarOf(event) ?? '', model.key(event)) ?? null;
  return [own, event.reassignedTo].filter((catId, i, all) => catId !== null && all.indexOf(catId) === i) as number[];
}
