/**
 * What could not be taken in, whole, so that a person can look at it, try it again, take it along or drop it. Bounded for each
 * agent, so that one that floods pushes out only its own; what had to go for room is counted.
 */
import { createHash } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import { readConflicts } from './conflicts.ts';
import { REJECTED } from './gaps.ts';
import { insertOnce } from './insert-once.ts';
import type { Kept, KeptMessage, KeptQuery, QuarantineKind, QuarantineStore, QuarantineTally } from './kept.ts';
import type { Tables } from './tables.ts';
import { countKept } from './tally.ts';
import { takeLock } from './transact.ts';

/** Messages of all agents, and of one. Who is no agent that is known counts as one together with all others of the kind. */
export const MAX_QUARANTINE = 1_000;
export const MAX_QUARANTINE_OF_AGENT = 200;
/** Bytes of them. */
export const MAX_QUARANTINE_BYTES = 64 * 1024 * 1024;
export const MAX_QUARANTINE_BYTES_OF_AGENT = 16 * 1024 * 1024;
/** Of one message; the rest of a longer one is cut off. The longest batch that an agent of ours sends has a quarter of it. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Rejected events are the only copy, so they never go for room: they have this share of the limits, and then no more are taken. */
const REJECTED_SHARE = 0.5;
/** The number that was given last: numbers are never used again. */
const LAST = 'quarantine.last';

type Trx = Transaction<Tables>;
type Row = Tables['quarantine'];

export interface NewMessage {
  /** The name in the topic, or ''. */
  readonly agent: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly kind: QuarantineKind;
  readonly reason: string;
  /** Of a rejected event: its place. */
  readonly epochNo?: number;
  readonly seq?: number;
}

/** Within a transaction. False: there is no room for a rejected event, and nothing was written. */
export async function keepMessage(trx: Trx, message: NewMessage, now: string): Promise<boolean> {
  await takeLock(trx, 'quarantine');
  const { topic, payload, kind } = message;
  const agent = await knownAgent(trx, message.agent);
  const hash = createHash('sha256').update(identity(message)).update(payload).digest('hex');
  const reason = message.reason.slice(0, 255);
  const again = await trx
    .updateTable('quarantine')
    .set({ times: sql<number>`times + 1`, last_noted: now, reason })
    .where('hash', '=', hash)
    .executeTakeFirst();
  if (Number(again.numUpdatedRows) > 0) {
    await countKept(trx, agent, kind, { noted: 1 });
    return true;
  }
  const kept = payload.subarray(0, MAX_MESSAGE_BYTES);
  if (kind === 'rejected' && !(await hasRoom(trx, agent, kept.byteLength))) return false;
  const row: Row = {
    no: await nextNo(trx),
    agent,
    topic: topic.slice(0, 255),
    kind,
    reason,
    noted: now,
    last_noted: now,
    times: 1,
    bytes: payload.byteLength,
    kept: kept.byteLength,
    hash,
    epoch_no: message.epochNo ?? null,
    seq: message.seq ?? null,
    payload: Buffer.from(kept).toString('base64'),
  };
  await trx.insertInto('quarantine').values(row).execute();
  await countKept(trx, agent, kind, { noted: 1 });
  await makeRoom(trx, agent);
  return true;
}

/** Two places may hold the same bad text: each is put aside. */
function identity({ topic, epochNo, seq }: NewMessage): string {
  return JSON.stringify([topic, epochNo ?? null, seq ?? null]);
}

interface Usage {
  readonly agent: string;
  readonly kind: string;
  readonly messages: number;
  readonly bytes: number;
}

/** From the index alone: payloads are not read. */
function usage(db: Kysely<Tables> | Trx): Promise<Usage[]> {
  return db
    .selectFrom('quarantine')
    .select((eb) => ['agent', 'kind', eb.fn.countAll<number>().as('messages'), eb.fn.sum<number>('kept').as('bytes')])
    .groupBy(['agent', 'kind'])
    .execute();
}

function total(rows: readonly Usage[]): { readonly messages: number; readonly bytes: number } {
  return rows.reduce((sum, row) => ({ messages: sum.messages + row.messages, bytes: sum.bytes + row.bytes }), {
    messages: 0,
    bytes: 0,
  });
}

async function hasRoom(trx: Trx, agent: string, bytes: number): Promise<boolean> {
  const rejected = (await usage(trx)).filter((row) => row.kind === 'rejected');
  const [all, own] = [total(rejected), total(rejected.filter((row) => row.agent === agent))];
  return (
    all.messages < MAX_QUARANTINE * REJECTED_SHARE &&
    all.bytes + bytes <= MAX_QUARANTINE_BYTES * REJECTED_SHARE &&
    own.messages < MAX_QUARANTINE_OF_AGENT * REJECTED_SHARE &&
    own.bytes + bytes <= MAX_QUARANTINE_BYTES_OF_AGENT * REJECTED_SHARE
  );
}

