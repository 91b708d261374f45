import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EventType, fullType, shortType, WRITTEN_VERSIONS } from '../../src/contract/event.ts';
import { type Body, readable, type TypeReader, upcast, upcastBody } from '../../src/contract/upcast.ts';
import { anyEvent, meow } from './arbitrary.ts';
import { readGolden } from './golden.ts';

const golden = readGolden();
const types = Object.keys(WRITTEN_VERSIONS) as EventType[];

describe('golden bodies', () => {
  test.each(golden)('$type version $version is read as ever: $data', ({ type, version, data, read }) => {
    const result = upcast({ ...meow, type, version, data });
    expect(result).toMatchObject({ type: 'known', event: { type: shortType(type) } });
    expect(result.type === 'known' && result.event.data).toEqual(read);
  });

  test('there are some of every version of every type', () => {
    for (const type of types) {
      const kept = new Set(golden.filter((one) => one.type === fullType(type)).map(({ version }) => version));
      const written = Array.from({ length: WRITTEN_VERSIONS[type] }, (_, i) => i + 1);
      expect([type, [...kept].sort((a, b) => a - b)]).toEqual([type, written]);
    }
  });

  test('are text that a store gives back as it was', () => {
    for (const { data } of golden) expect(JSON.stringify(JSON.parse(data))).toBe(data);
  });
});

describe('upcast', () => {
  test.each(types)('does not trust %s with an empty body', (type) => {
    const result = upcast({ ...meow, type: fullType(type), data: '{}' });
    expect(result).toEqual({ type: 'unknown', reason: expect.stringContaining('another shape') });
  });

  test('knows the version that it writes and no newer one', () => {
    for (const type of types) {
      const version = WRITTEN_VERSIONS[type] + 1;
      expect(upcast({ ...meow, type: fullType(type), version })).toEqual({
        type: 'unknown',
        reason: `version ${version} of ${fullType(type)} is newer`,
      });
      expect([readable(fullType(type), version), readable(fullType(type), version - 1)]).toEqual(['newer', 'current']);
    }
  });

  test('lets further keys pass', () => {
    expect(upcast({ ...meow, type: 'collard.battery.low', data: '{"percent":3,"volts":2.1}' }).type).toBe('known');
  });

  test.each([
    'org.example.purr',
    'collard.cat.purred',
    // A stranger's, though it has the short name of one of ours.
    'cat.named',
    'constructor',
    'collard.toString',
    '__proto__',
    'collard.hasOwnProperty',
  ])('%s is no type', (type) => {
    expect(upcast({ ...meow, type })).toEqual({ type: 'unknown', reason: `type ${type} is not known` });
    expect(readable(type, 1)).toBe('unknown');
  });

  test('never throws for an event that was accepted', () => {
    fc.assert(fc.property(anyEvent, (event) => upcast(event).type.length > 0));
  });
});

describe('a chain of versions', () => {
  // v1 {ms}, v2 {seconds}, v3 {seconds, place}: as a type will have grown that was changed twice.
  const calls: string[] = [];
  const reader: TypeReader = {
    shape: (body) => typeof body.seconds === 'number' && (body.place === null || typeof body.place === 'string'),
    steps: [
      ({ ms, ...rest }: Body) => {
        calls.push('1→2');
        return { ...rest, seconds: (ms as number) / 1_000 };
      },
      (body: Body) => {
        calls.push('2→3');
        return { ...body, place: null };
      },
    ],
  };

  test.each([
    [1, '{"ms":1500}', { seconds: 1.5, place: null }, ['1→2', '2→3']],
    [2, '{"seconds":1.5}', { seconds: 1.5, place: null }, ['2→3']],
    [3, '{"seconds":1.5,"place":"hall"}', { seconds: 1.5, place: 'hall' }, []],
  ])('version %i is brought up by each step after it', (version, data, read, steps) => {
    calls.length = 0;
    expect(upcastBody(reader, version, data)).toEqual(read);
    expect(calls).toEqual(steps);
  });

  test('ends at the newest that is known, and does not trust what comes out', () => {
    expect(upcastBody(reader, 4, '{"seconds":1,"place":null}')).toBe('newer');
    expect(upcastBody(reader, 1, '{"ms":null,"place":3}')).toEqual({ seconds: 0, place: null });
    expect(upcastBody(reader, 3, '{"seconds":1,"place":3}')).toBe('misshapen');
    expect(upcastBody(reader, 3, '{')).toBe('misshapen');
    expect(upcastBody({ ...reader, steps: [() => null as unknown as Body] }, 1, '{}')).toBe('misshapen');
  });
});
