import { describe, expect, it, onTestFinished } from 'vitest';
import { appendRows, type LogCore, write } from '../../../src/agent/log/core.ts';
import { assertWhole } from '../../../src/agent/log/whole.ts';
import type { NewEvent } from '../../../src/contract/event.ts';
import { tempPath } from './log-fixture.ts';
import { mix, newCore } from './thin-rig.ts';

const lost = (data: object) =>
  ({ ...mix(['sensor'], 0)[0], type: 'collard.history.lost', data: JSON.stringify(data) }) as NewEvent;

/** Three groups of four events, and what tells of losses. */
function logOf(...tells: readonly object[]): LogCore {
  const core = newCore(tempPath(), 'e');
  for (let group = 0; group < 3; group += 1)
    write(core, () => appendRows(core, mix(['ended', 'ended', 'ended', 'ended'], group * 4)));
  if (tells.length > 0) write(core, () => appendRows(core, tells.map(lost)));
  onTestFinished(() => void core.db.close());
  return core;
}

const damaged = expect.objectContaining({
  code: 'SQLITE_CORRUPT',
  message: expect.stringMatching(/events of epoch e are missing or have changed/),
});

describe('a log that is read from end to end', () => {
  it('is whole where every event matches', () => assertWhole(logOf()));

  it('is whole where nothing is held', () => {
    const core = newCore(tempPath(), 'e');
    assertWhole(core);
    core.db.close();
  });

  it.each([
    ['a hole that nothing tells', 'DELETE FROM event WHERE pos = 2'],
    ['an end that nothing tells', 'DELETE FROM event WHERE pos = 12'],
    ['another event', "UPDATE event SET data = '{}' WHERE pos = 7"],
    ['another hash', 'UPDATE chain SET hash = zeroblob(32) WHERE pos = 8'],
    ['no hash at its end', 'DELETE FROM chain WHERE pos = 12'],
  ])('is damaged where it has %s', (_, sql) => {
    const core = logOf();
    core.db.exec(sql);
    expect(() => assertWhole(core)).toThrow(damaged);
  });

  it('may miss what is told, to the event', () => {
    const tells = [
      { epoch: 'e', fromSeq: 6, toSeq: 8, count: 3 },
      { epoch: 'e', fromSeq: 5, toSeq: 5, count: 1 },
    ];
    const core = logOf(...tells);
    core.db.exec('DELETE FROM event WHERE pos BETWEEN 5 AND 8');
    assertWhole(core);
    const short = logOf({ epoch: 'e', fromSeq: 5, toSeq: 7, count: 3 });
    short.db.exec('DELETE FROM event WHERE pos BETWEEN 5 AND 8');
    expect(() => assertWhole(short)).toThrow(damaged);
    const other = logOf({ epoch: 'f', fromSeq: 5, toSeq: 8, count: 4 });
    other.db.exec('DELETE FROM event WHERE pos BETWEEN 5 AND 8');
    expect(() => assertWhole(other)).toThrow(damaged);
    const unclear = logOf({ epoch: 'e', fromSeq: 0, toSeq: 0, count: 0 });
    unclear.db.exec('DELETE FROM event WHERE pos BETWEEN 5 AND 8');
    expect(() => assertWhole(unclear)).toThrow(damaged);
  });

  it('may miss what central has confirmed, and what is told behind that', () => {
    const core = logOf({ epoch: 'e', fromSeq: 7, toSeq: 8, count: 2 });
    core.db.exec('DELETE FROM event WHERE pos BETWEEN 5 AND 8');
    Object.assign(core.epochs[0] ?? {}, { storedSeq: 6 });
    assertWhole(core);
    Object.assign(core.epochs[0] ?? {}, { storedSeq: 5 });
    expect(() => assertWhole(core)).toThrow(damaged);
  });

  it('may miss its end where that is confirmed', () => {
    const core = logOf();
    core.db.exec('DELETE FROM event WHERE pos BETWEEN 9 AND 12');
    expect(() => assertWhole(core)).toThrow(damaged);
    Object.assign(core.epochs[0] ?? {}, { storedSeq: 12 });
    assertWhole(core);
  });

  it('is damaged where a hole has kept hashes of what was in it', () => {
    const core = logOf({ epoch: 'e', fromSeq: 3, toSeq: 8, count: 6 });
    core.db.exec('DELETE FROM event WHERE pos BETWEEN 3 AND 8');
    expect(() => assertWhole(core)).toThrow(damaged);
    core.db.exec('DELETE FROM chain WHERE pos = 4');
    assertWhole(core);
    const end = logOf();
    end.db.exec('DELETE FROM event WHERE pos > 6');
    Object.assign(end.epochs[0] ?? {}, { storedSeq: 12 });
    expect(() => assertWhole(end)).toThrow(damaged);
    end.db.exec('DELETE FROM chain WHERE pos = 8');
    assertWhole(end);
  });

  it('is damaged where what tells of losses cannot be read', () => {
    const core = logOf({ epoch: 'e', fromSeq: 5, toSeq: 7, count: 3 });
    core.db.exec("UPDATE event SET data = '{' WHERE pos = 13");
    expect(() => assertWhole(core)).toThrow(
      expect.objectContaining({ code: 'SQLITE_CORRUPT', message: "the log's history.lost cannot be read" }),
    );
  });
});
