/** Runs of indexes on events: equal values first, then the order of time. Read for their keys, without the rows. */
import { setImmediate } from 'node:timers/promises';
import { type ExpressionBuilder, sql } from 'kysely';
import type { Wearings } from '../models/model.ts';
import type { Db } from './agents.ts';
import type { TimePlace } from './cursor.ts';
import type { EventFilter } from './store.ts';
import type { Tables } from './tables.ts';

/** Entries of an index that are looked through at once where few are wanted: others wait no longer than this takes. */
export const MAX_WINDOW_ENTRIES = 20_000;
/** The first window, as a multiple of what is wanted: most often it is enough. */
const FIRST_WINDOW = 8;

export interface TimeOrder {
  readonly order: 'asc' | 'desc';
  /** Only what follows it in this order; null: from the beginning. */
  readonly beyond: TimePlace | null;
  readonly limit: number;
}

/** In the order of the index's columns. */
interface Equal {
  readonly column: 'cat_id' | 'subject' | 'type' | 'agent_no';
  readonly value: string | number;
}

/** One stretch of one index. */
export interface Run {
  readonly equal: readonly Equal[];
  readonly from: string | undefined;
  /** Exclusive, unless `toIncluded`. */
  readonly to: string | undefined;
  readonly toIncluded: boolean;
  /** What is checked entry by entry. */
  readonly types: readonly string[] | undefined;
  readonly epochs: readonly number[] | undefined;
  readonly subject: string | undefined;
}

/** An agent with all its epochs: an entry of an index names it by its epoch. */
export interface AgentEpochs {
  readonly no: number;
  readonly epochs: readonly number[];
}

/** `agent`: the one that is asked for; null where it is unknown. */
export function runsOf(
  filter: EventFilter,
  agent: AgentEpochs | null | undefined,
  wearings: Wearings | null,
): readonly Run[] {
  const { types, catId, collar, from, to } = filter;
  if (types?.length === 0 || agent === null) return [];
  const epochs = agent?.epochs;
  const run = (equal: Run['equal'], more: Partial<Run> = {}): Run => {
    return { equal, from, to, toIncluded: false, types: undefined, epochs, subject: undefined, ...more };
  };
  const ofTypes = types === undefined ? null : [...new Set(types)].map((value): Equal => ({ column: 'type', value }));
  const ofCollar = (id: string, more: Partial<Run> = {}): readonly Run[] => {
    const subject: Equal = { column: 'subject', value: `collar/${id}` };
    return ofTypes === null ? [run([subject], more)] : ofTypes.map((type) => run([subject, type], more));
  };
  if (catId !== undefined) {
    const worn = (wearings?.ofCat(catId) ?? []).filter((wearing) => collar === undefined || wearing.collar === collar);
    const named: Equal = { column: 'cat_id', value: catId };
    return [
      // Few events name the cat itself: what else is asked of them is looked up in their rows.
      run([named], { types, subject: collar === undefined ? undefined : `collar/${collar}` }),
      ...worn.flatMap(({ collar: id, fromTime, toTime }) => {
        const since = fromTime !== '' && (from === undefined || fromTime > from) ? { from: fromTime } : {};
        const until = toTime !== null && (to === undefined || toTime < to) ? { to: toTime, toIncluded: true } : {};
        return ofCollar(id, { ...since, ...until });
      }),
    ];
  }
  if (collar !== undefined) return ofCollar(collar);
  if (ofTypes !== null) return ofTypes.map((type) => run([type]));
  return [agent === undefined ? run([]) : run([{ column: 'agent_no', value: agent.no }], { epochs: undefined })];
}

/** The first `limit` places of one run, in order. */
export async function readRun(db: Db, run: Run, by: TimeOrder): Promise<readonly TimePlace[]> {
  const { types, epochs, subject } = run;
  if (types === undefined && epochs === undefined && subject === undefined) return places(db, run, by, null);
  const found: TimePlace[] = [];
  let { beyond } = by;
  for (let entries = FIRST_WINDOW * by.limit; ; entries *= 2) {
    const end = await windowEnd(db, run, { ...by, beyond }, Math.min(entries, MAX_WINDOW_ENTRIES));
    found.push(...(await places(db, run, { ...by, beyond, limit: by.limit - found.length }, end)));
    if (end === null || found.length >= by.limit) return found;
    beyond = end;
    await setImmediate();
  }
}

/** The entry so many on, or null where the run ends before it. */
async function windowEnd(db: Db, run: Run, { order, beyond }: TimeOrder, entries: number): Promise<TimePlace | null> {
  const all = ordered(inRun(db, run, order, beyond), order);
  const row = await all
    .limit(1)
    .offset(entries - 1)
    .executeTakeFirst();
  return row === undefined ? null : place(row);
}

async function places(db: Db, run: Run, { order, beyond, limit }: TimeOrder, end: TimePlace | null) {
  let select = inRun(db, run, order, beyond);
  const { types, epochs, subject } = run;
  // Written so that no engine takes them for the way in.
  if (types !== undefined) select = select.where(sql<string>`coalesce(type, '')`, 'in', types);
  if (epochs !== undefined) select = select.where(sql<number>`epoch_no + 0`, 'in', epochs);
  if (subject !== undefined) select = select.where(sql<string>`coalesce(subject, '')`, '=', subject);
  if (end !== null) select = select.where((eb) => upTo(eb, order, end));
  return (await ordered(select, order).limit(limit).execute()).map(place);
}

function inRun(db: Db, run: Run, order: TimeOrder['order'], beyond: TimePlace | null) {
  const { equal, from, to } = run;
  let select = db.selectFrom('event').select(['time', 'epoch_no', 'seq']);
  for (const { column, value } of equal) select = select.where(column, '=', value);
  if (from !== undefined) select = select.where('time', '>=', from);
  if (to !== undefined) select = select.where('time', run.toIncluded ? '<=' : '<', to);
  if (beyond !== null) select = select.where((eb) => follows(eb, order, beyond));
  return select;
}

function ordered(select: ReturnType<typeof inRun>, order: TimeOrder['order']) {
  return select.orderBy('time', order).orderBy('epoch_no', order).orderBy('seq', order);
}

function place(row: { readonly time: string; readonly epoch_no: number; readonly seq: number }): TimePlace {
  return { time: row.time, epochNo: row.epoch_no, seq: row.seq };
}

/** Written so that every engine takes the time as an end of the range in its index. */
export function follows(
  eb: ExpressionBuilder<Tables, 'event'>,
  order: TimeOrder['order'],
  { time, epochNo, seq }: TimePlace,
) {
  const [beyond, beyondOrAt] = order === 'asc' ? (['>', '>='] as const) : (['<', '<='] as const);
  return eb.and([
    eb('time', beyondOrAt, time),
    eb.or([
      eb('time', beyond, time),
      eb('epoch_no', beyond, epochNo),
      eb.and([eb('epoch_no', '=', epochNo), eb('seq', beyond, seq)]),
    ]),
  ]);
}

function upTo(eb: ExpressionBuilder<Tables, 'event'>, order: TimeOrder['order'], { time, epochNo, seq }: TimePlace) {
  const [before, beforeOrAt] = order === 'asc' ? (['<', '<='] as const) : (['>', '>='] as const);
  return eb.and([
    eb('time', beforeOrAt, time),
    eb.or([
      eb('time', before, time),
      eb('epoch_no', before, epochNo),
      eb.and([eb('epoch_no', '=', epochNo), eb('seq', beforeOrAt, seq)]),
    ]),
  ]);
}
