/**
 * A writer that must lose: plain SQLite as its defaults would have it. Its argument is a `ControlPlan` in JSON. Says `a SEQ`
 * after each commit, as the real one does.
 */
import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { eventAt } from './workload.ts';

export interface ControlPlan {
  readonly path: string;
  readonly seed: number;
  readonly synchronous: 'OFF' | 'NORMAL' | 'FULL';
  /** false: with `psow=0`, as the real log. */
  readonly powersafeOverwrite: boolean;
  /** null: until it is killed. */
  readonly commits: number | null;
}

const plan = JSON.parse(process.argv[2] ?? '') as ControlPlan;
// The driver reads it when it is loaded.
process.env.SQLITE_USE_URI = '1';
const { default: Database } = await import('better-sqlite3');
const db = new Database(`${pathToFileURL(plan.path).href}?psow=${plan.powersafeOverwrite ? 1 : 0}`);
db.pragma('journal_mode = WAL');
db.pragma(`synchronous = ${plan.synchronous}`);
db.exec('CREATE TABLE IF NOT EXISTS event (pos INTEGER PRIMARY KEY, data TEXT NOT NULL) STRICT');
const insert = db.prepare('INSERT INTO event (pos, data) VALUES (?, ?)');
const from = Number(db.prepare('SELECT coalesce(max(pos), 0) FROM event').pluck().get());
for (let seq = from + 1; plan.commits === null || seq <= from + plan.commits; seq += 1) {
  insert.run(seq, eventAt(plan.seed, seq).data);
  writeSync(1, `a ${seq}\n`);
}
db.close();
