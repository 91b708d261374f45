import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { askTimedatectl, bootIdOf, eventTime, isoTime, openClock } from '../../src/agent/clock.ts';

it('the clock is synced once timesyncd says so, and by a plausible year where timesyncd does not run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-clock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const timesync = join(folder, 'timesync');
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const clock = openClock(timesync, async () => null);
  expect(clock.quality()).toBe('synced');
  mkdirSync(timesync);
  // A second later: not each of thousands of events asks the file system.
  vi.advanceTimersByTime(999);
  expect(clock.quality()).toBe('synced');
  vi.advanceTimersByTime(1);
  expect(clock.quality()).toBe('unsynced');
  writeFileSync(join(timesync, 'synchronized'), '');
  vi.advanceTimersByTime(1_000);
  expect(clock.quality()).toBe('synced');
  expect(clock.boot).not.toBe('');
});

it('a timesyncd that starts anew before it has set the clock has not set it', () => {
  const timesync = mkdtempSync(join(tmpdir(), 'collard-clock-'));
  onTestFinished(() => rmSync(timesync, { recursive: true, force: true }));
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const clock = openClock(timesync, async () => null);
  expect(clock.quality()).toBe('unsynced');
  rmSync(timesync, { recursive: true });
  vi.advanceTimersByTime(1_000);
  expect(clock.quality()).toBe('unsynced');
  mkdirSync(timesync);
  writeFileSync(join(timesync, 'synchronized'), '');
  vi.advanceTimersByTime(1_000);
  expect(clock.quality()).toBe('synced');
});

it('where timesyncd does not run, whoever keeps the time is asked until the clock is set', async () => {
  const none = join(tmpdir(), 'collard-no-timesync');
  const said = [false, false, true].values();
  let asked = 0;
  const clock = openClock(none, async () => {
    asked += 1;
    return said.next().value ?? null;
  });
  const stop = new AbortController();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  await clock.look(stop.signal);
  expect(clock.quality()).toBe('unsynced');
  const watching = clock.watch(stop.signal);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(clock.quality()).toBe('unsynced');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(clock.quality()).toBe('synced');
  // It is set: nobody is asked any more.
  await watching;
  expect(asked).toBe(3);
});

it('where nobody can tell whether the clock is set, it is not asked again', async () => {
  const clock = openClock(join(tmpdir(), 'collard-no-timesync'), async () => null);
  await clock.look(new AbortController().signal);
  await clock.watch(new AbortController().signal);
  expect(clock.quality()).toBe('synced');
});

it.each([
  ['yes', true],
  ['no', false],
  ['n/a', null],
])('timedatectl that says %s is understood', async (said, synchronised) => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-timedatectl-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'timedatectl');
  writeFileSync(program, `#!/bin/sh\n[ "$*$NOTIFY_SOCKET" = 'show -p NTPSynchronized --value' ] && echo ${said}\n`, {
    mode: 0o755,
  });
  vi.stubEnv('PATH', folder);
  vi.stubEnv('NOTIFY_SOCKET', '/run/systemd/notify');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await askTimedatectl(new AbortController().signal)).toBe(synchronised);
  rmSync(program);
  expect(await askTimedatectl(new AbortController().signal)).toBeNull();
});

it.each([
  ['2025-12-31T23:59:59Z', 'unsynced'],
  ['2026-01-01T00:00:00Z', 'synced'],
  ['2046-12-31T00:00:00Z', 'synced'],
  ['2047-01-01T00:00:00Z', 'unsynced'],
])('a clock that says %s is %s, whatever timesyncd says', (now, quality) => {
  vi.useFakeTimers({ now: Date.parse(now), toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const timesync = mkdtempSync(join(tmpdir(), 'collard-clock-'));
  onTestFinished(() => rmSync(timesync, { recursive: true, force: true }));
  writeFileSync(join(timesync, 'synchronized'), '');
  expect(openClock(timesync).quality()).toBe(quality);
});

it('an unsynced event says boot and milliseconds since boot, a synced one neither', () => {
  const base = { wallNow: () => 2_000_000, monoNow: () => 1_000, boot: 'b' };
  const time = '1970-01-01T00:33:19.400Z';
  expect(eventTime({ ...base, quality: () => 'synced' }, 400)).toEqual({
    time,
    clock: 'synced',
    boot: null,
    monoMs: null,
  });
  expect(eventTime({ ...base, quality: () => 'unsynced' }, 400.4)).toMatchObject({
    clock: 'unsynced',
    boot: 'b',
    monoMs: 400,
  });
});

it('a wall time beyond what the wire can say is brought back to its edge', () => {
  expect(isoTime(-5)).toBe('1970-01-01T00:00:00.000Z');
  expect(isoTime(1e16)).toBe('9999-12-31T00:00:00.000Z');
});

it.each([
  ['0f3c2a9be7d14c55a0b1c2d3e4f50617', '0f3c2a9b-e7d1-4c55-a0b1-c2d3e4f50617'],
  ['0f3c2a9b-e7d1-4c55-a0b1-c2d3e4f50617', '0f3c2a9b-e7d1-4c55-a0b1-c2d3e4f50617'],
  ['%b', null],
  ['', null],
  [undefined, null],
])('the boot id of a unit, %s, is %s', (text, id) => {
  expect(bootIdOf(text)).toBe(id);
});
