/** Policy `stop`: a model stands still before an event that it needs and cannot read, until a person decides. */
import type { Transaction } from 'kysely';
import type { CatModel } from '../models/model.ts';
import type { Db } from './agents.ts';
import type { Stopped } from './fold-status.ts';
import { insertOnce } from './insert-once.ts';
import { type EpochNames, eventAt } from './rows.ts';
import type { CentralEvent } from './store.ts';
import type { Tables } from './tables.ts';

type Trx = Transaction<Tables>;

/** An event that cannot be read: leave it out and note it, or stand still before it. */
export type FoldPolicy = 'stop' | 'quarantine';

/** Why the model may not pass this event, or null. Who takes the event back lets it pass. */
export function stoppedBy(model: CatModel, event: CentralEvent): Stopped | null {
  const meaning = model.meaning(event);
  if (meaning.type !== 'skipped' || !meaning.needed || event.revoked) return null;
  const { epoch, seq, agent, type, version } = event;
  return { id: `${epoch}/${seq}`, agent, type, version, reason: meaning.reason };
}

/** The event that the model named `name` stands before, or null. */
export async function stoppedAt(db: Db, name: string, names: EpochNames): Promise<CentralEvent | null> {
  const row = await db.selectFrom('meta').select('value').where('name', '=', metaName(name)).executeTakeFirst();
  const [epochNo, seq] = (row?.value ?? '').split('/').map(Number);
  return epochNo === undefined || seq === undefined ? null : eventAt(db, names, epochNo, seq);
}

/** Writes only where it changes: most slices do not. */
export async function saveStopped(trx: Trx, name: string, event: CentralEvent | null): Promise<void> {
  const known = await trx.selectFrom('meta').select('value').where('name', '=', metaName(name)).executeTakeFirst();
  if (event === null && known === undefined) return;
  await trx.deleteFrom('meta').where('name', '=', metaName(name)).execute();
  if (event === null) return;
  const { no } = await trx.selectFrom('epoch').select('no').where('epoch', '=', event.epoch).executeTakeFirstOrThrow();
  await insertOnce(trx, 'meta', [{ name: metaName(name), value: `${no}/${event.seq}` }]);
}

function metaName(model: string): string {
  return `stopped.${model}`;
}
