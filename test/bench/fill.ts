/** Fills a central store fast: without its indexes, which are built when all is in. What it does not tell: the chain. */
import Database from 'better-sqlite3';
import { openStore } from '../../src/central/open-store.ts';

export const COLLARS = Array.from({ length: 8 }, (_, n) => `C0FFEE0${n + 1}`);
/** Moves and never shakes. */
export const SILENT_COLLAR = 'C0FFEE08';
export const T0 = Date.parse('2024-01-01T00:00:00.000Z');
export const EVENT_MS = 8_000;
export const BATTERY_EVERY = 1_000;
const ROWS_A_TRANSACTION = 100_000;

interface Made {
  readonly type: string;
  readonly subject: string;
  readonly data: string;
}

function eventOf(n: number): Made {
  const collar = COLLARS[((n * 2_654_435_761) % 2 ** 32) % COLLARS.length] ?? '';
  const subject = `collar/${collar}`;
  const made = (type: string, data: object): Made => ({ type: `collard.${type}`, subject, data: JSON.stringify(data) });
  if (n % BATTERY_EVERY === 0) return made('battery.low', { percent: n % 20 });
  if (collar === SILENT_COLLAR || n % 5 === 0) return made('cat.moved', { from: 'kitchen', to: 'hall' });
  if (n % 5 < 3) return made('meow.started', { level: 1.5 });
  return made('meow.ended', { durationMs: 100 + (n % 900), peakG: 1.84, readings: 17, place: 'kitchen' });
}

/** Two agents; the events of `porch` are numbered 1 to `total` in `epoch`, every fourth is of `hall` in another. */
export async function fill(path: string, epoch: string, total: number): Promise<void> {
  await (await openStore({ url: `sqlite:${path}` })).close();
  const db = new Database(path);
  db.pragma('journal_mode = DELETE');
  db.pragma('synchronous = OFF');
  db.pragma('cache_size = -400000');
  const sql = `select name, sql from sqlite_master where type = 'index' and tbl_name = 'event' and sql is not null`;
  const indexes = db.prepare<[], { readonly name: string; readonly sql: string }>(sql).all();
  for (const { name } of indexes) db.exec(`drop index ${name}`);
  const zeros = '0'.repeat(64);
  for (const [no, name, id] of [
    [11, 'porch', epoch],
    [12, 'hall', epoch.replace(/^0/, '1')],
  ] as const) {
    db.prepare('insert into agent values (?, ?, ?, 1, ?, null, null, null)').run(no, name, 'online', '');
    db.prepare('insert into epoch values (?, ?, ?, 0, ?, ?, ?, 1)').run(no, id, no, total, zeros, total);
  }
  const insert = db.prepare(
    `insert into event (epoch_no, seq, agent_no, shard, arrival, position, type, version, subject, cat_id, time, clock, data)
     values (?, ?, ?, 0, ?, ?, ?, 1, ?, ?, ?, 'synced', ?)`,
  );
  const seqs = [0, 0];
  let place = 0;
  const put = (agent: 0 | 1, { type, subject, data }: Made, catId: number | null, ms: number) => {
    place += 1;
    const seq = (seqs[agent] ?? 0) + 1;
    seqs[agent] = seq;
    const no = 11 + agent;
    insert.run(no, seq, no, place, place, type, subject, catId, new Date(ms).toISOString(), data);
  };
  for (let from = 0; from < total; from += ROWS_A_TRANSACTION) {
    db.transaction(() => {
      for (const [i, collar] of from === 0 ? COLLARS.entries() : []) {
        const [catId, subject] = [i + 1, `cat/${i + 1}`];
        const named = { catId, oldName: null, newName: `Cat ${catId}` };
        put(0, { type: 'collard.cat.named', subject, data: JSON.stringify(named) }, catId, T0 - 1);
        put(0, { type: 'collard.collar.assigned', subject, data: JSON.stringify({ catId, collar }) }, catId, T0 - 1);
      }
      for (let n = from; n < Math.min(total, from + ROWS_A_TRANSACTION); n += 1) {
        put(n % 4 === 3 ? 1 : 0, eventOf(n), null, T0 + n * EVENT_MS);
      }
    })();
    process.stderr.write(`\r${from + ROWS_A_TRANSACTION} events`);
  }
  process.stderr.write('\n');
  db.prepare('insert or replace into shard values (0, ?, ?, 0)').run(place + 1, place + 1);
  for (const index of indexes) db.exec(index.sql);
  db.close();
}
