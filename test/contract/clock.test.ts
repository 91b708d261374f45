import { describe, expect, it } from 'vitest';
import { alsoCorrected, syncOf, timeAt, unsetOf } from '../../src/contract/clock.ts';

const sync = (data: unknown, more: object = {}) =>
  syncOf({ type: 'collard.clock.synced', version: 1, data: JSON.stringify(data), ...more });

describe('what a clock.synced says', () => {
  it('is a boot and what is to be added to its milliseconds', () => {
    expect(sync({ boot: 'b7', offsetMs: 12.5 })).toEqual({ boot: 'b7', offsetMs: 12.5 });
    expect(timeAt(Date.UTC(2026, 10, 23, 12), 61_000.4)).toBe('2026-11-23T12:01:01.000Z');
  });

  it.each([
    ['another type', { boot: 'b', offsetMs: 1 }, { type: 'collard.meow.started' }],
    ['a version that nobody knows', { boot: 'b', offsetMs: 1 }, { version: 2 }],
    ['no offset', { boot: 'b' }, {}],
    ['a boot of a length that no event has', { boot: 'b'.repeat(65), offsetMs: 1 }, {}],
    ['half a character', { boot: '\ud800', offsetMs: 1 }, {}],
    ['what a database cannot hold', { boot: 'b\0', offsetMs: 1 }, {}],
  ])('is nothing: %s', (_name, data, more) => {
    expect(sync(data, more)).toBe(null);
  });

  it('stays within four digits of a year, whatever the offset', () => {
    expect(timeAt(-1e300, 5)).toBe('1970-01-01T00:00:00.000Z');
    expect(timeAt(1e308, 1e308)).toBe('9999-12-31T00:00:00.000Z');
  });
});

describe('an event by a clock that was not set', () => {
  it('has a boot and a time since then', () => {
    expect(unsetOf({ clock: 'unsynced', boot: 'b', monoMs: 0 })).toEqual({ boot: 'b', monoMs: 0 });
    expect(unsetOf({ clock: 'synced', boot: 'b', monoMs: 0 })).toBe(null);
    expect(unsetOf({ clock: 'unsynced', boot: null, monoMs: 0 })).toBe(null);
    expect(unsetOf({ clock: 'unsynced', boot: 'b', monoMs: null })).toBe(null);
  });

  it('has times in its data that are corrected with it', () => {
    const event = { time: '2026-11-23T12:00:10.000Z', originalTime: '1970-01-01T00:01:00.000Z' };
    expect(alsoCorrected('1970-01-01T00:00:55.000Z', event)).toBe('2026-11-23T12:00:05.000Z');
    expect(alsoCorrected('long ago', event)).toBe('long ago');
    expect(alsoCorrected('1970-01-01T00:00:55.000Z', { time: event.time })).toBe('1970-01-01T00:00:55.000Z');
  });
});
