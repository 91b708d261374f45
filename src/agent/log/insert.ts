/** Events into rows, several in one statement. */
import type { NewEvent } from '../../contract/event.ts';
import type { Db } from './log-file.ts';
import type { Words } from './words.ts';

/** Rows of one statement: what a call costs besides is shared, and more of them save no more. */
const ROWS_A_CALL = 8;

/** What writes events, one behind the other from `pos` on. Within the caller's transaction. */
export function createInsert(db: Db, words: Words): (pos: number, events: readonly NewEvent[]) => void {
  const prepare = (rows: number) => {
    const row = '(?, ?, ?, ?, ?, ?, ?, ?, ?)';
    return db.prepare(
      `INSERT INTO event (pos, type, version, subject, time, synced, boot, mono, data)
       VALUES ${Array.from({ length: rows }, () => row).join(', ')}`,
    );
  };
  const [one, many] = [prepare(1), prepare(ROWS_A_CALL)];
  return (pos, events) => {
    const whole = events.length - (events.length % ROWS_A_CALL);
    let values: unknown[] = [];
    for (const [i, event] of events.entries()) {
      const { type, version, subject, time, clock, boot, monoMs, data } = event;
      const bootNo = boot === null ? null : words.number(boot);
      const synced = clock === 'synced' ? 1 : 0;
      values.push(pos + i, words.number(type), version, subject, Date.parse(time), synced, bootNo, monoMs, data);
      if (i < whole && (i + 1) % ROWS_A_CALL !== 0) continue;
      (i < whole ? many : one).run(values);
      values = [];
    }
  };
}
