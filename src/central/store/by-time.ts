/**
 * Events in the order of time, newest or oldest first. First their keys, from indexes alone: each run of an index in which something
 * lies that is asked for has queries of its own, and the runs are merged. Then the rows of the page, by their keys.
 */
import type { CatModel, Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import { comparePlaces, type TimePlace } from './cursor.ts';
import { belongs } from './facts.ts';
import { fusedPlaces, withFused } from './fused.ts';
import { type EpochNames, selectEvents } from './rows.ts';
import { type AgentEpochs, readRun, runsOf, type TimeOrder } from './runs.ts';
import type { CentralEvent, EventFilter } from './store.ts';
import type { EventRow } from './tables.ts';

export interface TimePage {
  readonly events: readonly CentralEvent[];
  /** The place of the last event, or `beyond` where there is none. */
  readonly last: TimePlace | null;
}

/**
 * `wearings` are needed where a cat is asked for, most of whose events name its collar only, and for `fused`: then what `fused.ts`
 * finds is among the events, whatever types are asked for, newest first only.
 */
export async function readByTime(
  db: Db,
  names: EpochNames,
  model: CatModel,
  filter: EventFilter & { readonly fused?: boolean },
  wearings: Wearings | null,
  by: TimeOrder,
): Promise<TimePage> {
  const agent = await epochsOf(db, filter.agent);
  const runs = runsOf(filter, agent, wearings);
  const given = filter.catId === undefined ? [] : await givenPlaces(db, filter.catId, filter);
  const sign = by.order === 'asc' ? 1 : -1;
  const events: CentralEvent[] = [];
  let last = by.beyond;
  while (events.length < by.limit) {
    const limit = by.limit - events.length;
    const places: TimePlace[] = [];
    for (const run of runs) places.push(...(await readRun(db, run, { ...by, beyond: last, limit })));
    places.push(...given.filter((place) => last === null || sign * comparePlaces(place, last) > 0));
    if (filter.fused === true) places.push(...(await fusedPlaces(db, filter, agent, { beyond: last, limit })));
    const page = merged(places, by.order).slice(0, limit);
    const found = await names.events(db, await rowsOf(db, page));
    events.push(...found.filter((event) => belongs(event, filter, model, wearings)));
    last = page.at(-1) ?? last;
    // At the edges of the time in which a cat wore its collar a few may be of another one: then it is read on.
    if (page.length < limit) break;
  }
  return { events: filter.fused === true ? await withFused(db, model, wearings, events) : events, last };
}

/** Undefined where no agent is asked for, null where it has no epoch. */
async function epochsOf(db: Db, agent: string | undefined): Promise<AgentEpochs | null | undefined> {
  if (agent === undefined) return undefined;
  const ofAgent = db.selectFrom('epoch').innerJoin('agent', 'agent.no', 'epoch.agent_no');
  const rows = await ofAgent.select(['epoch.no', 'epoch.agent_no']).where('agent.name', '=', agent).execute();
  const first = rows[0];
  return first === undefined ? null : { no: first.agent_no, epochs: rows.map((row) => row.no) };
}

/** What corrections have given to a cat. A person did it, one by one: there are few of them. */
async function givenPlaces(db: Db, catId: number, filter: EventFilter): Promise<readonly TimePlace[]> {
  const { types, collar, agent, from, to } = filter;
  const rows = await db
    .selectFrom('correction')
    .innerJoin('event', (join) =>
      join.onRef('event.epoch_no', '=', 'correction.epoch_no').onRef('event.seq', '=', 'correction.seq'),
    )
    .innerJoin('agent', 'agent.no', 'event.agent_no')
    .select(['event.time', 'event.epoch_no', 'event.seq', 'event.type', 'event.subject', 'agent.name'])
    .where('correction.cat_id', '=', catId)
    .where('correction.in_force', '=', 1)
    .execute();
  return rows
    .filter((row) => types === undefined || types.includes(row.type))
    .filter((row) => collar === undefined || row.subject === `collar/${collar}`)
    .filter((row) => agent === undefined || row.name === agent)
    .filter((row) => (from === undefined || row.time >= from) && (to === undefined || row.time < to))
    .map((row) => ({ time: row.time, epochNo: row.epoch_no, seq: row.seq }));
}

/** In order, each once: runs of one cat may share an edge. */
function merged(places: readonly TimePlace[], order: TimeOrder['order']): TimePlace[] {
  const sign = order === 'asc' ? 1 : -1;
  const sorted = [...places].sort((a, b) => sign * comparePlaces(a, b));
  return sorted.filter((place, i) => i === 0 || comparePlaces(place, sorted[i - 1] ?? place) !== 0);
}

/** The rows at these places, in their order. One that has been deleted meanwhile is left out. */
async function rowsOf(db: Db, places: readonly TimePlace[]): Promise<readonly EventRow[]> {
  const byEpoch = Map.groupBy(places, (place) => place.epochNo);
  const rows = new Map<string, EventRow>();
  for (const [epochNo, wanted] of byEpoch) {
    const seqs = wanted.map(({ seq }) => seq);
    const found = await selectEvents(db).where('epoch_no', '=', epochNo).where('seq', 'in', seqs).execute();
    for (const row of found) rows.set(`${row.epoch_no}/${row.seq}`, row);
  }
  return places.flatMap(({ epochNo, seq }) => rows.get(`${epochNo}/${seq}`) ?? []);
}
