/** All events as facts of cats, in the order of time, a page at a time: what a version is made of from the beginning. */
import type { CatFact, CatModel, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import type { Scope } from './facts.ts';
import { type EpochNames, selectEvents } from './rows.ts';
import type { Skipped } from './skipped.ts';
import type { CentralEvent } from './store.ts';

/** Rows of one page: small ones are gone before they burden the garbage collector. */
const PAGE_ROWS = 1_000;

export interface TimelineParts {
  readonly db: Db;
  readonly model: CatModel;
  readonly names: EpochNames;
  /** Of the events that are looked at. */
  readonly wearings: Wearings;
  readonly scope: Scope;
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
  const { db, names, scope, rows: pageRows = PAGE_ROWS } = parts;
  const { before = null } = scope;
  for (let limit = pageRows, start = from; ; ) {
    let query = selectEvents(db).where('time', '>=', start).orderBy('time').orderBy('epoch_no').orderBy('seq');
    if (before !== null) query = query.where('time', '<', before);
    const rows = await query.limit(limit).execute();
    // Beyond the end of a full page there may be more at the same time: only what is certainly whole is taken.
    const horizon = rows.length < limit ? null : (rows.at(-1)?.time ?? null);
    if (horizon === start) {
      limit *= 2;
      continue;
    }
    const whole = horizon === null ? rows : rows.filter((row) => row.time < horizon);
    yield pageOf(parts, await names.events(db, whole), horizon);
    if (horizon === null) return;
    start = horizon;
    limit = pageRows;
  }
}

function pageOf(
  { model, wearings, scope }: TimelineParts,
  events: readonly CentralEvent[],
  next: string | null,
): TimelinePage {
  const facts: CatAndFact[] = [];
  const skipped: Skipped[] = [];
  const { isSeen } = scope;
  for (const event of events) {
    if (isSeen !== undefined && !isSeen(event)) continue;
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
  return { events: events.length, facts: facts.sort(byKey), skipped, next };
}

/** Keys begin with the time, which decides nearly always and is a text that is there already. */
function byKey({ fact: a }: CatAndFact, { fact: b }: CatAndFact): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
