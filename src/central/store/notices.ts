/** Notices that wait: one row a target and event, written in the transaction that writes the event. */
import type { Kysely, Transaction } from 'kysely';
import type { StoredEvent } from '../../contract/event.ts';
import { insertOnce } from './insert-once.ts';
import type { Notice, NoticeStore } from './notice-store.ts';
import type { NoticeTable, Tables } from './tables.ts';
import { transact } from './transact.ts';

/** Of one target, given up ones included. These make room first; then new ones are not kept, and counted. */
export const MAX_NOTICES = 10_000;
const DROPPED = 'notices.dropped';
const MAX_REASON_LENGTH = 255;

export function createNotices(db: Kysely<Tables>): NoticeStore {
  return {
    claimNotices: (targets, nowMs, untilMs, limit) =>
      targets.length === 0 ? Promise.resolve([]) : claim(db, targets, nowMs, untilMs, limit),
    async nextNoticeMs(targets) {
      if (targets.length === 0) return null;
      const due = db
        .selectFrom('notice')
        .select((eb) => eb.fn.min('due_ms').as('next'))
        .where('dead', '=', 0);
      const { next } = await due.where('target', 'in', targets).executeTakeFirstOrThrow();
      return next;
    },
    async noticeTold(notice) {
      const no = await epochNo(db, notice.epoch);
      const row = db.deleteFrom('notice').where('target', '=', notice.target).where('epoch_no', '=', no);
      await row.where('seq', '=', notice.seq).execute();
    },
    async noticeFailed(notice, againMs, reason) {
      const no = await epochNo(db, notice.epoch);
      const change = { dead: againMs === null ? 1 : 0, reason: reason.slice(0, MAX_REASON_LENGTH) };
      const row = db.updateTable('notice').set(againMs === null ? change : { ...change, due_ms: againMs });
      await row.where('target', '=', notice.target).where('epoch_no', '=', no).where('seq', '=', notice.seq).execute();
    },
    async noticeCounts() {
      const of = (dead: number) =>
        db
          .selectFrom('notice')
          .select((eb) => eb.fn.countAll<number>().as('n'))
          .where('dead', '=', dead);
      const [waiting, dead] = [await of(0).executeTakeFirstOrThrow(), await of(1).executeTakeFirstOrThrow()];
      const dropped = await db.selectFrom('meta').select('value').where('name', '=', DROPPED).executeTakeFirst();
      return { waiting: Number(waiting.n), dead: Number(dead.n), dropped: Number(dropped?.value ?? 0) };
    },
    async deadNotices(limit) {
      const rows = await named(db).where('dead', '=', 1).orderBy('notice.due_ms').limit(limit).execute();
      return rows.map((row) => ({ ...noticeOf(row), reason: row.reason }));
    },
    async reviveNotices(nowMs) {
      const dead = db.updateTable('notice').set({ dead: 0, attempts: 0, due_ms: nowMs }).where('dead', '=', 1);
      return Number((await dead.executeTakeFirst()).numUpdatedRows);
    },
  };
}

/** In the transaction that writes these events. */
export async function addNotices(
  trx: Transaction<Tables>,
  epochNo: number,
  events: readonly StoredEvent[],
  targets: readonly string[],
  now: string,
): Promise<void> {
  for (const target of targets) {
    const mine = trx.selectFrom('notice').where('target', '=', target);
    const { n } = await mine.select((eb) => eb.fn.countAll<number>().as('n')).executeTakeFirstOrThrow();
    let room = MAX_NOTICES - Number(n);
    for (const { seq } of events) {
      if (room <= 0 && !(await forgetDead(trx, target))) {
        await countDropped(trx);
        continue;
      }
      room -= 1;
      const due_ms = Date.parse(now);
      await insertOnce(trx, 'notice', [{ target, epoch_no: epochNo, seq, attempts: 0, due_ms, dead: 0, reason: '' }]);
    }
  }
}

/** Whether an UPDATE finds its row decides who has it. */
function claim(
  db: Kysely<Tables>,
  targets: readonly string[],
  nowMs: number,
  untilMs: number,
  limit: number,
): Promise<readonly Notice[]> {
  return transact(db, async (trx) => {
    const due = named(trx).where('dead', '=', 0).where('target', 'in', targets).where('due_ms', '<=', nowMs);
    const claimed: Notice[] = [];
    for (const row of await due.orderBy('due_ms').orderBy('seq').limit(limit).execute()) {
      const attempts = row.attempts + 1;
      const { numUpdatedRows } = await trx
        .updateTable('notice')
        .set({ due_ms: untilMs, attempts })
        .where('target', '=', row.target)
        .where('epoch_no', '=', row.epoch_no)
        .where('seq', '=', row.seq)
        .where('due_ms', '=', row.due_ms)
        .where('dead', '=', 0)
        .executeTakeFirst();
      if (numUpdatedRows > 0n) claimed.push(noticeOf({ ...row, attempts }));
    }
    return claimed;
  });
}

function named(db: Kysely<Tables> | Transaction<Tables>) {
  return db.selectFrom('notice').innerJoin('epoch', 'epoch.no', 'notice.epoch_no').selectAll('notice').select('epoch');
}

function noticeOf({ target, epoch, seq, attempts }: NoticeTable & { readonly epoch: string }): Notice {
  return { target, epoch, seq, attempts };
}

async function epochNo(db: Kysely<Tables>, epoch: string): Promise<number> {
  return (await db.selectFrom('epoch').select('no').where('epoch', '=', epoch).executeTakeFirstOrThrow()).no;
}

/** The one that was given up first makes room; false where there is none. */
async function forgetDead(trx: Transaction<Tables>, target: string): Promise<boolean> {
  const mine = trx.selectFrom('notice').where('target', '=', target).where('dead', '=', 1);
  const dead = await mine.select(['epoch_no', 'seq']).orderBy('due_ms').limit(1).executeTakeFirst();
  if (dead === undefined) return false;
  const row = trx.deleteFrom('notice').where('target', '=', target).where('epoch_no', '=', dead.epoch_no);
  await row.where('seq', '=', dead.seq).execute();
  return true;
}

/** Whoever writes central's events is alone. */
async function countDropped(trx: Transaction<Tables>): Promise<void> {
  await insertOnce(trx, 'meta', [{ name: DROPPED, value: '0' }]);
  const { value } = await trx.selectFrom('meta').select('value').where('name', '=', DROPPED).executeTakeFirstOrThrow();
  await trx
    .updateTable('meta')
    .set({ value: String(Number(value) + 1) })
    .where('name', '=', DROPPED)
    .execute();
}
