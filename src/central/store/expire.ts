/**
 * Retention: what is old leaves the database for sealed segments. Chain and mark stay: the mark is the lasting proof that an event was
 * stored. A segment is durable and verified before it is noted here, and noted before the first of its rows is deleted; so
 * whatever dies in between, an event is in a row or in a verified segment.
 */
import { mkdir } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { Kysely, Transaction } from 'kysely';
import { chainHex, chainStart } from '../../contract/chain.ts';
import { CENTRAL_AGENT } from '../../contract/topic.ts';
import type { CatModel } from '../models/model.ts';
import { catchUp } from './aside.ts';
import { deleteSealed } from './delete-sealed.ts';
import { lastSegment } from './expired.ts';
import { checkLead } from './fence.ts';
import { pinCats, saveHorizon } from './horizon.ts';
import { insertOnce } from './insert-once.ts';
import { modelTables, modelVersions } from './model-tables.ts';
import { OWN_FOLDER } from './own-file.ts';
import type { Expired, ExpireOptions } from './retention-store.ts';
import { type EpochNames, storedEvent } from './rows.ts';
import { type SealedEvent, sealSegment, segmentFile, verifySegment } from './segment-file.ts';
import { lockSegments, removeParts } from './segment-lock.ts';
import { openShard } from './shard.ts';
import type { FoldPolicy } from './stopped.ts';
import type { EpochTable, SegmentTable, Tables } from './tables.ts';
import { takeLock, transact } from './transact.ts';

/** Events of one segment: its size in memory while it is chosen is a few numbers each. */
export const SEGMENT_EVENTS = 50_000;
const PAGE_ROWS = 2_000;

interface Epoch extends Pick<EpochTable, 'no' | 'epoch' | 'mark' | 'shard'> {
  readonly agent: string;
}

interface Parts {
  readonly db: Kysely<Tables>;
  readonly model: CatModel;
  readonly names: EpochNames;
  readonly policy: FoldPolicy;
  /** Of who leads; null: nobody does, or a person asks. */
  readonly token: number | null;
}

/** Seals and deletes all that may go. Resumes what a run before it did not finish. See `store.ts` for what may not go. */
export async function expire(parts: Parts, options: ExpireOptions): Promise<Expired> {
  const { dir, step = () => undefined, told = () => undefined } = options;
  await mkdir(dir, { recursive: true, mode: OWN_FOLDER });
  const unlock = await lockSegments(dir);
  try {
    await removeParts(dir);
    return await expireLocked(parts, { ...options, step, told });
  } finally {
    await unlock();
  }
}

async function expireLocked(parts: Parts, options: Required<ExpireOptions>): Promise<Expired> {
  const { db } = parts;
  const { dir, before, signal, step, told } = options;
  let [segments, events] = [0, 0];
  for (const open of await db.selectFrom('segment').selectAll().where('done', '=', 0).execute()) {
    await verifySegment(dir, open.file);
    await deleteSealed(db, open, signal, step);
  }
  if (!(await bringUpPrevious(parts))) return { segments, events, waiting: 'models are being rebuilt' };
  for (const epoch of await epochsOf(db)) {
    while (!signal.aborted) {
      const segment = await sealNext(parts, epoch, dir, before, step);
      if (segment === null) break;
      await deleteSealed(db, segment, signal, step);
      segments += 1;
      events += segment.events;
      told(segment.file, events);
    }
  }
  return { segments, events, waiting: null };
}

/** The version that was live before must have seen what goes, too: it may be live again. False: a replay is at work. */
async function bringUpPrevious(parts: Parts): Promise<boolean> {
  const { db } = parts;
  const { previous, building } = await modelVersions(db);
  if (building !== null) return false;
  if (previous === null) return true;
  let mayGoOn = true;
  const guard = async (trx: Transaction<Tables>) => {
    const now = await modelVersions(trx);
    mayGoOn = now.building === null && now.previous === previous;
    if (!mayGoOn) throw new Error('a replay has begun');
  };
  await catchUp(parts, modelTables(previous), guard).catch((error: unknown) => {
    if (mayGoOn) throw error;
  });
  return mayGoOn;
}

async function epochsOf(db: Kysely<Tables>): Promise<readonly Epoch[]> {
  return (
    db
      .selectFrom('epoch')
      .innerJoin('agent', 'agent.no', 'epoch.agent_no')
      .select(['epoch.no', 'epoch.epoch', 'epoch.mark', 'epoch.shard', 'agent.name as agent'])
      // Central's own events are what people did: names, collars, corrections.
      .where('agent.name', '<>', CENTRAL_AGENT)
      .orderBy('epoch.no')
      .execute()
  );
}

