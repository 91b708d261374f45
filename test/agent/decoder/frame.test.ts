import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_COLLARS } from '../../../src/agent/decoder/bounded-map.ts';
import { createDecoder } from '../../../src/agent/decoder/decoder.ts';
import { MAX_FRAME_BYTES } from '../../../src/agent/decoder/frame.ts';
import { encodeFrame } from '../../../src/simulator/encode.ts';
import type { Packet } from '../../../src/simulator/simulation.ts';
import { decodeAll, discardedBytes, reasons } from './cuts.ts';

const END = 0xc0;
const decoder = (place?: string) => createDecoder({ format: 'frame', place });

const packet = (change: Partial<Packet> = {}): Packet => ({
  collar: 'C0FFEE01',
  id: 0xc0ffee01,
  counter: 1,
  firstMs: 0,
  rateHz: 50,
  samples: [
    [10, -20, 990],
    [32_767, -32_767, 0],
  ],
  rssiDbm: -61,
  batteryPercent: 83,
  ...change,
});

/** A frame whose bytes are changed before the CRC is made right again. */
function forged(change: (body: number[]) => void): Uint8Array {
  const wire = encodeFrame(packet({ id: 1 }));
  const body = [...wire.slice(1, -3)];
  change(body);
  let crc = 0xffff;
  for (const byte of body) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  const escaped = [...body, crc >> 8, crc & 0xff].flatMap((byte) =>
    byte === 0xc0 ? [0xdb, 0xdc] : byte === 0xdb ? [0xdb, 0xdd] : [byte],
  );
  return Uint8Array.from([0xc0, ...escaped, 0xc0]);
}

describe('frame', () => {
  it('reads the layout byte by byte', () => {
    // version, collar, counter, rssi -61, battery 83, 50 Hz, 1 sample (10, -20, 990) mg, CRC
    const body = '01c0ffee010102c3533201000affec03de';
    const wire = Buffer.from(`c0${body.replace('c0', 'dbdc')}9683c0`, 'hex');
    const total = decodeAll(decoder('hall'), wire, [], 1000);
    expect(reasons(total)).toEqual([]);
    expect(total.readings).toEqual([
      {
        collar: 'C0FFEE01',
        atMs: 1000,
        axG: 0.01,
        ayG: -0.02,
        azG: 0.99,
        place: 'hall',
        counter: 258,
        rssiDbm: -61,
        batteryPercent: 83,
      },
    ]);
  });

  it('spreads the samples backwards from arrival, and says rssi and battery once', () => {
    const { readings } = decodeAll(decoder(), encodeFrame(packet()), [], 1000);
    expect(readings).toEqual([
      { collar: 'C0FFEE01', atMs: 980, axG: 0.01, ayG: -0.02, azG: 0.99, counter: 1 },
      {
        collar: 'C0FFEE01',
        atMs: 1000,
        axG: 32.767,
        ayG: -32.767,
        azG: 0,
        counter: 1,
        rssiDbm: -61,
        batteryPercent: 83,
      },
    ]);
  });

  it('leaves out what is unknown, and reads a frame without samples', () => {
    const { readings } = decodeAll(decoder(), encodeFrame(packet({ samples: [], rssiDbm: 127, batteryPercent: 255 })));
    expect(readings).toEqual([{ collar: 'C0FFEE01', atMs: 0, counter: 1 }]);
  });

  it('counts loss by the counter and discards the same frame again', () => {
    const frames = [1, 2, 2, 5].map((counter) => encodeFrame(packet({ counter })));
    const total = decodeAll(decoder(), Buffer.concat(frames));
    expect(total.lostSamples).toBe(4);
    expect(reasons(total)).toEqual(['duplicate']);
  });

  const wire = encodeFrame(packet());
  it.each<[string, Uint8Array]>([
    ['bad-crc', wire.map((byte, i) => (i === 14 ? byte ^ 1 : byte))],
    ['bad-crc', Buffer.concat([wire.subarray(0, 20), wire.subarray(22)])],
    ['too-short', Buffer.concat([wire.subarray(0, 6), wire.subarray(-1)])],
    ['noise', Buffer.from('debug: booted\xc0', 'latin1')],
    ['noise', Buffer.from('a longer line of text that is no frame\xc0', 'latin1')],
    ['bad-escape', Uint8Array.of(1, 0xdb, 1, 0xc0)],
    ['too-long', Buffer.concat([Buffer.alloc(MAX_FRAME_BYTES + 1, 1), Uint8Array.of(0xc0)])],
    ['bad-version', forged((body) => body.splice(0, 1, 2))],
    ['bad-length', forged((body) => body.splice(10, 1, 3))],
    ['bad-value', forged((body) => body.splice(9, 1, 0))],
    ['bad-value', forged((body) => body.splice(8, 1, 101))],
  ])('discards as %s and reads the next frame', (reason, damaged) => {
    const total = decodeAll(decoder(), Buffer.concat([damaged, encodeFrame(packet({ counter: 2 }))]));
    expect(reasons(total)).toEqual([reason]);
    expect(discardedBytes(total)).toBe(damaged[0] === 0xc0 ? damaged.length - 1 : damaged.length);
    expect(total.readings).toHaveLength(2);
  });

  it('reads the longest frame there is', () => {
    const samples = Array.from({ length: 255 }, () => [-16_192, -9_253, 219] as const);
    expect(decodeAll(decoder(), encodeFrame(packet({ samples }))).readings).toHaveLength(255);
  });

  it('remembers no more than its limit of collars', () => {
    const ids = [...Array.from({ length: MAX_COLLARS + 1 }, (_, i) => i), 0, MAX_COLLARS];
    const total = decodeAll(decoder(), Buffer.concat(ids.map((id) => encodeFrame(packet({ id })))));
    // The first has been forgotten, so its frame is no duplicate; the last has not.
    expect(reasons(total)).toEqual(['duplicate']);
    expect(total.readings).toHaveLength(2 * (MAX_COLLARS + 2));
  });
});

