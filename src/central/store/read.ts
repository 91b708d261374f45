/** What the API reads. Every query follows an index; filters that no index serves are checked on the rows of one that does. */
import { type ExpressionBuilder, type Kysely, sql } from 'kysely';
import { chainNext, chainStart, parseChainHex } from '../../contract/chain.ts';
import type { CatModel, Wearing } from '../models/model.ts';
import { agentRows, unassignedCollars } from './agent-rows.ts';
import { decodeTimePlace, encodeCursor, encodeTimePlace, type TimePlace } from './cursor.ts';
import { readWearings } from './facts.ts';
import { liveTables, skippedName } from './model-tables.ts';
import { catHistory, catRow, readCats } from './read-models.ts';
import { type EpochNames, type EventSelect, selectEvents, storedEvent } from './rows.ts';
import type { CentralEvent, Cursor, EventQuery, ReadStore } from './store.ts';
import type { EventRow, Tables } from './tables.ts';

const CHAIN_PAGE_ROWS = 2_000;

export function createReader(db: Kysely<Tables>, model: CatModel, names: EpochNames): ReadStore {
  const wornBy = async (catId: number | undefined) =>
    catId === undefined ? [] : (await readWearings(db, model, names)).ofCat(catId);
  return {
    async events(query) {
      const after = query.after ?? new Map<number, number>();
      const worn = await wornBy(query.catId);
      // Read before the events: all up to here is looked through.
      const ends = new Map((await shardHeads(db)).map((row) => [row.shard, row.next_position - 1]));
      const pages = await byShard(db, after, async (shard, seen) => {
        const base = selectEvents(db).where('shard', '=', shard).where('position', '>', seen).orderBy('position');
        const rows = await filtered(base, query, worn).limit(query.limit).execute();
        return names.events(db, rows);
      });
      const { events, next } = merge(pages, after, query.limit, (event) => event.position ?? 0);
      return { events, next: encodeCursor(events.length < query.limit ? atLeast(next, ends) : next) };
    },
    async newest(query) {
      const before = query.before === undefined ? null : decodeTimePlace(query.before);
      const worn = await wornBy(query.catId);
      const pages: EventRow[][] = [];
      for (const branch of branches(query, worn)) {
        let page = filtered(branch(selectEvents(db)), query, worn);
        if (before !== null) page = page.where((eb) => older(eb, before));
        const ordered = page.orderBy('time', 'desc').orderBy('epoch_no', 'desc').orderBy('seq', 'desc');
        pages.push(await ordered.limit(query.limit).execute());
      }
      const seen = new Set<string>();
      const rows = pages
        .flat()
        .filter((row) => !seen.has(`${row.epoch_no}/${row.seq}`) && seen.add(`${row.epoch_no}/${row.seq}`))
        .sort(newestFirst)
        .slice(0, query.limit);
      const last = rows.at(-1);
      const place = last === undefined ? before : { time: last.time, epochNo: last.epoch_no, seq: last.seq };
      return { events: await names.events(db, rows), next: place === null ? '' : encodeTimePlace(place) };
    },
    async arrivals(after, limit) {
      const pages = await byShard(db, after, async (shard, seen) => {
        const base = selectEvents(db).where('shard', '=', shard).where('arrival', '>', seen).orderBy('arrival');
        return names.events(db, await base.limit(limit).execute());
      });
      return merge(pages, after, limit, (event) => event.arrival);
    },
    async arrivalHead() {
      return new Map((await shardHeads(db)).map((row) => [row.shard, row.next_arrival - 1]));
    },
    cats: async (now) => (await readCats(db, now)).map(catRow),
    catHistory: (catId, limit) => catHistory(db, catId, limit),
    agents: () => agentRows(db),
    unassignedCollars: async () => unassignedCollars(db, await readWearings(db, model, names)),
    chainAt: (epoch, seq) => chainAt(db, epoch, seq),
    counts: () => counts(db),
  };
}

/** The conditions of a query, by whatever index the rows come. */
function filtered(base: EventSelect, query: EventQuery, worn: readonly Wearing[]): EventSelect {
  let select = base;
  const { types, catId, collar, agent, from, to } = query;
  if (types !== undefined) select = select.where('type', 'in', types.length === 0 ? [''] : types);
  if (collar !== undefined) select = select.where('subject', '=', `collar/${collar}`);
  if (agent !== undefined) {
    select = select.where('agent_no', '=', (eb) => eb.selectFrom('agent').select('no').where('name', '=', agent));
  }
  if (from !== undefined) select = select.where('time', '>=', from);
  if (to !== undefined) select = select.where('time', '<', to);
  if (catId !== undefined) {
    select = select.where((eb) =>
      eb.or([
        eb('cat_id', '=', catId),
        ...worn.map((w) =>
          eb.and([
            eb('cat_id', 'is', null),
            eb('subject', '=', `collar/${w.collar}`),
            eb('time', '>=', w.fromTime),
            ...(w.toTime === null ? [] : [eb('time', '<', w.toTime)]),
          ]),
        ),
      ]),
    );
  }
  return select;
}

