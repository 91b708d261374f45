import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_RUN_BYTES } from '../../../src/agent/decoder/lines.ts';
import { createSlip } from '../../../src/agent/decoder/slip.ts';

const LIMIT = 8;

function decode(...wire: number[]) {
  return decodePieces([Uint8Array.from(wire)]);
}

function decodePieces(pieces: readonly Uint8Array[]) {
  const frames: { payload: number[]; bytes: number }[] = [];
  const discards: { reason: string; bytes: number }[] = [];
  const slip = createSlip(LIMIT, {
    frame: (payload, bytes) => frames.push({ payload: [...payload], bytes }),
    discard: (reason, bytes) => discards.push({ reason, bytes }),
  });
  for (const piece of pieces) slip.push(piece);
  return { slip, frames, discards };
}

describe('slip', () => {
  it('unescapes END and ESC', () => {
    const { frames } = decode(0xc0, 1, 0xdb, 0xdc, 0xdb, 0xdd, 2, 0xc0);
    expect(frames).toEqual([{ payload: [1, 0xc0, 0xdb, 2], bytes: 7 }]);
  });

  it('takes ENDs that close nothing as separators', () => {
    const { frames, discards } = decode(0xc0, 0xc0, 0xc0, 1, 0xc0, 0xc0);
    expect(frames).toEqual([{ payload: [1], bytes: 2 }]);
    expect(discards).toEqual([]);
  });

  it('takes a frame of exactly the limit and discards a longer one whole', () => {
    const { frames, discards } = decode(1, 2, 3, 4, 5, 6, 7, 8, 0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xc0, 7, 0xc0);
    expect(frames.map((frame) => frame.payload.length)).toEqual([8, 1]);
    expect(discards).toEqual([{ reason: 'too-long', bytes: 11 }]);
  });

  it('goes on at the next END after a broken escape, also when the END itself breaks it', () => {
    const { frames, discards } = decode(1, 0xdb, 1, 5, 0xc0, 2, 0xdb, 0xc0, 3, 0xc0);
    expect(frames).toEqual([{ payload: [3], bytes: 2 }]);
    expect(discards).toEqual([
      { reason: 'bad-escape', bytes: 5 },
      { reason: 'bad-escape', bytes: 3 },
    ]);
  });

  it('hands on an open frame at the end of the input', () => {
    const { slip, frames } = decode(1, 2);
    slip.end();
    expect(frames).toEqual([{ payload: [1, 2], bytes: 2 }]);
  });

  it('holds no more than its limit and tells of a frame without end while it grows', () => {
    const { slip, discards } = decode();
    for (let sent = 0; sent <= MAX_RUN_BYTES; sent += 1024) slip.push(new Uint8Array(1024));
    expect(slip.heldBytes).toBe(LIMIT);
    expect(discards).toEqual([{ reason: 'too-long', bytes: MAX_RUN_BYTES }]);
  });

  it('gives the same wherever the bytes are cut, and accounts for each of them', () => {
    const byte = fc.oneof(fc.constantFrom(0xc0, 0xdb, 0xdc, 0xdd), fc.nat(255));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), fc.array(fc.nat(60)), (wire, cuts) => {
        const bytes = Uint8Array.from([...wire, 0xc0]);
        const offsets = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const cut = decodePieces(offsets.slice(1).map((to, i) => bytes.subarray(offsets[i], to)));
        const whole = decode(...bytes);
        expect([cut.frames, cut.discards]).toEqual([whole.frames, whole.discards]);
        const told = [...whole.frames, ...whole.discards].reduce((sum, { bytes }) => sum + bytes, 0);
        const separators = bytes.filter((value, i) => value === 0xc0 && (i === 0 || bytes[i - 1] === 0xc0)).length;
        expect(told + separators).toBe(bytes.length);
      }),
    );
  });
});