const anyPacket = fc
  .record({
    id: fc.nat(0xffffffff),
    counter: fc.nat(0xffff),
    rateHz: fc.integer({ min: 1, max: 255 }),
    rssiDbm: fc.integer({ min: -128, max: 126 }),
    batteryPercent: fc.nat(100),
    samples: fc.array(fc.tuple(mg(), mg(), mg()), { minLength: 1, maxLength: 12 }),
  })
  .map(packet);

function mg() {
  return fc.integer({ min: -32_768, max: 32_767 });
}

describe('frame, for any bytes', () => {
  it('gives back what another encoder wrote', () => {
    fc.assert(
      fc.property(anyPacket, (sent) => {
        const { readings, discards } = decodeAll(decoder(), encodeFrame(sent));
        expect(discards).toEqual([]);
        expect(readings.map((r) => [r.axG, r.ayG, r.azG])).toEqual(sent.samples.map((s) => s.map((mg) => mg / 1000)));
        const { rssiDbm, batteryPercent, counter } = sent;
        expect(readings.at(-1)).toMatchObject({ rssiDbm, batteryPercent, counter });
      }),
    );
  });

  const chunk = fc.oneof(anyPacket.map(encodeFrame), fc.uint8Array({ maxLength: 60 }));

  it('gives the same wherever the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(chunk), fc.array(fc.nat()), (chunks, cuts) => {
        const bytes = Buffer.concat(chunks);
        expect(decodeAll(decoder(), bytes, cuts)).toEqual(decodeAll(decoder(), bytes));
        expect(decodeAll(decoder(), bytes, cuts, 500)).toEqual(decodeAll(decoder(), bytes, [], 500));
      }),
    );
  });

  it('loses nothing to noise between frames, and accounts for each of its bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.uint8Array({ maxLength: 60 }), fc.nat(4))), (parts) => {
        const frames = parts.flatMap(([noise, id], counter) => [noise, encodeFrame(packet({ id, counter }))]);
        const total = decodeAll(decoder(), Buffer.concat(frames));
        expect(total.readings).toHaveLength(2 * parts.length);
        // A burst is closed by its own last END, or the one that opens the next frame; ENDs that close nothing do not count.
        const noise = parts.reduce((sum, [bytes]) => sum + bytes.length + (isEnd(bytes.at(-1) ?? END) ? 0 : 1), 0);
        const separators = parts.reduce((sum, [bytes]) => sum + closeNothing(bytes), 0);
        expect(discardedBytes(total)).toBe(noise - separators);
      }),
    );
  });

  it('yields times that never stand or go back, however late frames arrive', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3000), fc.integer({ min: 1, max: 400 })), { maxLength: 60 }), (gaps) => {
        const live = decoder();
        const times: number[] = [];
        let counter = 0;
        let atMs = 1000;
        for (const [waitMs, jump] of gaps) {
          counter = (counter + (jump > 300 ? jump * 100 : jump > 200 ? jump - 200 : 1)) & 0xffff;
          atMs += waitMs > 2000 ? waitMs * 10 : waitMs % 200;
          for (const reading of live.push(encodeFrame(packet({ counter })), atMs).readings) times.push(reading.atMs);
        }
        for (const [i, time] of times.slice(1).entries()) expect(time).toBeGreaterThan(times[i] ?? 0);
      }),
    );
  });
});

function isEnd(byte: number): boolean {
  return byte === END;
}

/** ENDs that follow another END or the frame before. */
function closeNothing(bytes: Uint8Array): number {
  return bytes.reduce((count, byte, i) => count + (isEnd(byte) && (i === 0 || isEnd(bytes[i - 1] ?? 0)) ? 1 : 0), 0);
}