/** One query for each run of an index in which what is asked for lies; they are merged by time. */
function branches(query: EventQuery, worn: readonly Wearing[]): ((base: EventSelect) => EventSelect)[] {
  const { catId, collar, types } = query;
  if (catId !== undefined) {
    return [
      (base) => base.where('cat_id', '=', catId),
      ...worn.map((w) => (base: EventSelect) => {
        const mine = base.where('subject', '=', `collar/${w.collar}`).where('time', '>=', w.fromTime);
        return w.toTime === null ? mine : mine.where('time', '<', w.toTime);
      }),
    ];
  }
  if (collar !== undefined) return [(base) => base];
  if (query.agent !== undefined || types === undefined) return [(base) => base];
  return types.map((type) => (base: EventSelect) => base.where('type', '=', type));
}

function older(eb: ExpressionBuilder<Tables, 'event'>, place: TimePlace) {
  const { time, epochNo, seq } = place;
  return eb.and([
    eb('time', '<=', time),
    eb.or([
      eb('time', '<', time),
      eb('epoch_no', '<', epochNo),
      eb.and([eb('epoch_no', '=', epochNo), eb('seq', '<', seq)]),
    ]),
  ]);
}

function newestFirst(a: EventRow, b: EventRow): number {
  if (a.time !== b.time) return a.time < b.time ? 1 : -1;
  return b.epoch_no - a.epoch_no || b.seq - a.seq;
}

/** Asks each shard that holds events. */
async function byShard(
  db: Kysely<Tables>,
  after: Cursor,
  read: (shard: number, seen: number) => Promise<readonly CentralEvent[]>,
): Promise<(readonly CentralEvent[])[]> {
  const pages: (readonly CentralEvent[])[] = [];
  for (const { shard } of await shardHeads(db)) pages.push(await read(shard, after.get(shard) ?? 0));
  return pages;
}

/** The shards that hold events, with the numbers that come next in each. */
function shardHeads(db: Kysely<Tables>) {
  return db.selectFrom('shard').select(['shard', 'next_arrival', 'next_position']).orderBy('shard').execute();
}

/** Up to `ends` nothing is left of what was asked for: who asks on need not look through it again. */
function atLeast(cursor: Cursor, ends: Cursor): Cursor {
  const next = new Map(cursor);
  for (const [shard, end] of ends) if (end > (next.get(shard) ?? 0)) next.set(shard, end);
  return next;
}

/** Takes the earliest of the shards' next events, again and again: each shard's own order stays. */
function merge(
  pages: readonly (readonly CentralEvent[])[],
  after: Cursor,
  limit: number,
  numberOf: (event: CentralEvent) => number,
): { readonly events: readonly CentralEvent[]; readonly next: Cursor } {
  const next = new Map(after);
  const events: CentralEvent[] = [];
  const at = pages.map(() => 0);
  while (events.length < limit) {
    let first: CentralEvent | undefined;
    let from = -1;
    for (const [i, page] of pages.entries()) {
      const head = page[at[i] ?? 0];
      if (head !== undefined && (first === undefined || head.time < first.time)) [first, from] = [head, i];
    }
    if (first === undefined) break;
    events.push(first);
    next.set(first.shard, numberOf(first));
    at[from] = (at[from] ?? 0) + 1;
  }
  return { events, next };
}

async function chainAt(db: Kysely<Tables>, epoch: string, seq: number): Promise<Uint8Array | null> {
  const known = await db
    .selectFrom('epoch')
    .innerJoin('agent', 'agent.no', 'epoch.agent_no')
    .select(['epoch.no', 'epoch.mark', 'epoch.mark_chain', 'agent.name'])
    .where('epoch.epoch', '=', epoch)
    .executeTakeFirst();
  if (known === undefined) return null;
  let chain = chainStart(known.name, epoch);
  for (let at = 0; at < seq; ) {
    const rows = await db
      .selectFrom('event')
      .selectAll()
      .where('epoch_no', '=', known.no)
      .where('seq', '>', at)
      .where('seq', '<=', seq)
      .orderBy('seq')
      .limit(CHAIN_PAGE_ROWS)
      .execute();
    for (const row of rows) {
      // What is lost cannot be recomputed; at the mark itself the anchored chain is known.
      if (row.seq !== at + 1) return seq === known.mark ? parseChainHex(known.mark_chain) : null;
      chain = chainNext(chain, storedEvent(row, epoch));
      at = row.seq;
    }
    if (rows.length === 0) return null;
  }
  return chain;
}

async function counts(db: Kysely<Tables>) {
  const count = async (table: 'event' | 'conflict' | 'gap') => {
    const found = await db
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<number>().as('n'))
      .executeTakeFirstOrThrow();
    return found.n;
  };
  // Arrivals are gapless, so the counters tell the number of events without a scan.
  const { arrived } = await db
    .selectFrom('shard')
    .select(sql<number>`coalesce(sum(next_arrival - 1), 0)`.as('arrived'))
    .executeTakeFirstOrThrow();
  const { noted } = await db
    .selectFrom('quarantine_tally')
    .select(sql<number>`coalesce(sum(noted), 0)`.as('noted'))
    .where('kind', '<>', 'conflict')
    .executeTakeFirstOrThrow();
  const name = skippedName(await liveTables(db));
  const skipped = await db.selectFrom('meta').select('value').where('name', '=', name).executeTakeFirst();
  return {
    events: Number(arrived),
    conflicts: await count('conflict'),
    quarantined: Number(noted),
    gaps: await count('gap'),
    skipped: Number(skipped?.value ?? 0),
  };
}
