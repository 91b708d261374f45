import { beforeEach, describe, expect, test } from 'vitest';
import {
  createLoginLimit,
  type LoginLimit,
  MAX_ADDRESSES,
  MAX_TRIES,
  MAX_TRIES_OF_ALL,
  WINDOW_MS,
} from '../../../src/central/api/login-limit.ts';

let nowMs = 0;
let limit: LoginLimit;
beforeEach(() => {
  nowMs = 1_000_000;
  limit = createLoginLimit(() => nowMs);
});
const tryOften = (address: string, times: number) => Array.from({ length: times }, () => limit.take(address));

describe('tries of a password', () => {
  test('are so many for one address, and again once the window is over', () => {
    expect(tryOften('192.0.2.1', MAX_TRIES)).toEqual(Array.from({ length: MAX_TRIES }, () => null));
    nowMs += 60_000;
    expect(limit.take('192.0.2.1')).toBe((WINDOW_MS - 60_000) / 1_000);
    expect(limit.take('192.0.2.2')).toBeNull();
    nowMs += WINDOW_MS - 60_000;
    expect(limit.take('192.0.2.1')).toBeNull();
  });

  test('are so many for all addresses together', () => {
    const given = Array.from({ length: MAX_TRIES_OF_ALL + 1 }, (_, i) => limit.take(`192.0.2.${i}`));
    expect(given.filter((wait) => wait === null)).toHaveLength(MAX_TRIES_OF_ALL);
    expect(given.at(-1)).toBe(WINDOW_MS / 1_000);
  });

  test('of an address count no more once it had the right one', () => {
    tryOften('192.0.2.1', MAX_TRIES);
    limit.forget('192.0.2.1');
    expect(limit.take('192.0.2.1')).toBeNull();
  });

  test.each([
    ['2001:db8:1:2::1', '2001:DB8:1:2:ffff::9'],
    ['2001:db8::1', '2001:db8:0:0:1:2:3:4'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['fe80::1%eth0', 'fe80::2%eth1'],
  ])('of %s and %s are those of one household', (one, other) => {
    tryOften(one, MAX_TRIES);
    expect(limit.take(other)).not.toBeNull();
  });

  test('of 2001:db8:1:2::1 and 2001:db8:1:3::1 are those of two', () => {
    tryOften('2001:db8:1:2::1', MAX_TRIES);
    expect(limit.take('2001:db8:1:3::1')).toBeNull();
  });

  test(`are remembered of ${MAX_ADDRESSES} addresses, and the limit for all holds beyond them`, () => {
    tryOften('192.0.2.1', MAX_TRIES);
    for (let n = 0; n < MAX_ADDRESSES; n += 1) limit.take(`10.0.${n >> 8}.${n & 255}`);
    expect(limit.take('192.0.2.1')).not.toBeNull();
  });

  test('end with their window when the clock is set back', () => {
    tryOften('192.0.2.1', MAX_TRIES);
    nowMs -= 10 * WINDOW_MS;
    expect(limit.take('192.0.2.1')).toBeNull();
  });
});
