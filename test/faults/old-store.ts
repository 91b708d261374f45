/** Rows in a store of central with an older schema, and the look for them after it was brought up to date. */
import Database from 'better-sqlite3';
import { AGENT, epochOf, eventAt, truthOf } from './workload.ts';

const SEED = 1;
/** One message of quarantine for so many events. */
const KEPT_EVERY = 10;

/** One epoch of one agent, all of it contiguous, and messages in quarantine: in the columns that the first schema had. */
export function fillOldStore(file: Database.Database, rows: number): void {
  const hash = Buffer.from(truthOf(SEED).chain(rows)).toString('hex');
  const noted = '2026-11-23T06:00:00.000Z';
  const fill = file.transaction(() => {
    file
      .prepare('INSERT INTO agent (no, name, state, session, version) VALUES (?, ?, ?, ?, ?)')
      .run(1, AGENT, 'online', 1, '0.1.0');
    file
      .prepare(
        `INSERT INTO epoch (no, epoch, agent_no, shard, mark, mark_chain, highest_seq, chain_ok) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(1, epochOf(SEED), 1, 0, rows, hash, rows, 1);
    file
      .prepare('INSERT INTO shard (shard, next_arrival, next_position, token) VALUES (?, ?, ?, ?)')
      .run(0, rows + 1, rows + 1, 0);
    const event = file.prepare(
      `INSERT INTO event (epoch_no, seq, agent_no, shard, arrival, position, type, version, subject, time, clock, boot, mono_ms, data)
        VALUES (1, ?, 1, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    for (let seq = 1; seq <= rows; seq += 1) {
      const { type, version, subject, time, clock, boot, monoMs, data } = eventAt(SEED, seq);
      event.run(seq, seq, seq, type, version, subject, time, clock, boot, monoMs, data);
    }
    // Later schemas have more columns, which must be filled: there this table is left as it is.
    const isFirst = file.prepare('SELECT count(*) FROM pragma_table_info(?)').pluck().get('quarantine') === 5;
    if (!isFirst) return;
    const kept = file.prepare('INSERT INTO quarantine (topic, payload, reason, noted) VALUES (?, ?, ?, ?)');
    for (let n = 1; n <= rows / KEPT_EVERY; n += 1) kept.run(`t/${n}`, payloadOf(n), 'no batch', noted);
  });
  fill.immediate();
}

/** How many of the rows are there as they were, and what is wrong otherwise, or null. */
export function findOldRows(path: string, rows: number, from: string | null): { found: number; breach: string | null } {
  const file = new Database(path, { readonly: true });
  try {
    const events = file.prepare('SELECT seq, data FROM event ORDER BY seq').all() as { seq: number; data: string }[];
    const found = events.filter(({ seq, data }) => eventAt(SEED, seq).data === data).length;
    const verdict = file.pragma('integrity_check(1)', { simple: true });
    let breach = verdict === 'ok' ? null : `integrity_check: ${String(verdict)}`;
    if (events.length > rows) breach ??= `${events.length} events where there were ${rows}`;
    const payloads = file.prepare('SELECT payload FROM quarantine ORDER BY no').pluck().all();
    const kept = from === null || from >= '0005' ? 0 : Math.floor(rows / KEPT_EVERY);
    const same = payloads.length === kept && payloads.every((payload, i) => payload === payloadOf(i + 1));
    if (!same) breach ??= `quarantine holds ${payloads.length} of ${kept} messages, or others`;
    return { found, breach };
  } finally {
    file.close();
  }
}

function payloadOf(n: number): string {
  return Buffer.from(`message ${n}`).toString('base64');
}
