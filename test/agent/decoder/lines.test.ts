import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLines, MAX_LINE_BYTES, MAX_RUN_BYTES } from '../../../src/agent/decoder/lines.ts';

function collect() {
  const lines: string[] = [];
  const tooLong: { bytes: number; sample: string }[] = [];
  let bytes = 0;
  const splitter = createLines({
    line(text, count) {
      lines.push(text);
      bytes += count;
    },
    tooLong(count, sample) {
      tooLong.push({ bytes: count, sample });
      bytes += count;
    },
  });
  return { splitter, lines, tooLong, bytes: () => bytes };
}

describe('lines', () => {
  it('splits at LF and leaves a CR to the reader', () => {
    const { splitter, lines } = collect();
    splitter.push(Buffer.from('one\r\ntwo\n\nlast'));
    splitter.end();
    expect(lines).toEqual(['one\r', 'two', '', 'last']);
  });

  it('takes a line of exactly the limit, and discards one byte more once, with all its bytes', () => {
    const { splitter, lines, tooLong } = collect();
    splitter.push(Buffer.from(`${'a'.repeat(MAX_LINE_BYTES)}\n${'b'.repeat(MAX_LINE_BYTES + 1)}\nnext\n`));
    expect(lines).toEqual(['a'.repeat(MAX_LINE_BYTES), 'next']);
    expect(tooLong).toEqual([{ bytes: MAX_LINE_BYTES + 2, sample: 'b'.repeat(40) }]);
  });

  it('never holds more than the limit, and tells of a line without end while it grows', () => {
    const { splitter, tooLong } = collect();
    for (let sent = 0; sent < 2 * MAX_RUN_BYTES; sent += 1024) {
      splitter.push(Buffer.alloc(1024, 'x'));
      expect(splitter.heldBytes).toBeLessThanOrEqual(MAX_LINE_BYTES);
    }
    expect(tooLong.map((run) => run.bytes)).toEqual([MAX_RUN_BYTES, MAX_RUN_BYTES]);
  });

  it('does not throw at invalid UTF-8', () => {
    const { splitter, lines } = collect();
    splitter.push(Uint8Array.of(0xff, 0xc3, 0x0a, 0x41, 0x0a));
    expect(lines).toEqual(['\ufffd\ufffd', 'A']);
  });

  it('accounts for every byte, and splits the same wherever the bytes are cut', () => {
    const piece = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('\n', '\r\n', 'y'.repeat(MAX_LINE_BYTES)));
    fc.assert(
      fc.property(fc.array(piece), fc.array(fc.nat()), (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(''));
        const whole = collect();
        whole.splitter.push(bytes);
        whole.splitter.end();
        const cut = collect();
        const at = cuts.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b);
        for (const [i, to] of [...at, bytes.length].entries()) cut.splitter.push(bytes.subarray(at[i - 1] ?? 0, to));
        cut.splitter.end();
        expect(cut.lines).toEqual(whole.lines);
        expect(cut.tooLong).toEqual(whole.tooLong);
        expect(whole.bytes()).toBe(bytes.length);
      }),
    );
  });
});
