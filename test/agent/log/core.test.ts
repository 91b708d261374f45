import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { addEpoch, appendRows, type LogCore, loadCore, readFact, write } from '../../../src/agent/log/core.ts';
import { openLogFile, prepareFile, reading } from '../../../src/agent/log/log-file.ts';
import { closingKey, copyKey } from '../../../src/agent/log/rows.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import type { NewEvent } from '../../../src/contract/event.ts';
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

  it('is loaded as it was left', () => {
    const path = tempPath();
    const core = newCore(path, 'e');
    const tell = { ...levels(1)[0], type: 'collard.history.lost', data: '{}' } as NewEvent;
    write(core, () => appendRows(core, [...levels(3), tell]));
    const closed = chainHex(core.lastChain);
    write(core, () => addEpoch(core, 'f', 0, 'test'));
    expect(core.closed).toBe(closed);
    write(core, () => appendRows(core, levels(2)));
    write(core, () => addEpoch(core, 'g', 0, 'test'));
    write(core, () => appendRows(core, [...levels(5), tell]));
    for (const [i, epoch] of core.epochs.entries()) epoch.storedSeq = 2 - i;
    core.incarnation = 'i';
    core.marksDirty = true;
    write(core, () => appendRows(core, levels(1)));
    const shown = ({ epochs, lastPos, lastChain, closed, incarnation, marksDirty, tells, memory }: LogCore) => ({
      ...{ epochs, lastPos, lastChain: chainHex(lastChain), closed, incarnation, marksDirty },
      tells: tells.all,
      memory: memory.all(),
    });
    const before = shown(core);
    expect(before).toMatchObject({
      epochs: [
        { no: 1, base: 0, firstSeq: 1, lastSeq: 4, storedSeq: 2 },
        { no: 2, base: 4, firstSeq: 1, lastSeq: 2, storedSeq: 1 },
        { no: 3, base: 6, firstSeq: 1, lastSeq: 7, storedSeq: 0 },
      ],
      lastPos: 13,
      incarnation: 'i',
      marksDirty: false,
      tells: [4, 12],
    });
    expect([1, 2, 3].map((no) => [readFact(core.db, copyKey(no)), readFact(core.db, closingKey(no))])).toEqual([
      ['{"no":1,"epoch":"e","agent":"porch","base":0}', closed],
      ['{"no":2,"epoch":"f","agent":"porch","base":4}', before.closed],
      ['{"no":3,"epoch":"g","agent":"porch","base":6}', null],
    ]);
    core.db.close();
    const again = loadCore(openLogFile(path), path, 'porch');
    expect(shown(again)).toEqual(before);
    // What has gone from the middle and from the end of an epoch is not held, and its numbers stay given.
    again.rows.remove(1, 4);
    again.rows.remove(5, 5);
    again.chains.remove(1, 3);
    const hash = again.chains.nearest(0, 6)?.hash;
    again.db.close();
    const third = loadCore(openLogFile(path), path, 'porch');
    expect(third.epochs).toMatchObject([
      { firstSeq: 5, lastSeq: 4 },
      { firstSeq: 2, lastSeq: 2 },
      { firstSeq: 1, lastSeq: 7 },
    ]);
    // A hash of what lay before the oldest event is the trace of damage, in any epoch.
    third.rows.remove(6, 6);
    if (hash !== undefined) third.chains.save(5, hash);
    expect(() => loadCore(third.db, path, 'porch')).toThrow(expect.objectContaining({ code: 'SQLITE_CORRUPT' }));
    third.db.close();
  });

  it('is new where nothing was ever in it', () => {
    const path = tempPath();
    prepareFile(path);
    const core = loadCore(openLogFile(path), path, 'porch');
    const { epochs, lastPos, closed, incarnation, marksDirty, failed, witness } = core;
    expect([epochs, lastPos, closed, incarnation, marksDirty, failed, witness]).toEqual([
      [],
      0,
      '',
      null,
      false,
      null,
      null,
    ]);
    write(core, () => addEpoch(core, 'e', 12.6, 'test'));
    const row = core.db.prepare('SELECT * FROM epoch').get();
    expect(row).toEqual({ no: 1, id: 'e', agent: 'porch', base: 0, stored: 0, created: 13, reason: 'test' });
    expect(core.closed).toBe('');
    core.db.close();
  });

  it('is as it was in memory after a write that the disk had no room for', () => {
    const core = newCore(tempPath(), 'e');
    write(core, () => appendRows(core, levels(3)));
    const shown = () => ({
      ...{ ...core, epochs: core.epochs.map((one) => ({ ...one })), tells: core.tells.all },
      mark: core.memory.mark(),
    });
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
    expect(write(core, () => appendRows(core, levels(1)))).toMatchObject({ firstSeq: 4 });
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
