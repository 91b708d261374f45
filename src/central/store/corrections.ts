/**
 * Which corrections are in force, by the rules of `contract/correction.ts`: kept with each of them, so that to look at an event
 * asks one index. A correction and what it speaks of may come in any order.
 */
import type { Transaction } from 'kysely';
import { correctionOf, mayCorrect, orderKey } from '../../contract/correction.ts';
import type { StoredEvent } from '../../contract/event.ts';
import type { Db } from './agents.ts';
import { insertOnce } from './insert-once.ts';
import type { CorrectionTable, Tables } from './tables.ts';

type Trx = Transaction<Tables>;

/** Events of one epoch whose corrections are looked up at once. */
const LOOK_UP = 200;
const MAX_REASON = 255;

/** What of a correction is shown with the event that it corrects. */
export interface AppliedCorrection {
  /** `epoch/seq` of the correcting event. */
  readonly by: string;
  readonly catId: number | null;
  readonly reason: string;
}

export interface CorrectedEpoch {
  readonly no: number;
  readonly epoch: string;
  readonly agent: string;
}

interface Target {
  readonly epochNo: number;
  readonly seq: number;
}

/** Notes the correction that `event` is and brings into force what it leaves in force. Within a transaction; once or again. */
export async function noteCorrection(
  trx: Trx,
  own: CorrectedEpoch,
  event: StoredEvent,
  target: CorrectedEpoch,
): Promise<void> {
  const correction = correctionOf(event);
  if (correction === null) return;
  const { seq, catId, reason } = correction;
  const by = { agent: own.agent, epoch: own.epoch, seq: event.seq };
  if (!mayCorrect(by, { agent: target.agent, epoch: target.epoch, seq }, correction)) return;
  const of: Target = { epochNo: target.no, seq };
  const self: Target = { epochNo: own.no, seq: event.seq };
  const corrected = await correctionAt(trx, of);
  const above = corrected === null ? null : await correctionAt(trx, targetOf(corrected));
  const undoes = corrected !== null && above === null && catId === null;
  const stands = corrected === null && !(await isRevoked(trx, self));
  const row: CorrectionTable = {
    by_epoch_no: own.no,
    by_seq: event.seq,
    epoch_no: target.no,
    seq,
    cat_id: catId,
    reason: [...reason].slice(0, MAX_REASON).join(''),
    sort_key: orderKey({ ...event, agent: own.agent }),
    in_force: undoes || stands ? 1 : 0,
  };
  if ((await insertOnce(trx, 'correction', [row])) === 0) return;
  if (undoes) await setForce(trx, of, 0);
  await settleAbove(trx, self, corrected === null);
}

/** What came before the correction that it speaks of was taken for one of an ordinary event. */
async function settleAbove(trx: Trx, self: Target, mayBeUndone: boolean): Promise<void> {
  const ofSelf = trx.selectFrom('correction').selectAll().where('epoch_no', '=', self.epochNo);
  for (const row of await ofSelf.where('seq', '=', self.seq).execute()) {
    const undo: Target = { epochNo: row.by_epoch_no, seq: row.by_seq };
    await setForce(trx, undo, mayBeUndone && row.cat_id === null ? 1 : 0);
    const corrections = trx.updateTable('correction').set({ in_force: 0 }).where('epoch_no', '=', undo.epochNo);
    await corrections.where('seq', '=', undo.seq).where('in_force', '=', 1).execute();
  }
}

async function setForce(trx: Trx, by: Target, inForce: 0 | 1): Promise<void> {
  const update = trx.updateTable('correction').set({ in_force: inForce }).where('by_epoch_no', '=', by.epochNo);
  await update.where('by_seq', '=', by.seq).execute();
}

async function correctionAt(db: Db, by: Target): Promise<CorrectionTable | null> {
  const query = db.selectFrom('correction').selectAll().where('by_epoch_no', '=', by.epochNo);
  return (await query.where('by_seq', '=', by.seq).executeTakeFirst()) ?? null;
}

function targetOf(row: CorrectionTable): Target {
  return { epochNo: row.epoch_no, seq: row.seq };
}

/** Whether something takes it back, in force or not. */
async function isRevoked(trx: Trx, { epochNo, seq }: Target): Promise<boolean> {
  const query = trx.selectFrom('correction').select('by_seq').where('epoch_no', '=', epochNo).where('seq', '=', seq);
  return (await query.where('cat_id', 'is', null).limit(1).executeTakeFirst()) !== undefined;
}

/**
 * The event that a correction or an undo is about in the end, with all cats that it was ever given to by corrections; null where
 * the event at `by` corrects nothing.
 */
export async function correctedBy(
  db: Db,
  by: Target,
): Promise<{ readonly target: Target; readonly catIds: readonly number[] } | null> {
  const correction = await correctionAt(db, by);
  if (correction === null) return null;
  const above = await correctionAt(db, targetOf(correction));
  const target = targetOf(above ?? correction);
  const rows = await db
    .selectFrom('correction')
    .select('cat_id')
    .distinct()
    .where('epoch_no', '=', target.epochNo)
    .where('seq', '=', target.seq)
    .where('cat_id', 'is not', null)
    .execute();
  return { target, catIds: rows.flatMap(({ cat_id }) => (cat_id === null ? [] : [cat_id])) };
}

export interface Corrections {
  readonly revoked: AppliedCorrection | null;
  readonly reassigned: AppliedCorrection | null;
}

/** What is in force for each of these events, by `epochNo/seq`. Others are not in the map. */
export async function correctionsInForce(db: Db, events: readonly Target[]): Promise<ReadonlyMap<string, Corrections>> {
  const rows: CorrectionTable[] = [];
  for (const epochNo of new Set(events.map((event) => event.epochNo))) {
    const seqs = events.filter((event) => event.epochNo === epochNo).map(({ seq }) => seq);
    for (let at = 0; at < seqs.length; at += LOOK_UP) {
      const query = db.selectFrom('correction').selectAll().where('epoch_no', '=', epochNo).where('in_force', '=', 1);
      rows.push(...(await query.where('seq', 'in', seqs.slice(at, at + LOOK_UP)).execute()));
    }
  }
  return byTarget(rows);
}

/** What is in force now, for whoever reads all events; by `epochNo/seq`. Corrections are few. */
export async function allCorrections(db: Db): Promise<ReadonlyMap<string, Corrections>> {
  return byTarget(await db.selectFrom('correction').selectAll().where('in_force', '=', 1).execute());
}

function byTarget(rows: CorrectionTable[]): ReadonlyMap<string, Corrections> {
  const found = new Map<string, Corrections>();
  // The newest last, so that it stays.
  for (const row of rows.sort((a, b) => (a.sort_key < b.sort_key ? -1 : 1))) {
    const id = `${row.epoch_no}/${row.seq}`;
    const [, , epoch = ''] = row.sort_key.split(' ');
    const by = `${epoch}/${row.by_seq}`;
    const applied = { by, catId: row.cat_id, reason: row.reason };
    const before = found.get(id) ?? { revoked: null, reassigned: null };
    found.set(id, row.cat_id === null ? { ...before, revoked: applied } : { ...before, reassigned: applied });
  }
  return found;
}
