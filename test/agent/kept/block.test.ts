import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import type { Detection } from '../../../src/agent/detector/detection.ts';
import type { WatchInput } from '../../../src/agent/detector/watch.ts';
import { type BlockHead, createBlockWriter, readBlock, roundInput } from '../../../src/agent/kept/block.ts';
import { accelerated } from '../detector/motion.ts';

const head: BlockHead = {
  kept: 1,
  run: 'r',
  block: 3,
  offsetMs: 1_700_000_000_000,
  synced: true,
  detectors: { shake: '1/a', place: '1/b', silence: '1/c', battery: '1/d' },
};

function written(entries: readonly { input: WatchInput; detections: readonly Detection[] }[]): string {
  const writer = createBlockWriter(head);
  for (const { input, detections } of entries) writer.add(input, detections);
  return writer.text();
}

const number = (max: number) => fc.double({ min: -max, max, noNaN: true });
const reading: fc.Arbitrary<Reading> = fc.record(
  {
    collar: fc.constantFrom('A', 'B', 'tick', '=', '!', 'ä \n"', ''),
    atMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    counter: fc.nat(70_000),
    shake: number(2),
    edges: fc.nat(40),
    moveCount: fc.nat(255),
    motion: fc.boolean(),
    place: fc.constantFrom('hall', 'attic'),
    sensor: fc.string(),
    rssiDbm: number(120),
    batteryPercent: number(100),
  },
  { requiredKeys: ['collar', 'atMs'] },
);
const moving = fc
  .tuple(reading, number(16), number(16), number(16))
  .map(([one, axG, ayG, azG]) => ({ ...one, axG, ayG, azG }));
const input: fc.Arbitrary<WatchInput> = fc.oneof(
  fc.oneof(reading, moving).map((one): WatchInput => ({ type: 'reading', reading: one })),
  fc.record({
    type: fc.constantFrom('tick' as const, 'end' as const),
    atMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
  }),
);
const detection: fc.Arbitrary<Detection> = fc.record({
  type: fc.constant('battery.low' as const),
  collar: fc.string(),
  atMs: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
  percent: fc.nat(100),
});

test('whatever was given comes back as it was rounded, with what was decided on it', () => {
  const entry = fc.record({ input: input.map(roundInput), detections: fc.array(detection, { maxLength: 2 }) });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 30 }), (entries) => {
      expect(readBlock(written(entries))).toEqual({ head, entries });
    }),
  );
});

test('rounding once is rounding for ever, and changes less than a sensor knows', () => {
  fc.assert(
    fc.property(input, (one) => {
      const once = roundInput(one);
      expect(roundInput(once)).toEqual(once);
      if (one.type !== 'reading' || once.type !== 'reading') return;
      expect(Math.abs(once.reading.atMs - one.reading.atMs)).toBeLessThanOrEqual(0.000_51);
      if (one.reading.axG === undefined) expect(once.reading.axG).toBeUndefined();
      else expect(Math.abs((once.reading.axG ?? 9) - one.reading.axG)).toBeLessThanOrEqual(0.000_51);
    }),
  );
});

test('what a calibration was told is not kept', () => {
  const one = roundInput({ type: 'reading', reading: { collar: 'A', atMs: 1, truth: 'hall' } });
  expect(one).toEqual({ type: 'reading', reading: { collar: 'A', atMs: 1 } });
});

test('a steady collar takes few characters for each reading', () => {
  const readings = accelerated([], 20_000).map((one) => roundInput({ type: 'reading', reading: one }));
  const text = written(readings.map((one) => ({ input: one, detections: [] })));
  expect(text.length / readings.length).toBeLessThan(20);
});

test.each(['', 'x', '{}\n', '{"kept":2}\n', '{"kept":1}', `${JSON.stringify(head)}\n7 1 2\n`])(
  'another text is no block: %j',
  (text) => {
    expect(readBlock(text)).toBeNull();
  },
);
