import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventData, EventType } from '../../src/contract/event.ts';
import { upcast } from '../../src/contract/upcast.ts';
import { anyEvent, EPOCH, meow } from './arbitrary.ts';

/** One body of every type and version that was ever written, as it lies in somebody's log. Add to it, never change it. */
const golden: { readonly [T in EventType]: readonly (readonly [version: number, body: string, read: EventData[T]])[] } =
  {
    'cat.named': [[1, '{"catId":1,"oldName":null,"newName":"Mia"}', { catId: 1, oldName: null, newName: 'Mia' }]],
    'collar.assigned': [[1, '{"catId":1,"collar":"C0FFEE01"}', { catId: 1, collar: 'C0FFEE01' }]],
    'cat.moved': [
      [1, '{"from":null,"to":"kitchen"}', { from: null, to: 'kitchen' }],
      [
        1,
        '{"from":"kitchen","to":"garden","confidence":0.9,"catId":2}',
        { from: 'kitchen', to: 'garden', confidence: 0.9, catId: 2 },
      ],
    ],
    'meow.started': [[1, '{"level":0.6}', { level: 0.6 }]],
    'meow.ended': [
      [
        1,
        '{"durationMs":430,"peakG":1.84,"readings":17,"place":"kitchen"}',
        { durationMs: 430, peakG: 1.84, readings: 17, place: 'kitchen' },
      ],
      [
        1,
        '{"durationMs":0,"peakG":1,"readings":1,"place":null}',
        { durationMs: 0, peakG: 1, readings: 1, place: null },
      ],
    ],
    'collar.silent': [[1, '{"lastSeen":"2026-11-23T06:14:09.842Z"}', { lastSeen: '2026-11-23T06:14:09.842Z' }]],
    'collar.heard': [[1, '{"lastSeen":"2026-11-23T06:14:09.842Z"}', { lastSeen: '2026-11-23T06:14:09.842Z' }]],
    'battery.low': [[1, '{"percent":14}', { percent: 14 }]],
    'sensor.failed': [[1, '{"source":"/dev/ttyUSB0","reason":"gone"}', { source: '/dev/ttyUSB0', reason: 'gone' }]],
    'sensor.recovered': [[1, '{"source":"/dev/ttyUSB0","reason":"open"}', { source: '/dev/ttyUSB0', reason: 'open' }]],
    'clock.synced': [[1, '{"boot":"b7c1","offsetMs":-12}', { boot: 'b7c1', offsetMs: -12 }]],
    'history.lost': [
      [
        1,
        `{"epoch":"${EPOCH}","fromSeq":1,"toSeq":9,"count":9,"reason":"budget"}`,
        { epoch: EPOCH, fromSeq: 1, toSeq: 9, count: 9, reason: 'budget' },
      ],
    ],
    'history.conflict': [
      [1, `{"epoch":"${EPOCH}","seq":9,"reason":"a copy"}`, { epoch: EPOCH, seq: 9, reason: 'a copy' }],
    ],
    'event.revoked': [[1, `{"epoch":"${EPOCH}","seq":4,"reason":"a dog"}`, { epoch: EPOCH, seq: 4, reason: 'a dog' }]],
  };

const rows = Object.entries(golden).flatMap(([type, bodies]) =>
  bodies.map(([version, body, read]) => ({ type, version, body, read })),
);

describe('upcast', () => {
  test.each(rows)('reads $type version $version: $body', ({ type, version, body, read }) => {
    const result = upcast({ ...meow, type: `collard.${type}`, version, data: body });
    expect(result).toMatchObject({ type: 'known', event: { type, data: read, seq: 1, epoch: EPOCH } });
  });

  test.each(rows)('does not trust $type with an empty body', ({ type }) => {
    const result = upcast({ ...meow, type: `collard.${type}`, data: '{}' });
    expect(result).toEqual({ type: 'unknown', reason: expect.stringContaining('another shape') });
  });

  test('lets further keys pass', () => {
    expect(upcast({ ...meow, type: 'collard.battery.low', data: '{"percent":3,"volts":2.1}' }).type).toBe('known');
  });

  test('names an unknown type and a newer version', () => {
    expect(upcast({ ...meow, type: 'org.example.purr' })).toEqual({
      type: 'unknown',
      reason: 'type org.example.purr is not known',
    });
    expect(upcast({ ...meow, version: 2 })).toEqual({
      type: 'unknown',
      reason: 'version 2 of collard.meow.ended is newer',
    });
  });

  test.each(['constructor', 'collard.toString', '__proto__', 'collard.hasOwnProperty'])('%s is no type', (type) => {
    expect(upcast({ ...meow, type }).type).toBe('unknown');
  });

  test('never throws for an event that was accepted', () => {
    fc.assert(fc.property(anyEvent, (event) => upcast({ ...event, seq: 1 }).type.length > 0));
  });
});
