import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createInflux } from '../../src/cli/influx.ts';
import { collarOf, type StoredEvent } from '../../src/contract/event.ts';
import { anyRun, meow } from '../contract/arbitrary.ts';
import { readGolden } from '../contract/golden.ts';
import { parseLine } from './line-protocol.ts';

const lineOf = (event: StoredEvent) => createInflux().line('porch', event);

describe('a line of InfluxDB', () => {
  test.each(readGolden())('of $type says all of it', ({ type, version, data }) => {
    const { measurement, tags, fields, timeNs } = parseLine(lineOf({ ...meow, type, version, data }));
    expect([measurement, timeNs]).toEqual([type, BigInt(Date.parse(meow.time)) * 1_000_000n]);
    expect(Object.fromEntries(tags)).toEqual({ agent: 'porch', collar: 'C0FFEE01', clock: 'synced' });
    const told = Object.entries(JSON.parse(data) as Record<string, unknown>).filter(([, value]) => value !== null);
    // `epoch` and `seq` of the data stand beside those of the event itself.
    for (const [key, value] of told) {
      const name = ['epoch', 'seq', 'agent', 'collar', 'cat', 'clock', 'version'].includes(key) ? `data_${key}` : key;
      expect(fields.get(name), key).toEqual(Array.isArray(value) ? JSON.stringify(value) : value);
    }
    expect([fields.get('epoch'), fields.get('seq'), fields.get('version')]).toEqual([meow.epoch, 1n, BigInt(version)]);
  });

  test('is one whatever a stranger has written', () => {
    fc.assert(
      fc.property(anyRun, (run) => {
        const influx = createInflux();
        const events = run.sort((a, b) => (a.time < b.time ? -1 : 1));
        const points = events.map((event) => ({ event, point: parseLine(influx.line('porch', event)) }));
        for (const { event, point } of points) {
          const data = Object.entries(JSON.parse(event.data) as Record<string, unknown>);
          const known = data.filter(([key, value]) => key !== '' && value !== null);
          expect(point.fields.size).toBe(known.length + 3);
          expect(point.tags.has('collar')).toBe((collarOf(event) ?? '') !== '');
        }
        const series = points.map(({ point: { measurement, tags, timeNs } }) =>
          JSON.stringify([measurement, [...tags], String(timeNs)]),
        );
        expect(new Set(series).size).toBe(series.length);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['names that become one', '{"time":1,"data_time":2,"a\\n":3,"a_":4}', 4],
    ['names of the protocol itself', '{"_time":1,"_measurement":2,"_field":3}', 3],
    ['texts of many lines', '{"text":"a\\nb\\r\\n\\"c\\\\"}', 1],
  ])('keeps %s apart', (_, data, count) => {
    const { fields } = parseLine(lineOf({ ...meow, data }));
    expect(fields.size).toBe(count + 3);
    expect([...fields.keys()].some((key) => key.startsWith('_'))).toBe(false);
  });

  test('has a time that InfluxDB can hold, whenever an event says that it was', () => {
    const influx = createInflux();
    const times = [1, 2].map((seq) =>
      parseLine(influx.line('porch', { ...meow, seq, time: '9999-12-31T23:59:59.999Z' })),
    );
    expect(times.map(({ timeNs }) => timeNs)).toEqual([9_223_372_036_000_000_000n, 9_223_372_036_000_000_001n]);
  });
});

describe('what the parser would refuse', () => {
  test.each([
    '# comment',
    ' a=1i 1',
    'm a=1',
    'm 1',
    'm a=one 1',
    'm a="text 1',
    'm,t= a=1 1',
    'm,t=1,t=2 a=1 1',
    'm a=1,a=2 1',
    'm,a=1 a=1 1',
    'm,t=x\\ a=1 1',
    'm time=1 1',
    'm a=1 1.5',
    'm a=1 9223372036854775808',
    'm a=1 1 ',
    'm  a=1 1',
  ])('%s', (line) => {
    expect(() => parseLine(line)).toThrow();
  });
});
