import { describe, expect, it } from 'vitest';
import { isOfOne, isRefused } from '../../../src/central/store/of-one.ts';

const coded = (code: unknown, more: object = {}) => Object.assign(new Error('x'), { code, ...more });

describe('an error of one piece of work', () => {
  it.each([
    ['a refusal', coded('REFUSED')],
    ['a shard that is another one’s', coded('FENCED')],
    ['a rule of SQLite', coded('SQLITE_CONSTRAINT')],
    ['a key of SQLite', coded('SQLITE_CONSTRAINT_PRIMARYKEY')],
    ['a value that SQLite cannot bind', coded('SQLITE_MISMATCH')],
    ['a value too long for SQLite', coded('SQLITE_TOOBIG')],
    ['a parameter too many for SQLite', coded('SQLITE_RANGE')],
    ['data, by PostgreSQL', coded('22001')],
    ['a constraint, by PostgreSQL', coded('23505')],
    ['data, by MariaDB', coded('ER_DATA_TOO_LONG', { sqlState: '22001' })],
    ['a constraint, by MariaDB', coded('ER_BAD_NULL_ERROR', { sqlState: '23000' })],
    ['a fault of ours', new TypeError('undefined is no function')],
    ['a fault of ours with a code that says nothing', coded(undefined)],
  ])('is %s', (_name, error) => {
    expect(isOfOne(error)).toBe(true);
  });

  it.each([
    ['a card that fails', coded('SQLITE_IOERR_FSYNC')],
    ['a full card', coded('SQLITE_FULL')],
    ['a server that is gone', coded('ECONNREFUSED')],
    ['a server that shuts down', coded('57P01')],
    ['a transaction that was undone', coded('40001')],
    ['one of MariaDB', coded('ER_LOCK_DEADLOCK', { sqlState: '40001' })],
    ['a code that only holds such a one', coded('NOT_REFUSED')],
    ['a code that only begins like one', coded('REFUSED_LATER')],
    ['a state that only holds such a one', coded('X', { sqlState: 'HY22001' })],
    ['a state that only begins like one', coded('X', { sqlState: '220011' })],
    ['no number of a state', coded('X', { sqlState: '22' })],
    ['no error', { code: 'REFUSED' }],
    ['nothing', undefined],
  ])('is not %s', (_name, error) => {
    expect(isOfOne(error)).toBe(false);
  });
});

describe('a refusal', () => {
  it('is told by its code', () => {
    expect(isRefused(coded('REFUSED'))).toBe(true);
    expect([coded('FENCED'), new Error('REFUSED'), { code: 'REFUSED' }, null].map(isRefused)).toEqual(
      Array.from({ length: 4 }, () => false),
    );
  });
});
