import { describe, expect, it } from 'vitest';
import {
  codeOf,
  explainDisk,
  isDamage,
  isPassing,
  logError,
  messageOf,
  tryDisk,
} from '../../../src/agent/log/log-error.ts';

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
    ['EROFS', folder],
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
