/**
 * What is known of the clocks of agents at a start of their machine, and which events wait for it. The rule is that of
 * `contract/clock.ts`. Rows of `event` hold the time that holds now, so that all who ask by time find them there, and beside it the one
 * that was received; `move-times.ts` brings them up to date. Whoever changes something here has the shard of the agent.
 */
import type { Transaction } from 'kysely';
import { syncOf, timeAt, type Unset, unsetOf } from '../../contract/clock.ts';
import type { StoredEvent } from '../../contract/event.ts';
import type { Db } from './agents.ts';
import { insertOnce } from './insert-once.ts';
import { type EpochNames, selectEvents } from './rows.ts';
import type { CentralEvent } from './store.ts';
import type { EpochTable, Tables, UnsetClockTable } from './tables.ts';

type Trx = Transaction<Tables>;

/** Events of one page. */
const PAGE_ROWS = 2_000;

/** One start of one agent's machine. */
export interface Boot {
  readonly agentNo: number;
  readonly boot: string;
}

/** The time of an event as it is now, and the one that was received where that is another. */
export interface Times {
  readonly time: string;
  readonly original_time: string | null;
}

/** For rows that are new. Notes those whose clock was not set; asks nothing where all were. */
export async function timesOf(
  trx: Trx,
  epoch: Pick<EpochTable, 'no' | 'agent_no'>,
  events: readonly StoredEvent[],
): Promise<(event: StoredEvent) => Times> {
  const byBoot = Map.groupBy(events.filter(isUnset), (event) => event.boot ?? '');
  if (byBoot.size === 0) return (event) => corrected(event.time, null, null);
  await noteUnset(trx, epoch, byBoot);
  const syncs = standing(trx).where('clock_sync.agent_no', '=', epoch.agent_no);
  const rows = await syncs
    .where('clock_sync.boot', 'in', [...byBoot.keys()])
    .orderBy('epoch.epoch')
    .orderBy('clock_sync.seq')
    .execute();
  // The last one stays.
  const offsets = new Map(rows.map(({ boot, offset_ms }) => [boot, offset_ms]));
  return (event) => corrected(event.time, unsetOf(event), offsets.get(event.boot ?? '') ?? null);
}

/** `offsetMs` null: nobody knows it. */
export function corrected(received: string, unset: Unset | null, offsetMs: number | null): Times {
  if (unset === null || offsetMs === null) return { time: received, original_time: null };
  return { time: timeAt(offsetMs, unset.monoMs), original_time: received };
}

function isUnset(event: StoredEvent): boolean {
  return unsetOf(event) !== null;
}

/** Of each boot in each epoch one row, which spans its events. */
async function noteUnset(
  trx: Trx,
  epoch: Pick<EpochTable, 'no' | 'agent_no'>,
  byBoot: ReadonlyMap<string, readonly StoredEvent[]>,
): Promise<void> {
  const noted = trx.selectFrom('unset_clock').select(['boot', 'from_seq', 'to_seq']).where('epoch_no', '=', epoch.no);
  const rows = await noted.where('boot', 'in', [...byBoot.keys()]).execute();
  const known = new Map(rows.map((row) => [row.boot, row]));
  const fresh: UnsetClockTable[] = [];
  for (const [boot, events] of byBoot) {
    const seqs = events.map(({ seq }) => seq);
    const before = known.get(boot);
    const from_seq = Math.min(...seqs, before?.from_seq ?? Number.POSITIVE_INFINITY);
    const to_seq = Math.max(...seqs, before?.to_seq ?? 0);
    if (before === undefined) {
      fresh.push({ epoch_no: epoch.no, boot, agent_no: epoch.agent_no, from_seq, to_seq, due_seq: null });
    } else if (from_seq < before.from_seq || to_seq > before.to_seq) {
      const row = trx.updateTable('unset_clock').set({ from_seq, to_seq }).where('epoch_no', '=', epoch.no);
      await row.where('boot', '=', boot).execute();
    }
  }
  await insertOnce(trx, 'unset_clock', fresh);
}

