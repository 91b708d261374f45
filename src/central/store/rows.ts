/** Between rows of `event` and events. */
import type { ExpressionBuilder } from 'kysely';
import { catOf, type StoredEvent } from '../../contract/event.ts';
import type { Db } from './agents.ts';
import { type Corrections, correctionsInForce } from './corrections.ts';
import type { CentralEvent } from './store.ts';
import type { EventRow, EventTable, Tables } from './tables.ts';

export interface EpochName {
  readonly epoch: string;
  readonly agent: string;
}

/** Names of epochs never change, so they are looked up once. Bounded by the epochs that a store admits. */
export interface EpochNames {
  events(db: Db, rows: readonly EventRow[]): Promise<CentralEvent[]>;
  /** Of these numbers, and perhaps of others. Rejects where one is not there. */
  of(db: Db, epochNos: Iterable<number>): Promise<ReadonlyMap<number, EpochName>>;
  /** Another database may have taken the place of this one. */
  forget(): void;
}

export function createEpochNames(): EpochNames {
  let latest = new Map<number, EpochName>();
  const learn = async (db: Db, epochNos: Iterable<number>) => {
    // Whoever reads at the moment of a `forget` goes on with what it has, and leaves nothing of it to others.
    const names = latest;
    const unknown = [...new Set(epochNos)].filter((no) => !names.has(no));
    if (unknown.length === 0) return names;
    const found = await db
      .selectFrom('epoch')
      .innerJoin('agent', 'agent.no', 'epoch.agent_no')
      .select(['epoch.no', 'epoch.epoch', 'agent.name'])
      .where('epoch.no', 'in', unknown)
      .execute();
    for (const row of found) names.set(row.no, { epoch: row.epoch, agent: row.name });
    const missing = unknown.find((no) => !names.has(no));
    if (missing !== undefined) throw new Error(`epoch ${missing} has events and no row`);
    return names;
  };
  return {
    of: learn,
    async events(db, rows) {
      const names = await learn(
        db,
        rows.map((row) => row.epoch_no),
      );
      const corrected = rows.filter((row) => row.corrections > 0);
      const corrections = await correctionsInForce(
        db,
        corrected.map((row) => ({ epochNo: row.epoch_no, seq: row.seq })),
      );
      return rows.map((row) => {
        const { epoch, agent } = names.get(row.epoch_no) as EpochName;
        return toEvent(row, epoch, agent, corrections.get(`${row.epoch_no}/${row.seq}`));
      });
    },
    forget: () => {
      latest = new Map();
    },
  };
}

/** Rows of `event` with the number of corrections that are in force for each. */
export function selectEvents(db: Db) {
  return db
    .selectFrom('event')
    .selectAll('event')
    .select((eb) =>
      eb
        .selectFrom('correction')
        .select((c) => c.fn.countAll<number>().as('n'))
        .whereRef('correction.epoch_no', '=', 'event.epoch_no')
        .whereRef('correction.seq', '=', 'event.seq')
        .where('correction.in_force', '=', 1)
        .as('corrections'),
    )
    .$castTo<EventRow>();
}

/** One event by the number of its epoch, or null. */
export async function eventAt(db: Db, names: EpochNames, epochNo: number, seq: number): Promise<CentralEvent | null> {
  const rows = await selectEvents(db).where('epoch_no', '=', epochNo).where('seq', '=', seq).execute();
  return (await names.events(db, rows))[0] ?? null;
}

export type EventSelect = ReturnType<typeof selectEvents>;

/** A correction in force gives it to this cat. There are few of them, so that they are looked up first. */
export function isGivenTo(eb: ExpressionBuilder<Tables, 'event'>, catId: number) {
  const given = eb
    .selectFrom('correction')
    .select(['correction.epoch_no', 'correction.seq'])
    .where('correction.cat_id', '=', catId)
    .where('correction.in_force', '=', 1);
  return eb(eb.refTuple('event.epoch_no', 'event.seq'), 'in', given.$asTuple('epoch_no', 'seq'));
}

/** The event's own fields, as they were received and hashed. */
export function storedEvent(row: EventTable, epoch: string): StoredEvent {
  return {
    epoch,
    seq: row.seq,
    type: row.type,
    version: row.version,
    subject: row.subject,
    time: row.original_time ?? row.time,
    clock: row.clock === 'synced' ? 'synced' : 'unsynced',
    boot: row.boot,
    monoMs: row.mono_ms,
    data: row.data,
  };
}

function toEvent(row: EventRow, epoch: string, agent: string, corrections: Corrections | undefined): CentralEvent {
  const { shard, arrival, position, time, original_time: originalTime } = row;
  return { ...storedEvent(row, epoch), time, originalTime, agent, shard, arrival, position, ...corrected(corrections) };
}

/** As it was received: its time is that of the clock of its agent. */
export function asReceived(event: CentralEvent): CentralEvent {
  return { ...event, time: event.originalTime ?? event.time, originalTime: null };
}

/** What corrections in force make of an event. */
export function corrected(
  corrections: Corrections | undefined,
): Pick<CentralEvent, 'revoked' | 'reassignedTo' | 'correction'> {
  const { revoked = null, reassigned = null } = corrections ?? {};
  return {
    revoked: revoked !== null,
    reassignedTo: reassigned?.catId ?? null,
    correction: revoked ?? reassigned,
  };
}

/** One event by its key, or null. */
export async function readEvent(db: Db, names: EpochNames, epoch: string, seq: number): Promise<CentralEvent | null> {
  const known = await db.selectFrom('epoch').select('no').where('epoch', '=', epoch).executeTakeFirst();
  if (known === undefined) return null;
  return eventAt(db, names, known.no, seq);
}

/** The cat that an event itself names: by `catId` in its data, else by its subject. */
export function namedCat(event: StoredEvent): number | null {
  if (event.data.includes('"catId"')) {
    const { catId } = JSON.parse(event.data) as { catId?: unknown };
    if (typeof catId === 'number' && Number.isSafeInteger(catId) && catId > 0) return catId;
  }
  return catOf(event);
}
