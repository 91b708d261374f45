import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  codeOf,
  explainDisk,
  isDamage,
  isPassing,
  logError,
  messageOf,
  tryDisk,
} from '../../../src/agent/log/log-error.ts';
import { READ_ONLY_DISK } from '../../../src/agent/log/mount.ts';

const withCode = (code: unknown) => Object.assign(new Error('it broke'), { code });

describe('the code of an error', () => {
  it.each([
    [withCode('SQLITE_FULL'), 'SQLITE_FULL'],
    [withCode(5), ''],
    [new Error('plain'), ''],
    [{ code: 'EACCES' }, ''],
    [null, ''],
  ])('of %o is %j', (error, code) => expect(codeOf(error)).toBe(code));

  it.each([
    ['SQLITE_CORRUPT', true, false],
    ['SQLITE_CORRUPT_INDEX', true, false],
    ['SQLITE_NOTADB', true, false],
    ['SQLITE_FULL', false, true],
    ['SQLITE_BUSY', false, true],
    ['SQLITE_BUSY_SNAPSHOT', false, true],
    ['SQLITE_IOERR_FSYNC', false, false],
    ['SQLITE_FULLER', false, false],
    ['E_SQLITE_FULL', false, false],
    ['E_SQLITE_CORRUPT', false, false],
  ])('tells of %s: damage %s, passing %s', (code, damage, passing) => {
    expect([isDamage(withCode(code)), isPassing(withCode(code))]).toEqual([damage, passing]);
  });
});

it('what was thrown has a message, error or not', () => {
  expect([messageOf(new Error('it broke')), messageOf('a string'), messageOf(7)]).toEqual([
    'it broke',
    'a string',
    '7',
  ]);
});

describe('what the log can do without', () => {
  it('is tried: what the disk refuses is not told', () => {
    expect(tryDisk(() => undefined)).toBe(true);
    expect(
      tryDisk(() => {
        throw withCode('ENOSPC');
      }),
    ).toBe(false);
  });

  it('does not hide a fault of ours', () => {
    const fault = new TypeError('undefined is no function');
    expect(() =>
      tryDisk(() => {
        throw fault;
      }),
    ).toThrow(fault);
  });
});

describe('an error of the disk', () => {
  const full = 'free space on that disk, or lower log.budgetBytes';
  const folder = 'make its folder writable for the user of this program, or set log.path to one that is';
  it.each([
    ['SQLITE_FULL', full],
    ['ENOSPC', full],
    ['SQLITE_BUSY', 'end the program that holds it, such as a backup or an SQL shell'],
    ['SQLITE_READONLY', folder],
    ['EACCES', folder],
    ['EPERM', folder],
    ['EROFS', `${READ_ONLY_DISK.what}: ${READ_ONLY_DISK.fix}`],
    ['SQLITE_CANTOPEN', folder],
    ['ENOTDIR', folder],
    ['ENOENT', folder],
    ['EEXIST', folder],
    ['SQLITE_CORRUPT', 'start again: the damaged file is moved aside'],
    ['SQLITE_IOERR_FSYNC', 'look at the disk (dmesg), then start again'],
  ])('%s names the file and says what to do, and keeps its code and cause', (code, fix) => {
    const cause = withCode(code);
    const told = explainDisk('/x/events.db', cause);
    expect([told.code, told.message, told.cause]).toEqual([code, `log /x/events.db: it broke: ${fix}`, cause]);
  });

  it.each(['EROFS', 'SQLITE_READONLY', 'SQLITE_CANTOPEN', 'SQLITE_IOERR_WRITE'])(
    '%s on a disk that the kernel has made read-only tells of the disk, not of rights',
    (code) => {
      const mountinfo = join(mkdtempSync(join(tmpdir(), 'collard-mount-')), 'mountinfo');
      onTestFinished(() => rmSync(dirname(mountinfo), { recursive: true }));
      writeFileSync(mountinfo, '41 26 7:0 / / rw,relatime - ext4 /dev/mmcblk0p2 rw,errors=remount-ro,emergency_ro\n');
      expect(explainDisk('/x/events.db', withCode(code), mountinfo).message).toBe(
        `log /x/events.db: it broke: ${READ_ONLY_DISK.what}: ${READ_ONLY_DISK.fix}`,
      );
      expect(explainDisk('/x/events.db', withCode('SQLITE_FULL'), mountinfo).message).toContain(full);
    },
  );

  it('without a code gets ours', () => {
    expect(explainDisk('/x/events.db', 'odd')).toMatchObject({
      code: 'LOG_FAILED',
      message: 'log /x/events.db: odd: look at the disk (dmesg), then start again',
    });
  });

  it('that is one of ours has said all of that already', () => {
    const ours = logError('LOG_UNSAFE', 'log /x/events.db: set it right');
    expect(explainDisk('/y', ours)).toBe(ours);
  });
});
