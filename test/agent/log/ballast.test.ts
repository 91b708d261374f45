import { existsSync, lstatSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  assertRoomToStart,
  ballastPath,
  MIN_START_BYTES,
  makeBallast,
  releaseBallast,
} from '../../../src/agent/log/ballast.ts';
import { openFiles, tempPath } from './log-fixture.ts';

const KIB = 1024;

describe('the ballast', () => {
  it.each([
    [0, null],
    [16 * 64 * KIB - 1, null],
    [16 * 64 * KIB, 64 * KIB],
    [16 * 100_000, 100_000],
    [16 * 1024 * KIB, 1024 * KIB],
    [1e12, 1024 * KIB],
  ])('with %d bytes free takes %j of them', (free, bytes) => {
    const path = tempPath();
    const before = openFiles();
    makeBallast(path, free);
    expect(openFiles()).toBe(before);
    expect(existsSync(ballastPath(path)) ? statSync(ballastPath(path)).size : null).toBe(bytes);
  });

  it('that is there stays as it is, and one that a power cut has left without room is made anew', () => {
    const path = tempPath();
    writeFileSync(ballastPath(path), Buffer.alloc(64 * KIB));
    makeBallast(path, 1e9);
    expect(statSync(ballastPath(path)).size).toBe(64 * KIB);
    for (const short of [Buffer.alloc(0), Buffer.alloc(64 * KIB - 1)]) {
      writeFileSync(ballastPath(path), short);
      makeBallast(path, 1e9);
      expect(statSync(ballastPath(path)).size).toBe(1024 * KIB);
    }
  });

  it('is made where nothing else leads, and that cannot be made leaves nothing behind', () => {
    const path = tempPath();
    symlinkSync(`${path}.nowhere`, ballastPath(path));
    makeBallast(path, 1e9);
    expect(lstatSync(ballastPath(path)).isFile()).toBe(true);
    expect(existsSync(`${path}.nowhere`)).toBe(false);
    const nowhere = `${path}.no/events.db`;
    makeBallast(nowhere, 1e9);
    expect(existsSync(ballastPath(nowhere))).toBe(false);
  });

  it('is given up once', () => {
    const path = tempPath();
    makeBallast(path, 1e9);
    expect([releaseBallast(path), releaseBallast(path)]).toEqual([true, false]);
    expect(existsSync(ballastPath(path))).toBe(false);
  });
});

describe('the room for a start', () => {
  it('is left as it is where there is enough', () => {
    const path = tempPath();
    makeBallast(path, 1e9);
    assertRoomToStart(path, () => MIN_START_BYTES);
    expect(existsSync(ballastPath(path))).toBe(true);
  });

  it('is asked of the folder of the log, and again without the ballast', () => {
    const path = tempPath();
    makeBallast(path, 1e9);
    const asked: string[] = [];
    const free = (folder: string) => {
      asked.push(folder);
      return existsSync(ballastPath(path)) ? MIN_START_BYTES - 1 : MIN_START_BYTES;
    };
    assertRoomToStart(path, free);
    expect(asked).toEqual([path, path].map((one) => one.slice(0, one.lastIndexOf('/'))));
  });

  it('that is too little is told, with how much it is', () => {
    expect(() => assertRoomToStart('/x/events.db', () => 3 * KIB + 1)).toThrow(
      expect.objectContaining({
        code: 'ENOSPC',
        message:
          'log /x/events.db: only 3 KiB are free on its disk, 256 KiB are needed to open it safely: ' +
          'free space on that disk, or lower log.budgetBytes',
      }),
    );
  });

  it('that nobody can tell is an error of the disk', () => {
    const gone = () => {
      throw Object.assign(new Error('no such folder'), { code: 'ENOENT' });
    };
    expect(() => assertRoomToStart('/x/events.db', gone)).toThrow(
      expect.objectContaining({ code: 'ENOENT', message: expect.stringContaining('log /x/events.db: no such folder') }),
    );
  });
});
