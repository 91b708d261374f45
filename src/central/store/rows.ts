/** Between rows of `event` and events. */
import { catOf, type StoredEvent } from '../../contract/event.ts';
import type { Db } from './agents.ts';
import type { CentralEvent } from './store.ts';
import type { EventRow, EventTable } from './tables.ts';

/** Names of epochs never change, so they are looked up once. Bounded by the epochs that a store admits. */
export interface EpochNames {
  events(db: Db, rows: readonly EventRow[]): Promise<CentralEvent[]>;
}

export function createEpochNames(): EpochNames {
  const names = new Map<number, { readonly epoch: string; readonly agent: string }>();
  return {
    async events(db, rows) {
      const unknown = [...new Set(rows.map((row) => row.epoch_no).filter((no) => !names.has(no)))];
      if (unknown.length > 0) {
        const found = await db
          .selectFrom('epoch')
          .innerJoin('agent', 'agent.no', 'epoch.agent_no')
          .select(['epoch.no', 'epoch.epoch', 'agent.name'])
          .where('epoch.no', 'in', unknown)
          .execute();
        for (const row of found) names.set(row.no, { epoch: row.epoch, agent: row.name });
      }
      return rows.map((row) => {
        const name = names.get(row.epoch_no);
        if (name === undefined) throw new Error(`epoch ${row.epoch_no} has events and no row`);
        return toEvent(row, name.epoch, name.agent);
      });
    },
  };
}

/** Rows of `event` with whether each is revoked. */
export function selectEvents(db: Db) {
  return db
    .selectFrom('event')
    .selectAll('event')
    .select((eb) =>
      eb
        .selectFrom('revoked')
        .select((r) => r.fn.countAll<number>().as('n'))
        .whereRef('revoked.epoch_no', '=', 'event.epoch_no')
        .whereRef('revoked.seq', '=', 'event.seq')
        .as('revoked'),
    )
    .$castTo<EventRow>();
}

export type EventSelect = ReturnType<typeof selectEvents>;

/** The event's own fields, as they were received and hashed. */
export function storedEvent(row: EventTable, epoch: string): StoredEvent {
  return {
    epoch,
    seq: row.seq,
    type: row.type,
    version: row.version,
    subject: row.subject,
    time: row.time,
    clock: row.clock === 'synced' ? 'synced' : 'unsynced',
    boot: row.boot,
    monoMs: row.mono_ms,
    data: row.data,
  };
}

function toEvent(row: EventRow, epoch: string, agent: string): CentralEvent {
  const { shard, arrival, position } = row;
  return { ...storedEvent(row, epoch), agent, shard, arrival, position, revoked: row.revoked > 0 };
}

/** One event by its key, or null. */
export async function readEvent(db: Db, names: EpochNames, epoch: string, seq: number): Promise<CentralEvent | null> {
  const known = await db.selectFrom('epoch').select('no').where('epoch', '=', epoch).executeTakeFirst();
  if (known === undefined) return null;
  const rows = await selectEvents(db).where('epoch_no', '=', known.no).where('seq', '=', seq).execute();
  return (await names.events(db, rows))[0] ?? null;
}

/** The cat that an event itself names: by `catId` in its data, else by its subject. */
export function namedCat(event: StoredEvent): number | null {
  if (event.data.includes('"catId"')) {
    const { catId } = JSON.parse(event.data) as { catId?: unknown };
    if (typeof catId === 'number' && Number.isSafeInteger(catId) && catId > 0) return catId;
  }
  return catOf(event);
}
