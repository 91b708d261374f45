import { mkdirSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openLogFile, prepareFile } from '../../../src/agent/log/log-file.ts';
import { openLogReader } from '../../../src/agent/log/open-log-reader.ts';
import { chainHex, chainStart } from '../../../src/contract/chain.ts';
import { levels, openFiles, openLog, tempPath } from './log-fixture.ts';

async function closedLog(): Promise<string> {
  const path = tempPath();
  const log = await openLog(path);
  await log.append(levels(5));
  log.saveMark(log.epochs()[0]?.epoch ?? '', 3, 'i');
  await log.close();
  return path;
}

describe('a reader of a log', () => {
  it('tells its agent, epochs, events and chain', async () => {
    const reader = openLogReader(await closedLog());
    const [head] = reader.epochs();
    const epoch = head?.epoch ?? '';
    expect([reader.agent, reader.epochs()]).toEqual(['porch', [{ epoch, firstSeq: 1, lastSeq: 5, storedSeq: 3 }]]);
    expect((await reader.read(epoch, 2, 9, 3, 1e9)).map(({ seq }) => seq)).toEqual([2, 3, 4]);
    const start = await reader.chainAt(epoch, 0);
    expect(start && chainHex(start)).toBe(chainHex(chainStart('porch', epoch)));
    for (const seq of [-1, 6]) expect(await reader.chainAt(epoch, seq)).toBeNull();
    const open = openFiles();
    reader.close();
    expect(openFiles()).toBeLessThan(open);
  });

  it('knows nothing of an epoch that is not there', async () => {
    const reader = openLogReader(await closedLog());
    expect(await reader.read('no such epoch', 1, 9, 9, 1e9)).toEqual([]);
    expect(await reader.chainAt('no such epoch', 0)).toBeNull();
    reader.close();
  });

  it('finds nothing in a file that no agent has begun', () => {
    const path = tempPath();
    prepareFile(path);
    openLogFile(path).close();
    const before = openFiles();
    expect(() => openLogReader(path)).toThrow(
      expect.objectContaining({ code: 'LOG_MISSING', message: expect.stringContaining(`log ${path} is empty`) }),
    );
    expect(openFiles()).toBe(before);
  });

  it('says what is wrong with a file that it cannot read', async () => {
    const scribble = tempPath();
    writeFileSync(scribble, 'not a database at all '.repeat(100));
    const folder = tempPath();
    mkdirSync(folder);
    const newer = await closedLog();
    const db = new Database(newer);
    db.pragma('user_version = 2');
    db.close();
    for (const [path, code, what] of [
      [scribble, 'SQLITE_NOTADB', 'start again: the damaged file is moved aside'],
      [folder, expect.stringMatching(/^SQLITE_(CANTOPEN|IOERR)/), ''],
      [newer, 'LOG_NEWER', 'was written by a newer collard'],
    ] as const)
      expect(() => openLogReader(path)).toThrow(
        expect.objectContaining({ code, message: expect.stringMatching(new RegExp(`${path}.*${what}`)) }),
      );
  });
});