/** Lets the oldest go: of this agent where it has too many, else of the agent that has most. Agents still hold what goes. */
async function makeRoom(trx: Trx, agent: string): Promise<void> {
  for (;;) {
    const rows = await usage(trx);
    const [all, own] = [total(rows), total(rows.filter((row) => row.agent === agent))];
    const ownTooMany = own.messages > MAX_QUARANTINE_OF_AGENT || own.bytes > MAX_QUARANTINE_BYTES_OF_AGENT;
    if (!ownTooMany && all.messages <= MAX_QUARANTINE && all.bytes <= MAX_QUARANTINE_BYTES) return;
    const measure = all.bytes > MAX_QUARANTINE_BYTES ? 'bytes' : 'messages';
    const loose = rows.filter((row) => row.kind !== 'rejected').sort((a, b) => b[measure] - a[measure]);
    const from = ownTooMany ? loose.find((row) => row.agent === agent) : loose[0];
    if (from === undefined) return;
    const oldest = trx
      .selectFrom('quarantine')
      .select((eb) => eb.fn.min('no').as('no'))
      .where('agent', '=', from.agent)
      .where('kind', '=', from.kind);
    const { no } = await oldest.executeTakeFirstOrThrow();
    await trx.deleteFrom('quarantine').where('no', '=', no).execute();
    await countKept(trx, from.agent, from.kind, { dropped: 1 });
  }
}

/** Names of strangers are no keys: they would make as many rows as they like. */
async function knownAgent(trx: Trx, name: string): Promise<string> {
  const known = await trx.selectFrom('agent').select('name').where('name', '=', name).executeTakeFirst();
  return known?.name ?? '';
}

async function nextNo(trx: Trx): Promise<number> {
  const last = await trx.selectFrom('meta').select('value').where('name', '=', LAST).executeTakeFirst();
  const no = Number(last?.value ?? 0) + 1;
  const value = String(no);
  await insertOnce(trx, 'meta', [{ name: LAST, value }]);
  await trx.updateTable('meta').set({ value }).where('name', '=', LAST).execute();
  return no;
}

export function createQuarantine(db: Kysely<Tables>): QuarantineStore {
  return {
    quarantined: (query) => readKept(db, query),
    quarantinedMessage: (no) => readMessage(db, no),
    quarantineTally: () => tally(db),
    async stillRefused(no, reason, now) {
      const words = reason.slice(0, 255);
      await db.updateTable('quarantine').set({ reason: words, last_noted: now }).where('no', '=', no).execute();
    },
    isOnlyCopy: (no) => isOnlyCopy(db, no),
    async dropQuarantined(no) {
      const all = db.deleteFrom('quarantine');
      const { numDeletedRows } = await (no === 'all' ? all : all.where('no', '=', no)).executeTakeFirstOrThrow();
      return Number(numDeletedRows);
    },
    conflicting: (query) => readConflicts(db, query),
  };
}

const columns = ['no', 'agent', 'topic', 'kind', 'reason', 'noted', 'last_noted', 'times', 'bytes', 'seq'] as const;

/** By number, so that who asks on with the last one sees each once. */
async function readKept(db: Kysely<Tables>, { after, limit, agent, kind }: KeptQuery): Promise<readonly Kept[]> {
  let select = db
    .selectFrom('quarantine')
    .leftJoin('epoch', 'epoch.no', 'quarantine.epoch_no')
    .select([...columns.map((name) => `quarantine.${name}` as const), 'epoch.epoch'])
    .where('quarantine.no', '>', after)
    .orderBy('quarantine.no')
    .limit(limit);
  if (agent !== undefined) select = select.where('quarantine.agent', '=', agent);
  if (kind !== undefined) select = select.where('quarantine.kind', '=', kind);
  return (await select.execute()).map(keptOf);
}

async function readMessage(db: Kysely<Tables>, no: number): Promise<KeptMessage | null> {
  const row = await db
    .selectFrom('quarantine')
    .leftJoin('epoch', 'epoch.no', 'quarantine.epoch_no')
    .select([...columns.map((name) => `quarantine.${name}` as const), 'quarantine.payload', 'epoch.epoch'])
    .where('quarantine.no', '=', no)
    .executeTakeFirst();
  return row === undefined ? null : { ...keptOf(row), payload: Buffer.from(row.payload, 'base64') };
}

async function isOnlyCopy(db: Kysely<Tables>, no: number): Promise<boolean> {
  const left = await db
    .selectFrom('quarantine')
    .innerJoin('gap', 'gap.epoch_no', 'quarantine.epoch_no')
    .leftJoin('event', (on) =>
      on.onRef('event.epoch_no', '=', 'quarantine.epoch_no').onRef('event.seq', '=', 'quarantine.seq'),
    )
    .select('gap.reason')
    .where('quarantine.no', '=', no)
    .whereRef('gap.from_seq', '<=', 'quarantine.seq')
    .whereRef('gap.to_seq', '>=', 'quarantine.seq')
    .where('event.seq', 'is', null)
    .executeTakeFirst();
  return left?.reason.startsWith(REJECTED) === true;
}

function keptOf(row: Pick<Row, (typeof columns)[number]> & { readonly epoch: string | null }): Kept {
  const { last_noted: lastNoted, epoch, seq, kind, ...rest } = row;
  const place = epoch === null || seq === null ? null : { epoch, seq };
  return { ...rest, kind: kind as QuarantineKind, lastNoted, place };
}

async function tally(db: Kysely<Tables>): Promise<QuarantineTally> {
  const held = await usage(db);
  const counted = await db.selectFrom('quarantine_tally').selectAll().orderBy('agent').orderBy('kind').execute();
  return {
    ...total(held),
    noted: counted.reduce((sum, row) => sum + (row.kind === 'conflict' ? 0 : row.noted), 0),
    dropped: counted
      .filter((row) => row.dropped > 0)
      .map(({ agent, kind, dropped }) => ({ agent, kind: kind as QuarantineKind | 'conflict', messages: dropped })),
  };
}
