/** Lines against Node's own split: what comes out, cut anywhere, and what is held meanwhile. The first byte is how to cut. */
import { createLines, MAX_LINE_BYTES } from '../../../src/agent/decoder/lines.ts';
import { bytes, type FuzzTarget, hold } from '../target.ts';

export function open(): FuzzTarget {
  return {
    seeds: [
      ...['\u0003one\ntwo\r\n\n\r\nlast', '\u0000\u00e4\u20ac\ud83d\udc08\n'].map(bytes),
      Buffer.concat([Uint8Array.of(200), Buffer.alloc(MAX_LINE_BYTES, 'x'), bytes('\nshort\n')]),
      Buffer.concat([Uint8Array.of(255), Buffer.alloc(MAX_LINE_BYTES + 1, 'x'), bytes('\nshort')]),
    ],
    words: ['\n', '\r\n', '\u20ac'],
    maxBytes: 2 * MAX_LINE_BYTES + 100,
    usualBytes: 120,
    run(input) {
      const wire = input.subarray(1);
      const expected = reference(wire);
      const got = split(wire, (input[0] ?? 0) * 5 || wire.length);
      hold(got.length === expected.length, () => `${got.length} lines, not ${expected.length}`);
      for (const [i, line] of got.entries())
        hold(line === expected[i], () => `line ${i} is ${line}, not ${expected[i]}`);
    },
  };
}

function split(wire: Uint8Array, step: number): string[] {
  const told: string[] = [];
  const lines = createLines({
    line: (text, length, raw) => told.push(`${length} ${raw.length} ${text}`),
    tooLong: (length) => told.push(`${length} too long`),
  });
  for (let at = 0; at < wire.length; at += step) {
    lines.push(wire.subarray(at, at + step));
    hold(lines.heldBytes <= MAX_LINE_BYTES, () => `${lines.heldBytes} bytes are held`);
  }
  lines.end();
  return told;
}

function reference(wire: Uint8Array): string[] {
  const told: string[] = [];
  for (let from = 0; from < wire.length; ) {
    const at = wire.indexOf(0x0a, from);
    const to = at < 0 ? wire.length : at;
    const length = to - from + (at < 0 ? 0 : 1);
    const text = Buffer.from(wire.subarray(from, to)).toString('utf8');
    told.push(to - from > MAX_LINE_BYTES ? `${length} too long` : `${length} ${to - from} ${text}`);
    from = to + 1;
  }
  return told;
}
