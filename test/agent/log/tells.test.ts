import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { appendRows, type LogCore, write } from '../../../src/agent/log/core.ts';
import { openTells } from '../../../src/agent/log/tells.ts';
import type { NewEvent } from '../../../src/contract/event.ts';
import { tempPath } from './log-fixture.ts';
import { mix, newCore } from './thin-rig.ts';

const [other] = mix(['moved'], 0);
const tell = { ...other, type: 'collard.history.lost', data: '{}' } as NewEvent;

/** A log whose events at 2, 3 and 5 tell of losses. */
function newLog(): LogCore {
  const core = newCore(tempPath(), 'e');
  write(core, () => appendRows(core, [other as NewEvent, tell, tell]));
  write(core, () => appendRows(core, [other as NewEvent, tell]));
  onTestFinished(() => void core.db.close());
  return core;
}

const kept = ({ path }: LogCore) => {
  const db = new Database(path, { readonly: true });
  const fact = db.prepare<[], string>("SELECT value FROM fact WHERE key = 'tells'").pluck().get();
  db.close();
  return fact === undefined ? null : (JSON.parse(fact) as unknown);
};

describe('where the log tells of losses', () => {
  it('is kept on the card with each of them', () => {
    const core = newLog();
    expect([core.tells.all, kept(core), openTells(core.db).all]).toEqual([
      [2, 3, 5],
      [2, 3, 5],
      [2, 3, 5],
    ]);
  });

  it('costs no write where nothing is told', () => {
    const core = newLog();
    core.db.exec("DELETE FROM fact WHERE key = 'tells'");
    write(core, () => appendRows(core, [other as NewEvent]));
    core.tells.remove(4, 4);
    expect([core.tells.all, kept(core)]).toEqual([[2, 3, 5], null]);
  });

  it('is forgotten within bounds', () => {
    const core = newLog();
    core.tells.remove(3, 3);
    expect([core.tells.all, kept(core)]).toEqual([
      [2, 5],
      [2, 5],
    ]);
    core.tells.remove(3, 9);
    expect(core.tells.all).toEqual([2]);
    core.tells.remove(0, 1);
    expect([core.tells.all, kept(core)]).toEqual([[2], [2]]);
  });

  it('is looked for once in a file that has not kept it, and kept with the next append', () => {
    const core = newLog();
    core.db.exec("DELETE FROM fact WHERE key = 'tells'");
    const again = openTells(core.db);
    expect([again.all, kept(core)]).toEqual([[2, 3, 5], null]);
    again.note([other as NewEvent], 6);
    expect([again.all, kept(core)]).toEqual([
      [2, 3, 5],
      [2, 3, 5],
    ]);
  });

  it('is as before after a write that was rolled back, and kept again with the next', () => {
    const core = newLog();
    const full = () => {
      appendRows(core, [tell]);
      throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' });
    };
    expect(() => write(core, full)).toThrow('full');
    expect([core.tells.all, kept(core)]).toEqual([
      [2, 3, 5],
      [2, 3, 5],
    ]);
    write(core, () => appendRows(core, [tell]));
    expect([core.tells.all, kept(core)]).toEqual([
      [2, 3, 5, 6],
      [2, 3, 5, 6],
    ]);
  });
});
