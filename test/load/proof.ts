/** Whether the store holds exactly what the agents had: each event once, and the chain over what is stored is that of the agent. */
import { CompiledQuery, Kysely } from 'kysely';
import type { EventLog } from '../../src/agent/log/event-log.ts';
import { openDialect } from '../../src/central/store/open-dialect.ts';
import type { EventTable, Tables } from '../../src/central/store/tables.ts';
import { chainHex, chainOver, chainStart } from '../../src/contract/chain.ts';
import type { StoredEvent } from '../../src/contract/event.ts';

/** Faults that are told; beyond it they are counted. */
const TOLD_LIMIT = 20;

export interface Proof {
  readonly rows: number;
  readonly agents: number;
  readonly faults: number;
  /** The first of them. */
  readonly told: readonly string[];
}

type Log = Pick<EventLog, 'agent' | 'epochs' | 'chainAt'>;

/** Reads all of it. The agents have stopped, and what they had is confirmed. */
export async function proveStored(url: string, logs: readonly Log[]): Promise<Proof> {
  const { kysely } = await openDialect(url, undefined);
  const db = new Kysely<Tables>({ dialect: kysely });
  const told: string[] = [];
  let [rows, faults] = [0, 0];
  const fault = (text: string) => {
    faults += 1;
    if (told.length < TOLD_LIMIT) told.push(text);
  };
  try {
    for (const log of logs) rows += await proveAgent(db, log, fault);
    for (const table of ['conflict', 'quarantine'] as const) {
      const { n } = await db
        .selectFrom(table)
        .select(({ fn }) => fn.countAll().as('n'))
        .executeTakeFirstOrThrow();
      if (Number(n) > 0) fault(`${n} rows in ${table}`);
    }
    for (const number of ['arrival', 'position']) {
      // Each shard has given its numbers once, without a gap.
      const having = `having count(distinct ${number}) <> max(${number}) or count(*) <> max(${number})`;
      const gaps = await db.executeQuery(CompiledQuery.raw(`select shard from event group by shard ${having}`));
      if (gaps.rows.length > 0) fault(`${gaps.rows.length} shards whose ${number} has gaps`);
    }
    return { rows, agents: logs.length, faults, told };
  } finally {
    await db.destroy();
  }
}

async function proveAgent(db: Kysely<Tables>, log: Log, fault: (text: string) => void): Promise<number> {
  const { agent } = log;
  const head = log.epochs()[0];
  const epochs = await db
    .selectFrom('epoch')
    .innerJoin('agent', 'agent.no', 'epoch.agent_no')
    .where('agent.name', '=', agent)
    .select(['epoch.no', 'epoch.epoch', 'epoch.mark', 'epoch.mark_chain', 'epoch.chain_ok'])
    .execute();
  const [row] = epochs;
  if (head === undefined || row === undefined || epochs.length !== 1 || row.epoch !== head.epoch) {
    fault(`${agent}: the store knows ${epochs.length} epochs of it`);
    return 0;
  }
  const found = await db.selectFrom('event').selectAll().where('epoch_no', '=', row.no).orderBy('seq').execute();
  const chain = await log.chainAt(head.epoch, head.lastSeq);
  const own = chain === null ? 'unknown' : chainHex(chain);
  const stored = chainHex(
    chainOver(
      chainStart(agent, head.epoch),
      found.map((event) => received(event, head.epoch)),
    ),
  );
  if (found.length !== head.lastSeq || found.some(({ seq }, i) => Number(seq) !== i + 1))
    fault(`${agent}: ${found.length} events are stored of ${head.lastSeq}`);
  if (Number(row.mark) !== head.lastSeq) fault(`${agent}: the mark is ${row.mark} of ${head.lastSeq}`);
  if (stored !== own || row.mark_chain !== own || Number(row.chain_ok) !== 1)
    fault(`${agent}: the chain over what is stored is not that of the agent`);
  return found.length;
}

function received(row: EventTable, epoch: string): StoredEvent {
  const { type, version, subject, clock, boot, mono_ms: monoMs, data } = row;
  const fields = { type, version: Number(version), subject, boot, monoMs, data };
  return { epoch, seq: Number(row.seq), ...fields, time: row.original_time ?? row.time, clock: clock as 'synced' };
}

/** What the store takes on the disk, as the engine counts it: its log of changes is not in it. */
export async function storeBytes(url: string): Promise<number> {
  const { kysely } = await openDialect(url, undefined);
  const db = new Kysely<Tables>({ dialect: kysely });
  try {
    const { rows } = await db.executeQuery<{ bytes: number | string }>(CompiledQuery.raw(sizeQuery(url)));
    return Number(rows[0]?.bytes);
  } finally {
    await db.destroy();
  }
}

function sizeQuery(url: string): string {
  if (url.startsWith('sqlite:'))
    return 'select page_count * page_size as bytes from pragma_page_count(), pragma_page_size()';
  if (url.startsWith('postgres')) return 'select pg_database_size(current_database()) as bytes';
  return "select sum(file_size) as bytes from information_schema.innodb_sys_tablespaces where name like concat(database(), '/%')";
}