/** The next segment of an epoch, noted; null where nothing of it may go. */
async function sealNext(parts: Parts, epoch: Epoch, dir: string, before: string, step: (name: string) => void) {
  const { db, model, names, token } = parts;
  const last = await lastSegment(db, epoch.no);
  const from = (last?.to_seq ?? 0) + 1;
  const to = await oldEnd(db, epoch, from, before);
  if (to === null) return null;
  const chainBefore = last === null ? chainHex(chainStart(epoch.agent, epoch.epoch)) : last.chain;
  const wanted = { agent: epoch.agent, epoch: epoch.epoch, fromSeq: from, toSeq: to, chainBefore };
  const manifest = await sealSegment(dir, wanted, rowsOf(db, epoch, from, to), step);
  const segment: SegmentTable = {
    epoch_no: epoch.no,
    from_seq: from,
    to_seq: to,
    events: manifest.events,
    chain: manifest.chain,
    sha256: manifest.sha256,
    file: segmentFile(epoch.epoch, from),
    done: 0,
  };
  const noted = await transact(db, async (trx) => {
    await takeLock(trx, 'models');
    await checkLead(trx, token);
    // Who writes events has the shard: none come between the count and the note.
    await openShard(trx, epoch.shard);
    // What came meanwhile although it had been given up is in no file.
    if ((await countRows(trx, segment)) !== segment.events) return false;
    const { live, previous, building } = await modelVersions(trx);
    // A replay that has begun needs the rows.
    if (building !== null) return false;
    for (const version of [live, previous]) {
      if (version !== null) await pinCats(trx, modelTables(version), model, names, before);
    }
    // Another run, in a folder elsewhere, has sealed it.
    if ((await insertOnce(trx, 'segment', [segment])) === 0) return false;
    await saveHorizon(trx, before);
    return true;
  });
  if (!noted) return null;
  step('noted');
  return segment;
}

async function countRows(trx: Transaction<Tables>, { epoch_no, from_seq, to_seq }: SegmentTable): Promise<number> {
  const { n } = await trx
    .selectFrom('event')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('epoch_no', '=', epoch_no)
    .where('seq', '>=', from_seq)
    .where('seq', '<=', to_seq)
    .executeTakeFirstOrThrow();
  return Number(n);
}

/**
 * The last seq that may go with all before it: older than `before` by a clock that was set, or set later, at or below the mark, seen by the models.
 * The first event that is not ends it, so that what goes is always the beginning of an epoch.
 */
async function oldEnd(db: Kysely<Tables>, epoch: Epoch, from: number, before: string): Promise<number | null> {
  const { live, previous } = await modelVersions(db);
  const seen = await db
    .selectFrom('model_cursor')
    .select(['model', 'arrival'])
    .where('shard', '=', epoch.shard)
    .execute();
  const arrivals = [live, previous].flatMap((version) => {
    if (version === null) return [];
    return seen.find(({ model }) => model === modelTables(version).name)?.arrival ?? 0;
  });
  const upTo = Math.min(...arrivals);
  let end: number | null = null;
  let count = 0;
  for (let next = from; ; ) {
    const rows = await db
      .selectFrom('event')
      .select(['seq', 'time', 'original_time', 'clock', 'arrival'])
      .where('epoch_no', '=', epoch.no)
      .where('seq', '>=', next)
      .where('seq', '<=', epoch.mark)
      .orderBy('seq')
      .limit(PAGE_ROWS)
      .execute();
    for (const row of rows) {
      count += 1;
      if (row.time >= before || row.arrival > upTo || count > SEGMENT_EVENTS) return end;
      if (row.clock === 'synced' || row.original_time !== null) end = row.seq;
    }
    if (rows.length < PAGE_ROWS) return end;
    next = (rows.at(-1)?.seq ?? next) + 1;
    await setImmediate();
  }
}

async function* rowsOf(db: Kysely<Tables>, epoch: Epoch, from: number, to: number): AsyncGenerator<SealedEvent> {
  for (let next = from; next <= to; ) {
    const rows = await db
      .selectFrom('event')
      .selectAll()
      .where('epoch_no', '=', epoch.no)
      .where('seq', '>=', next)
      .where('seq', '<=', to)
      .orderBy('seq')
      .limit(PAGE_ROWS)
      .execute();
    for (const row of rows) {
      const { shard, arrival, position } = row;
      yield { ...storedEvent(row, epoch.epoch), agent: epoch.agent, shard, arrival, position };
    }
    const last = rows.at(-1);
    if (last === undefined) return;
    next = last.seq + 1;
    await setImmediate();
  }
}
