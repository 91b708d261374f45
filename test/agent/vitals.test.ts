import { expect, it } from 'vitest';
import { createTally } from '../../src/agent/source/tally.ts';
import { createVitals } from '../../src/agent/vitals.ts';

function bench(changes: { readonly stalled?: boolean; readonly forgetful?: string; readonly walHeld?: boolean } = {}) {
  const time = { now: 1_000 };
  const tallies = [createTally('/dev/ttyA'), createTally('/dev/ttyB')];
  const vitals = createVitals({
    monoNow: () => time.now,
    clock: { quality: () => 'unsynced' },
    status: {
      link: 'online',
      protocol: '5',
      queue: 12,
      lastConfirmed: '2026-11-23T06:14:09.842Z',
      conflicting: false,
      stalled: changes.stalled ?? false,
    },
    disk: { state: 'warn', walHeld: changes.walHeld ?? false },
    tallies,
    forgetful: changes.forgetful ?? null,
  });
  return { time, tallies, vitals };
}

it('one line says what matters, what is wrong in capitals', () => {
  const { tallies, vitals } = bench({ stalled: true });
  tallies[0]?.opened();
  tallies[1]?.failed('no such port');
  expect(vitals.status()).toBe(
    'STALLED, online (MQTT 5), 12 events wait, last confirmed 2026-11-23T06:14Z, NOT READ: /dev/ttyB, disk: warn, clock not set',
  );
});

it('a log that would be gone with the power comes first', () => {
  expect(bench({ forgetful: 'overlay' }).vitals.status()).toMatch(
    /^THE LOG IS ON overlay: LOST WITH THE POWER, online/,
  );
});

it('a program that holds the log is told while it does', () => {
  expect(bench({ walHeld: true }).vitals.status()).toContain('disk: warn, ANOTHER PROGRAM HOLDS THE LOG, clock');
});

it('a loop that has not gone round for longer than it may is overdue', () => {
  const { time, vitals } = bench();
  expect(vitals.overdue()).toEqual([]);
  time.now += 61_000;
  vitals.moved('forward');
  expect(vitals.overdue()).toEqual(['ingest for 61 s']);
  vitals.moved('ingest');
  expect(vitals.overdue()).toEqual([]);
  time.now += 240_000;
  vitals.moved('ingest');
  expect(vitals.overdue()).toEqual(['log for 301 s']);
});
