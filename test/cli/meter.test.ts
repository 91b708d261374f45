import { expect, test } from 'vitest';
import { createMeter } from '../../src/cli/meter.ts';

function bench(isTTY = true, columns = 80, quietMs?: number) {
  const time = { now: 5_000 };
  let shown = '';
  const stream = {
    isTTY,
    columns,
    write(text: string) {
      shown += text;
      return true;
    },
  };
  return { time, meter: createMeter(stream as never, () => time.now, quietMs), shown: () => shown };
}

test('work that is done within a second shows nothing, longer work how far it is and what is left', () => {
  const { time, meter, shown } = bench();
  meter.at(10, 100, 'a.csv');
  time.now += 999;
  meter.at(20, 100, 'a.csv');
  expect(shown()).toBe('');
  time.now += 1;
  meter.at(25, 100, 'a.csv');
  expect(shown()).toBe('\r\u001b[Ka.csv: 25 %, 3 s left');
  // Not for each step.
  meter.at(26, 100, 'a.csv');
  time.now += 100;
  meter.at(50, 100, 'a.csv');
  expect(shown()).toBe('\r\u001b[Ka.csv: 25 %, 3 s left\r\u001b[Ka.csv: 50 %, 2 s left');
  meter.clear();
  meter.clear();
  expect(shown().endsWith('2 s left\r\u001b[K')).toBe(true);
});

test('it says minutes where it takes long, stays in its line, and shows no escape of a file name', () => {
  const { time, meter, shown } = bench(true, 24);
  time.now += 60_000;
  meter.at(1, 100, 'a\u001b[31m.csv');
  expect(shown()).toBe('\r\u001b[Ka\\u001b[31m.csv: 1 %, 9');
  const long = bench();
  long.time.now += 60_000;
  long.meter.at(1, 100, 'a');
  expect(long.shown()).toContain('1 %, 99 min left');
});

test('where it is so wanted it is shown at once, and without a guess before anything is done', () => {
  const { meter, shown } = bench(true, 80, 0);
  meter.at(0, 3, '0001_events');
  expect(shown()).toBe('\r\u001b[K0001_events: 0 %');
});

test('off a terminal it says nothing', () => {
  const { time, meter, shown } = bench(false);
  time.now += 60_000;
  meter.at(1, 100, 'a');
  meter.clear();
  expect(shown()).toBe('');
});