/** What counts for this boot, or null where nothing does. */
export async function offsetOf(db: Db, { agentNo, boot }: Boot): Promise<number | null> {
  const last = await standing(db)
    .where('clock_sync.agent_no', '=', agentNo)
    .where('clock_sync.boot', '=', boot)
    .orderBy('epoch.epoch', 'desc')
    .orderBy('clock_sync.seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last?.offset_ms ?? null;
}

/** What was said of clocks and is not taken back. */
function standing(db: Db) {
  return db
    .selectFrom('clock_sync')
    .innerJoin('epoch', 'epoch.no', 'clock_sync.epoch_no')
    .select(['clock_sync.boot', 'clock_sync.offset_ms'])
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('correction')
            .select('correction.by_seq')
            .whereRef('correction.epoch_no', '=', 'clock_sync.epoch_no')
            .whereRef('correction.seq', '=', 'clock_sync.seq')
            .where('correction.in_force', '=', 1)
            .where('correction.cat_id', 'is', null),
        ),
      ),
    );
}

/** Notes what a `clock.synced` says, once. True: times are due to be moved. */
export async function noteSync(
  trx: Trx,
  own: Pick<EpochTable, 'no' | 'agent_no'>,
  event: StoredEvent,
): Promise<boolean> {
  const sync = syncOf(event);
  if (sync === null) return false;
  const { boot, offsetMs: offset_ms } = sync;
  const row = { epoch_no: own.no, seq: event.seq, agent_no: own.agent_no, boot, offset_ms };
  if ((await insertOnce(trx, 'clock_sync', [row])) === 0) return false;
  await makeDue(trx, { agentNo: own.agent_no, boot });
  return true;
}

/** All events of this boot are looked at anew. */
export async function makeDue(trx: Trx, { agentNo, boot }: Boot): Promise<void> {
  await trx
    .updateTable('unset_clock')
    .set((eb) => ({ due_seq: eb.ref('from_seq') }))
    .where('agent_no', '=', agentNo)
    .where('boot', '=', boot)
    .execute();
}

/** The boot that the `clock.synced` at this place is about; null where it is none. */
export async function bootAt(db: Db, epochNo: number, seq: number): Promise<Boot | null> {
  const row = await db
    .selectFrom('clock_sync')
    .select(['agent_no', 'boot'])
    .where('epoch_no', '=', epochNo)
    .where('seq', '=', seq)
    .executeTakeFirst();
  return row === undefined ? null : { agentNo: row.agent_no, boot: row.boot };
}

/**
 * The rows of a boot whose clock was not set, in pages, each event with the earliest time that it can ever have had here: whatever was
 * made of its time before or is made of it now lies there or later.
 */
export async function* eventsOfBoot(
  db: Db,
  names: EpochNames,
  { agentNo, boot }: Boot,
): AsyncGenerator<readonly CentralEvent[]> {
  const ofBoot = db.selectFrom('clock_sync').where('agent_no', '=', agentNo).where('boot', '=', boot);
  const { least } = await ofBoot.select((eb) => eb.fn.min('offset_ms').as('least')).executeTakeFirstOrThrow();
  const runs = db.selectFrom('unset_clock').selectAll().where('agent_no', '=', agentNo).where('boot', '=', boot);
  for (const { epoch_no, from_seq, to_seq } of await runs.orderBy('epoch_no').execute()) {
    for (let next = from_seq; next <= to_seq; ) {
      const rows = await selectEvents(db)
        .where('epoch_no', '=', epoch_no)
        .where('seq', '>=', next)
        .where('seq', '<=', to_seq)
        .where('boot', '=', boot)
        .where('clock', '=', 'unsynced')
        .orderBy('seq')
        .limit(PAGE_ROWS)
        .execute();
      const events = await names.events(db, rows);
      yield events.map((event) => ({ ...event, time: earliest(event, least) }));
      next = rows.length < PAGE_ROWS ? to_seq + 1 : (rows.at(-1)?.seq ?? to_seq) + 1;
    }
  }
}

function earliest(event: CentralEvent, least: number | null): string {
  const received = event.originalTime ?? event.time;
  const { time } = corrected(received, unsetOf(event), least);
  return time < received ? time : received;
}

/** What counts for the boots of all agents, by name: for whoever reads events elsewhere than in rows. There are few. */
export async function allClocks(db: Db): Promise<(event: StoredEvent & { readonly agent: string }) => Times> {
  const syncs = standing(db).innerJoin('agent', 'agent.no', 'clock_sync.agent_no').select('agent.name');
  const rows = await syncs.orderBy('epoch.epoch').orderBy('clock_sync.seq').execute();
  // The last one stays.
  const offsets = new Map(rows.map(({ name, boot, offset_ms }) => [`${name} ${boot}`, offset_ms]));
  return (event) => {
    const unset = offsets.size === 0 ? null : unsetOf(event);
    return corrected(event.time, unset, offsets.get(`${event.agent} ${unset?.boot ?? ''}`) ?? null);
  };
}
