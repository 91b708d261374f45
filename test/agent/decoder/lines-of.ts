/** What every format of lines promises, wherever its bytes are cut. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Decoder } from '../../../src/agent/decoder/reading.ts';
import { decodeAll, expectEachLineTold, text } from './cuts.ts';

/** A real debug port among readings, as far as a public test may show it: restarts, debug text, and lines that lost their first letters. */
const DIRT = [
  '<info> app_timer: RTC: initialized.',
  '^01/01/2000,00:00:18.33',
  '8/06/2024 15:55:08 - Lon:31.1, Lat:-25.5',
  '\u0000\ufffd\u001b[2J',
  '#',
  '{"collar":',
];

export function describeLines(create: () => Decoder, lines: readonly string[]): void {
  it('gives the same wherever the bytes are cut', () => {
    const line = fc.oneof(
      fc.constantFrom(...lines, ...DIRT),
      fc.string({ maxLength: 60 }).map((s) => s.replaceAll('\n', '')),
    );
    const ends = fc.constantFrom('\n', '\r\n');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, ends), { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (parts, cuts) => {
          const bytes = text(parts.flat().join(''));
          expect(decodeAll(create(), bytes, cuts, 7)).toEqual(decodeAll(create(), bytes, [], 7));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('reads or counts each line, and reads on after dirt', () => {
    const dirty = lines.flatMap((line) => [...DIRT, line, line.slice(1), line.slice(0, -1)]);
    expectEachLineTold(create(), dirty);
    const { readings } = decodeAll(create(), text(dirty.map((line) => `${line}\n`).join('')), [], 7);
    expect(readings.length).toBeGreaterThan(0);
  });
}
