/**
 * What a model leaves out because this program cannot read it: an unknown type, a newer version, a body of another shape. Nothing
 * of it is lost: the events stay, and are noted here until a program comes that can read them and folds them in.
 */
import type { Transaction } from 'kysely';
import { readable } from '../../contract/upcast.ts';
import type { Db } from './agents.ts';
import type { SkippedType } from './fold-status.ts';
import { insertOnce } from './insert-once.ts';
import { type EpochNames, selectEvents } from './rows.ts';
import type { CentralEvent } from './store.ts';
import type { Tables } from './tables.ts';

type Trx = Transaction<Tables>;

const MAX_REASON = 255;
/** Types that are told; of a flood of types the most frequent. */
export const MAX_SKIPPED_TYPES = 100;

export interface Skipped {
  readonly event: Pick<CentralEvent, 'epoch' | 'seq' | 'type' | 'version'>;
  readonly reason: string;
  readonly needed: boolean;
}

export async function noteSkipped(trx: Trx, model: string, skipped: readonly Skipped[]): Promise<void> {
  const epochs = await epochNos(trx, [...new Set(skipped.map(({ event }) => event.epoch))]);
  const rows = skipped.map(({ event, reason, needed }): Tables['skipped'] => ({
    model,
    epoch_no: epochs.get(event.epoch) ?? 0,
    seq: event.seq,
    type: event.type,
    version: event.version,
    needed: needed ? 1 : 0,
    reason: [...reason].slice(0, MAX_REASON).join(''),
  }));
  await insertOnce(trx, 'skipped', rows);
}

/** It is folded now. */
export async function forgetSkipped(trx: Trx, model: string, events: readonly CentralEvent[]): Promise<void> {
  const epochs = await epochNos(trx, [...new Set(events.map(({ epoch }) => epoch))]);
  for (const { epoch, seq } of events) {
    const row = trx.deleteFrom('skipped').where('model', '=', model).where('seq', '=', seq);
    await row.where('epoch_no', '=', epochs.get(epoch) ?? 0).execute();
  }
}

export interface SkippedPlace {
  readonly epochNo: number;
  readonly seq: number;
}

/** Skipped events after `after` whose type and version this program reads: perhaps it was another that skipped them. */
export async function nextReadable(
  trx: Trx,
  names: EpochNames,
  model: string,
  after: SkippedPlace,
  limit: number,
): Promise<{ readonly events: readonly CentralEvent[]; readonly last: SkippedPlace | null }> {
  const types = await trx
    .selectFrom('skipped')
    .select(['type', 'version'])
    .distinct()
    .where('model', '=', model)
    .execute();
  const mine = types.filter(({ type, version }) => ['current', 'older'].includes(readable(type, version)));
  if (mine.length === 0) return { events: [], last: null };
  const rows = await selectEvents(trx)
    .innerJoin('skipped', (join) =>
      join.onRef('skipped.epoch_no', '=', 'event.epoch_no').onRef('skipped.seq', '=', 'event.seq'),
    )
    .where('skipped.model', '=', model)
    .where('skipped.type', 'in', [...new Set(mine.map(({ type }) => type))])
    .where((eb) =>
      eb.or([
        eb('skipped.epoch_no', '>', after.epochNo),
        eb.and([eb('skipped.epoch_no', '=', after.epochNo), eb('skipped.seq', '>', after.seq)]),
      ]),
    )
    .orderBy('skipped.epoch_no')
    .orderBy('skipped.seq')
    .limit(limit)
    .execute();
  const last = rows.at(-1);
  return {
    events: await names.events(trx, rows),
    last: last === undefined ? null : { epochNo: last.epoch_no, seq: last.seq },
  };
}

/** What is left out, by type and version, the most first. */
export async function skippedTypes(db: Db, model: string): Promise<readonly SkippedType[]> {
  const rows = await db
    .selectFrom('skipped')
    .select((eb) => ['type', 'version', 'needed', eb.fn.countAll<number>().as('n'), eb.fn.min('reason').as('reason')])
    .where('model', '=', model)
    .groupBy(['type', 'version', 'needed'])
    .orderBy('n', 'desc')
    .orderBy('type')
    .orderBy('version')
    .limit(MAX_SKIPPED_TYPES)
    .execute();
  return rows.map(({ type, version, needed, n, reason }) => ({
    type,
    version,
    events: Number(n),
    needed: needed === 1,
    reason,
  }));
}

export async function countSkipped(db: Db, model: string): Promise<number> {
  const { n } = await db
    .selectFrom('skipped')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('model', '=', model)
    .executeTakeFirstOrThrow();
  return Number(n);
}

async function epochNos(trx: Trx, epochs: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (epochs.length === 0) return new Map();
  const rows = await trx.selectFrom('epoch').select(['epoch', 'no']).where('epoch', 'in', epochs).execute();
  return new Map(rows.map(({ epoch, no }) => [epoch, no]));
}
