import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { addEpoch, appendRows, loadCore, reading, write } from '../../../src/agent/log/core.ts';
import { openLogFile, prepareFile } from '../../../src/agent/log/log-file.ts';
import { levels, openLog, tempPath } from './log-fixture.ts';
import { newCore } from './thin-rig.ts';

const fault = (code: string) => Object.assign(new Error('it broke'), { code });

describe('the open file of a log', () => {
  it('takes no event before it has an epoch', () => {
    const path = tempPath();
    prepareFile(path);
    const core = loadCore(openLogFile(path), path, 'porch');
    expect(() => write(core, () => appendRows(core, levels(1)))).toThrow(
      expect.objectContaining({ code: 'SQLITE_CORRUPT', message: expect.stringContaining('has no epoch') }),
    );
    core.db.close();
  });

  it('is as it was in memory after a write that the disk had no room for', () => {
    const core = newCore(tempPath(), 'e');
    write(core, () => appendRows(core, levels(3)));
    const shown = () => ({ ...core, epochs: core.epochs.map((one) => ({ ...one })), tells: core.tells.all });
    const before = shown();
    const full = () => {
      addEpoch(core, 'f', 0, 'test');
      appendRows(core, levels(5));
      throw fault('SQLITE_FULL');
    };
    expect(() => write(core, full)).toThrow(
      expect.objectContaining({ code: 'SQLITE_FULL', message: expect.stringContaining('free space on that disk') }),
    );
    expect(shown()).toEqual(before);
    expect(write(core, () => appendRows(core, levels(1)))).toEqual({ firstSeq: 4 });
    core.db.close();
  });

  it.each([
    ['SQLITE_IOERR_FSYNC', false],
    ['SQLITE_CORRUPT', true],
    ['SQLITE_NOTADB', true],
  ])('takes nothing any more after %s, and is suspected: %s', (code, suspected) => {
    const core = newCore(tempPath(), 'e');
    const broken = () => {
      throw fault(code);
    };
    expect(() => write(core, broken)).toThrow(expect.objectContaining({ code }));
    expect(existsSync(`${core.path}.suspect`)).toBe(suspected);
    const refused = expect.objectContaining({
      code: 'LOG_FAILED',
      message: expect.stringMatching(/takes no more events: .*it broke/),
    });
    expect(() => write(core, () => appendRows(core, levels(1)))).toThrow(refused);
    core.db.close();
  });

  it('tells its witness of what is durable, and of nothing else', () => {
    const core = newCore(tempPath(), 'e');
    const heads: unknown[] = [];
    core.witness = { note: ({ epoch, previous, lastSeq }) => heads.push([epoch, previous, lastSeq]) };
    write(core, () => {
      appendRows(core, levels(2));
      expect(heads).toEqual([]);
    });
    expect(() =>
      write(core, () => {
        appendRows(core, levels(2));
        throw fault('SQLITE_FULL');
      }),
    ).toThrow('it broke');
    write(core, () => addEpoch(core, 'f', 0, 'test'));
    expect(heads).toEqual([
      ['e', '', 2],
      ['f', 'e', 0],
    ]);
    core.db.close();
  });
});

describe('reading', () => {
  it('notes damage, so that the next start looks for it, and nothing else', () => {
    const path = tempPath();
    const failing = (code: string) => () =>
      reading(path, () => {
        throw fault(code);
      });
    expect(reading(path, () => 7)).toBe(7);
    expect(failing('SQLITE_IOERR_READ')).toThrow('it broke');
    expect(existsSync(`${path}.suspect`)).toBe(false);
    expect(failing('SQLITE_CORRUPT')).toThrow(`log ${path}: it broke: start again: the damaged file is moved aside`);
    expect(existsSync(`${path}.suspect`)).toBe(true);
  });

  it('gives nothing where nothing was asked for', async () => {
    const log = await openLog(tempPath());
    await log.append(levels(3));
    const epoch = log.epochs()[0]?.epoch ?? '';
    for (const [from, to, limit] of [
      [1, 3, 0],
      [1, 3, -1],
      [3, 2, 5],
      [4, 9, 5],
    ] as const)
      expect(await log.read(epoch, from, to, limit, 1e9)).toEqual([]);
    expect((await log.read(epoch, -5, 1, 5, 1e9)).map(({ seq }) => seq)).toEqual([1]);
    await log.close();
  });
});
