import Database from 'better-sqlite3';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { appendRows, type LogCore, write } from '../../../src/agent/log/core.ts';
import { markTimer } from '../../../src/agent/log/mark-timer.ts';
import { levels, tempPath } from './log-fixture.ts';
import { newCore } from './thin-rig.ts';

const AFTER_MS = 10_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  return () => vi.useRealTimers();
});

/** Ten events in a log, nothing of which is marked; and how often it was written. */
function newLog() {
  const path = tempPath();
  const core = newCore(path, 'e');
  core.db.pragma('busy_timeout = 1');
  write(core, () => appendRows(core, levels(10)));
  let writes = 0;
  core.witness = {
    note() {
      writes += 1;
    },
  };
  const other = new Database(path);
  onTestFinished(() => {
    other.close();
    core.db.close();
  });
  const onCard = () => other.prepare('SELECT stored FROM epoch').pluck().get();
  return { core, other, onCard, writes: () => writes, marks: markTimer(core, AFTER_MS) };
}

function mark(core: LogCore, seq: number): void {
  const [epoch] = core.epochs;
  if (epoch !== undefined) epoch.storedSeq = seq;
  core.marksDirty = true;
}

describe('marks', () => {
  it('come onto the card together, once, when their time is over', () => {
    const { core, onCard, writes, marks } = newLog();
    for (const seq of [1, 2, 5]) {
      mark(core, seq);
      marks.start();
      vi.advanceTimersByTime(1_000);
    }
    vi.advanceTimersByTime(AFTER_MS - 3_001);
    expect([onCard(), writes()]).toEqual([0, 0]);
    vi.advanceTimersByTime(1);
    expect([onCard(), writes(), core.marksDirty]).toEqual([5, 1, false]);
    vi.advanceTimersByTime(10 * AFTER_MS);
    expect(writes()).toBe(1);
    mark(core, 7);
    marks.start();
    vi.advanceTimersByTime(AFTER_MS);
    expect([onCard(), writes()]).toEqual([7, 2]);
  });

  it('cost no flush where an append has taken them along', () => {
    const { core, onCard, writes, marks } = newLog();
    mark(core, 5);
    marks.start();
    write(core, () => appendRows(core, levels(1)));
    vi.advanceTimersByTime(AFTER_MS);
    expect([onCard(), writes()]).toEqual([5, 1]);
  });

  it('are not written once it was stopped, also where it was never started', () => {
    const { core, onCard, marks } = newLog();
    marks.stop();
    mark(core, 5);
    marks.start();
    marks.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(AFTER_MS);
    expect(onCard()).toBe(0);
    marks.start();
    vi.advanceTimersByTime(AFTER_MS);
    expect(onCard()).toBe(5);
  });

  it('wait for the next append where the file is locked', () => {
    const { core, other, onCard, marks } = newLog();
    mark(core, 5);
    marks.start();
    other.exec('BEGIN IMMEDIATE');
    vi.advanceTimersByTime(AFTER_MS);
    other.exec('ROLLBACK');
    expect([onCard(), core.failed]).toEqual([0, null]);
    write(core, () => appendRows(core, levels(1)));
    expect(onCard()).toBe(5);
  });

  it('end the log where they cannot be written: the next append says why', () => {
    const { core, other, marks } = newLog();
    other.exec("CREATE TRIGGER no BEFORE UPDATE ON epoch BEGIN SELECT RAISE(ABORT, 'no marks'); END");
    mark(core, 5);
    marks.start();
    vi.advanceTimersByTime(AFTER_MS);
    expect(core.failed?.message).toContain('no marks');
    // Asked again it says nothing new.
    marks.start();
    vi.advanceTimersByTime(AFTER_MS);
    expect(() => write(core, () => appendRows(core, levels(1)))).toThrow(
      expect.objectContaining({ code: 'LOG_FAILED', message: expect.stringContaining('no marks') }),
    );
  });
});
