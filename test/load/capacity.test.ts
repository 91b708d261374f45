import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { capacityOf, capacityTable, type MeasuredLoad } from './capacity.ts';

/** 600 agents at an event a minute: 10 events and 10 words on health a second. */
const measured: MeasuredLoad = {
  agents: 600,
  rate: 1,
  database: 'sqlite',
  eventsPerSecond: 10,
  machine: { flushesPerSecond: 1_000, load: 0.5 },
  uses: {
    central: { cpuPercent: 10, rssMb: 150 },
    broker: { cpuPercent: 1, rssMb: 20 },
    database: { cpuPercent: 0, rssMb: 0 },
  },
  perEvent: { received: 3, sent: 4, bytes: 2_000, healths: 1 },
  storedBytesPerEvent: 400,
};
const question = {
  ...{ agents: 600, perMinute: 1, agentsPerStore: 4_096, headroom: 1, coreFactor: 1, flushesPerSecond: 1_000 },
};

describe('capacity', () => {
  test('of what was measured is what was measured', () => {
    const same = capacityOf(measured, question);
    expect(same).toMatchObject({ eventsPerSecond: 10, stores: 1, sessions: 600, brokerInPerSecond: 30 });
    expect(same.brokerOutPerSecond).toBe(40);
    expect(same.brokerBytesPerSecond).toBeCloseTo(20_000);
    expect(same.brokerCores).toBeCloseTo(0.01);
    expect(same.coresPerStore).toBeCloseTo(0.1);
    expect(same.commitsPerSecondPerStore).toBe(20);
    expect(same.diskShare).toBeCloseTo(0.02);
    expect(same.bytesPerYear).toBeCloseTo(10 * 365.25 * 86_400 * 400);
  });

  test('health does not grow with events: of ten times as many, messages and work are less than ten times', () => {
    const more = capacityOf(measured, { ...question, perMinute: 10 });
    expect(more.eventsPerSecond).toBe(100);
    // Two of each event, and the health as before.
    expect(more.brokerInPerSecond).toBe(100 * 2 + 10);
    expect(more.commitsPerSecondPerStore).toBe(110);
    expect(more.coresPerStore).toBeCloseTo(0.1 * (110 / 20));
  });

  test('a store is full before a million agents are in it, and headroom is planned for', () => {
    const million = capacityOf(measured, { ...question, agents: 1_000_000, headroom: 0.5 });
    expect(million).toMatchObject({ stores: 245, agentsPerStore: 4_082 });
    expect(million.rowsPerSecondPerStore).toBeCloseTo(1_000_000 / 60 / 245);
    expect(million.coresPerStore).toBeCloseTo((0.1 / 600) * (1_000_000 / 245) * 2);
    expect(million.bytesPerYearPerStore * 245).toBeCloseTo(million.bytesPerYear);
  });

  test('one box is limited by what ends first', () => {
    expect(capacityOf(measured, { ...question, flushesPerSecond: 50 }).oneBox).toEqual({ agents: 1_500, by: 'disk' });
    expect(capacityOf(measured, { ...question, coreFactor: 0.25 }).oneBox).toEqual({ agents: 1_363, by: 'core' });
    expect(capacityOf(measured, question).oneBox).toEqual({ agents: 4_096, by: 'store' });
  });

  test('the table tells what it rests on', () => {
    const lines = capacityTable(measured, { ...question, agents: 1_000_000 }).split('\n');
    expect(lines).toContain('events          16 667 a second, as many rows');
    expect(lines.find((line) => line.startsWith('growth'))).toBe(
      'growth a year   210 TB, 0.86 TB a store'.replace('0.86 TB', '860 GB'),
    );
    expect(lines.find((line) => line.startsWith('rests on'))).toContain('600 agents at 1 events a minute on sqlite');
  });

  test('what is kept here can be computed with', () => {
    const kept = JSON.parse(readFileSync(new URL('./measured.json', import.meta.url), 'utf8')) as MeasuredLoad;
    const million = capacityOf(kept, { ...question, agents: 1_000_000 });
    for (const value of Object.values(million)) expect(typeof value === 'number' ? value : 1).toBeGreaterThan(0);
  });
});
