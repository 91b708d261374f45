/** The oracle for the writers that must lose: acknowledged means present and equal. */
import Database from 'better-sqlite3';
import type { Verdict } from './frame.ts';
import { eventAt } from './workload.ts';

/** Never throws. */
export function checkControl(path: string, seed: number, acked: number): Verdict {
  const began = performance.now();
  try {
    const db = new Database(path);
    try {
      const rows = db.prepare<[], { pos: number; data: string }>('SELECT pos, data FROM event ORDER BY pos').all();
      const recoveryMs = performance.now() - began;
      const whole = rows.filter(({ pos, data }) => pos <= acked && data === eventAt(seed, pos).data).length;
      return { acked, lost: acked - whole, doubled: 0, recoveryMs, breach: null };
    } finally {
      db.close();
    }
  } catch (error) {
    return {
      acked,
      lost: acked,
      doubled: 0,
      recoveryMs: performance.now() - began,
      breach: acked === 0 ? null : String(error),
    };
  }
}
