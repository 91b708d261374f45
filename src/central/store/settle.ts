/** What a migration cannot do in SQL: notes of an older store, made anew from its events. Once a store. */
import type { Kysely, Transaction } from 'kysely';
import { fullType } from '../../contract/event.ts';
import type { CatModel } from '../models/model.ts';
import { insertOnce } from './insert-once.ts';
import { liveTables, modelTables, modelVersions } from './model-tables.ts';
import { asReceived, type EpochNames, selectEvents } from './rows.ts';
import { sideEffects } from './side-effects.ts';
import { noteSkipped } from './skipped.ts';
import type { CentralEvent } from './store.ts';
import type { EventRow, Tables } from './tables.ts';
import { takeLock, transact } from './transact.ts';

const CORRECTIONS = 'settled.corrections';
const CLOCKS = 'settled.clocks';
const PAGE_ROWS = 2_000;

type Trx = Transaction<Tables>;

/** Before anything else is read or written. */
export async function settle(db: Kysely<Tables>, model: CatModel, names: EpochNames, now: string): Promise<void> {
  await transact(db, async (trx) => {
    await takeLock(trx, 'models');
    const settled = trx.selectFrom('meta').select('name').where('name', 'in', [CORRECTIONS, CLOCKS]);
    const meta = await settled.execute();
    const has = (name: string) => meta.some((row) => row.name === name);
    if (!has(CORRECTIONS)) await settleCorrections(trx, model, names, now);
    if (!has(CLOCKS)) await settleClocks(trx, names);
  });
}

async function settleCorrections(trx: Trx, model: CatModel, names: EpochNames, now: string): Promise<void> {
  const live = (await liveTables(trx)).name;
  // How many events an older store had left out, and nothing of which.
  const counted = `skipped.${live}`;
  const has = await trx.selectFrom('meta').select('name').where('name', '=', counted).executeTakeFirst();
  for await (const events of eventsOf(trx, names, fullType('event.revoked'))) {
    for (const event of events) {
      const own = await trx.selectFrom('epoch').selectAll().where('epoch', '=', event.epoch).executeTakeFirstOrThrow();
      await sideEffects(trx, own, event.agent, [asReceived(event)], now);
    }
  }
  if (has !== undefined) {
    for await (const events of eventsOf(trx, names)) {
      const skipped = events.flatMap((event) => {
        const meaning = model.meaning(event);
        return meaning.type === 'skipped' ? [{ event, reason: meaning.reason, needed: meaning.needed }] : [];
      });
      await noteSkipped(trx, live, skipped);
    }
    await trx.deleteFrom('meta').where('name', '=', counted).execute();
  }
  await insertOnce(trx, 'meta', [{ name: CORRECTIONS, value: '1' }]);
}

/** An older program made nothing of what agents said of their clocks: the models left it out, and read it now (`relearn`). */
async function settleClocks(trx: Trx, names: EpochNames): Promise<void> {
  const { live, previous } = await modelVersions(trx);
  for await (const events of eventsOf(trx, names, fullType('clock.synced'))) {
    const skipped = events.map((event) => ({ event, reason: 'times were not corrected', needed: false }));
    for (const version of [live, previous]) {
      if (version !== null) await noteSkipped(trx, modelTables(version).name, skipped);
    }
  }
  await insertOnce(trx, 'meta', [{ name: CLOCKS, value: '1' }]);
}

/** All events, or those of one type, in the order of their keys, in pages. */
async function* eventsOf(trx: Trx, names: EpochNames, type?: string): AsyncGenerator<readonly CentralEvent[]> {
  let last: EventRow | undefined;
  for (;;) {
    let query = selectEvents(trx).orderBy('epoch_no').orderBy('seq').limit(PAGE_ROWS);
    if (type !== undefined) query = query.where('type', '=', type);
    const after = last;
    if (after !== undefined) {
      query = query.where((eb) =>
        eb.or([
          eb('epoch_no', '>', after.epoch_no),
          eb.and([eb('epoch_no', '=', after.epoch_no), eb('seq', '>', after.seq)]),
        ]),
      );
    }
    const rows = await query.execute();
    last = rows.at(-1);
    if (last === undefined) return;
    yield await names.events(trx, rows);
  }
}
