import { statfsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { budgetNow, freeBytesOf, rowsIn, stateAfter, usedBytes } from '../../../src/agent/log/budget.ts';
import { appendRows, type LogCore, write } from '../../../src/agent/log/core.ts';
import type { DiskState } from '../../../src/contract/message.ts';
import { event, tempFolder, tempPath } from './log-fixture.ts';
import { newCore } from './thin-rig.ts';

const KIB = 1024;
const MEGABYTE = KIB * KIB;

function logOf(count: number, bytes = 1_000): LogCore {
  const core = newCore(tempPath(), 'e');
  const moves = Array.from({ length: count }, (_, i) => event('cat.moved', { from: null, to: 'x'.repeat(bytes) }, i));
  if (count > 0) write(core, () => appendRows(core, moves));
  return core;
}

function deleteThrough(core: LogCore, seq: number): void {
  write(core, () => core.rows.remove(1, seq));
}

describe('the room that a log takes', () => {
  it('is that of the pages that hold something', () => {
    const core = logOf(1_000);
    const pageSize = Number(core.db.pragma('page_size', { simple: true }));
    const full = usedBytes(core);
    expect(full % pageSize).toBe(0);
    expect(full).toBeGreaterThan(1_000_000);
    deleteThrough(core, 900);
    expect(usedBytes(core)).toBeLessThan(full / 5);
    expect(Number(core.db.pragma('page_count', { simple: true })) * pageSize).toBeGreaterThanOrEqual(full);
    core.db.close();
  });

  it('tells how many of its events take so many bytes, and never too few to be worth a flush', () => {
    const core = logOf(1_000);
    expect(rowsIn(core, usedBytes(core))).toBe(1_000);
    expect(rowsIn(core, usedBytes(core) / 2)).toBe(500);
    expect(rowsIn(core, usedBytes(core) / 10 + 1)).toBe(101);
    expect(rowsIn(core, 1)).toBe(50);
    core.db.close();
  });

  it('is what is free on the disk of a folder', () => {
    const folder = tempFolder();
    const { bavail, bsize } = statfsSync(folder);
    // Others write to it as well.
    expect(freeBytesOf(folder) / (bavail * bsize)).toBeCloseTo(1, 0);
    expect(() => freeBytesOf('/no/such/folder')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});

describe('the budget', () => {
  it('is what is configured while the disk has that', () => {
    const core = logOf(0);
    expect(budgetNow(core, 5 * MEGABYTE, () => 100 * MEGABYTE)).toBe(5 * MEGABYTE);
    core.db.close();
  });

  it('is less where the disk has less, and keeps a reserve for others', () => {
    const core = logOf(1_000);
    const asked: string[] = [];
    const free = (folder: string) => {
      asked.push(folder);
      return MEGABYTE;
    };
    // An eighth of a small log is less than the reserve at the least.
    expect(budgetNow(core, 1e12, free)).toBe(usedBytes(core) + MEGABYTE - 256 * KIB);
    expect(asked).toEqual([core.path.slice(0, core.path.lastIndexOf('/'))]);
    // Free pages within the file are room as well.
    const before = budgetNow(core, 1e12, free);
    deleteThrough(core, 900);
    expect(budgetNow(core, 1e12, free)).toBe(before);
    core.db.close();
  });

  it('keeps a larger reserve for a larger log, up to a bound', () => {
    const core = logOf(4_000);
    const used = usedBytes(core);
    expect(used / 8).toBeGreaterThan(256 * KIB);
    expect(budgetNow(core, 1e12, () => MEGABYTE)).toBe(used + MEGABYTE - used / 8);
    core.db.close();
  });

  it('leaves a small log alone however full the disk is', () => {
    const core = logOf(10);
    expect(budgetNow(core, 1e12, () => 0)).toBe(512 * KIB);
    core.db.close();
  });
});

describe('how the disk stands', () => {
  const states: readonly DiskState[] = ['ok', 'warn', 'thinning', 'losing'];

  it('is by the step that was taken where most is confirmed', () => {
    const core = logOf(100);
    for (const epoch of core.epochs) epoch.storedSeq = 100;
    for (const before of states)
      for (const step of states) expect(stateAfter(core, step, before, usedBytes(core))).toBe(step);
    core.db.close();
  });

  it('warns where four fifths of the budget are not confirmed, and forgets nothing worse', () => {
    const core = logOf(100);
    const scarce = Math.floor(usedBytes(core) / 0.8) - 1;
    expect(stateAfter(core, 'ok', 'ok', scarce)).toBe('warn');
    expect(stateAfter(core, 'ok', 'ok', scarce + 2)).toBe('ok');
    for (const [b, before] of states.entries())
      for (const [s, step] of states.entries())
        expect(stateAfter(core, step, before, scarce)).toBe(states[Math.max(1, b, s)]);
    core.db.close();
  });

  it('counts as unconfirmed what is held, not what was given up', () => {
    const core = logOf(100);
    const [epoch] = core.epochs;
    if (epoch === undefined) throw new Error('no epoch');
    // Half of what is held is confirmed: two fifths of this budget are not.
    Object.assign(epoch, { firstSeq: 51, storedSeq: 75 });
    expect(stateAfter(core, 'ok', 'ok', usedBytes(core))).toBe('ok');
    expect(stateAfter(core, 'ok', 'ok', usedBytes(core) / 2)).toBe('warn');
    Object.assign(epoch, { firstSeq: 51, storedSeq: 0 });
    expect(stateAfter(core, 'ok', 'ok', usedBytes(core) * 1.2)).toBe('warn');
    expect(stateAfter(core, 'ok', 'ok', usedBytes(core) * 1.3)).toBe('ok');
    core.db.close();
  });

  it('is well where nothing was ever written', () => {
    const core = logOf(0);
    expect(stateAfter(core, 'ok', 'losing', 1)).toBe('ok');
    core.db.close();
  });
});
