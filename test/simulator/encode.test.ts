import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../src/agent/decoder/decoder.ts';
import type { Reading } from '../../src/agent/decoder/reading.ts';
import { createEncoder, type SimulatedFormat } from '../../src/simulator/encode.ts';
import { createNoise } from '../../src/simulator/noise.ts';
import { createSimulation, type Slice } from '../../src/simulator/simulation.ts';

function simulate(format: SimulatedFormat, collars: number, share = 0) {
  const simulation = createSimulation({ collars, rateHz: 50, seed: 3 });
  const encoder = createEncoder(format);
  const noise = createNoise(share, 3);
  const slices = Array.from({ length: 300 }, () => simulation.step());
  const chunks = slices.flatMap((slice) => encoder.encode(slice)).map((chunk) => noise.disturb(chunk));
  const decoder = createDecoder({ format });
  const parts = [decoder.push(Buffer.concat([encoder.head, ...chunks]), null), decoder.end()];
  return {
    slices,
    disturbed: noise.disturbed,
    chunks: chunks.length,
    readings: parts.flatMap((part) => part.readings),
    discards: parts.flatMap((part) => part.discards),
    lostSamples: decoder.lostSamples,
  };
}

/** Collar, time and acceleration in mg of every sample that was sent. */
function sent(slices: readonly Slice[]): string[] {
  return slices
    .flatMap((slice) => slice.packets)
    .flatMap(({ collar, firstMs, samples }) => samples.map((s, i) => row(collar, firstMs + 20 * i, s)))
    .sort();
}

function received(readings: readonly Reading[]): string[] {
  return readings
    .flatMap(({ collar, atMs, axG, ayG, azG }) =>
      axG === undefined
        ? []
        : [
            row(
              collar,
              atMs,
              [axG, ayG ?? 0, azG ?? 0].map((g) => Math.round(g * 1000)),
            ),
          ],
    )
    .sort();
}

function row(collar: string, tMs: number, mg: readonly number[]): string {
  return `${collar} ${Math.round(tMs)} ${mg.map((value) => value + 0).join(' ')}`;
}

describe('encode', () => {
  it.each(['frame', 'json'] as const)('a decoder reads from %s exactly the samples that were written', (format) => {
    const { slices, readings, discards, lostSamples } = simulate(format, 8);
    expect(received(readings)).toEqual(sent(slices));
    expect(discards).toEqual([]);
    const packets = slices.reduce((sum, slice) => sum + slice.packets.length, 0);
    expect(lostSamples).toBe((8 * 300 - packets) * 5);
  });

  it('a decoder reads from csv exactly the samples that were written, without options', () => {
    const { slices, readings, discards } = simulate('csv', 1);
    expect(received(readings)).toEqual(sent(slices).map((line) => line.replace('C0FFEE01', 'unknown')));
    expect(discards.map((discard) => discard.reason)).toEqual(['comment']);
  });

  it('json carries every sighting', () => {
    const { slices, readings } = simulate('json', 3);
    const sightings = readings.filter((reading) => reading.rssiDbm !== undefined);
    const want = slices.flatMap((slice) => slice.sightings);
    expect(sightings.map(({ atMs, collar, place, rssiDbm }) => ({ collar, tMs: atMs, place, rssiDbm }))).toEqual(want);
  });

  it('noise costs only the frames that it damages, and all of those are counted', () => {
    const { readings, discards, disturbed, chunks } = simulate('frame', 8, 0.1);
    expect(disturbed).toBeGreaterThan(chunks * 0.07);
    expect(discards.length).toBeGreaterThan(disturbed * 0.8);
    expect(readings.length).toBeGreaterThanOrEqual((chunks - disturbed * 2) * 5);
  });
});
