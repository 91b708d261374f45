import { describe, expect, it } from 'vitest';
import type { Truth } from '../../src/simulator/collar.ts';
import { createSimulation, type Packet, type SimulationOptions, type Slice } from '../../src/simulator/simulation.ts';

const options: SimulationOptions = { collars: 8, rateHz: 50, seed: 1 };

function run(seconds: number, change: Partial<SimulationOptions> = {}) {
  const simulation = createSimulation({ ...options, ...change });
  const slices: Slice[] = [];
  for (let ms = 0; ms < seconds * 1000; ms += simulation.sliceMs) slices.push(simulation.step());
  const truth = [...slices.flatMap((slice) => slice.truth), ...simulation.finish()];
  const meows = truth.filter((entry) => entry.type === 'meow');
  const moves = truth.filter((entry) => entry.type === 'move');
  return { slices, truth, meows, moves, packets: slices.flatMap((slice) => slice.packets) };
}

describe('simulation', () => {
  it('is the same for the same seed and another for another', () => {
    expect(run(20)).toEqual(run(20));
    expect(run(20).truth).not.toEqual(run(20, { seed: 2 }).truth);
  });

  it('does not change what a cat does when there are more cats, or more is lost on the air', () => {
    const first = (entries: readonly Truth[]) => entries.filter((entry) => entry.collar === 'C0FFEE01');
    expect(first(run(60, { collars: 1 }).truth)).toEqual(first(run(60).truth));
    expect(run(60, { dropout: 0.5 }).truth).toEqual(run(60).truth);
  });

  it('shakes every collar within the first 7 s', () => {
    const early = run(7, { collars: 50 }).meows;
    expect(new Set(early.map((meow) => meow.collar)).size).toBe(50);
  });

  it('shakes about every 20 s, 0.4 to 1.5 s long, at least 2.5 s apart', () => {
    const { meows } = run(600, { collars: 20 });
    expect(meows.length / 20).toBeGreaterThan(25);
    expect(meows.length / 20).toBeLessThan(36);
    const ends = new Map<string, number>();
    for (const meow of meows) {
      expect(meow.endMs - meow.startMs).toBeGreaterThan(350);
      expect(meow.endMs - meow.startMs).toBeLessThanOrEqual(1500);
      expect(meow.startMs - (ends.get(meow.collar) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(2500);
      ends.set(meow.collar, meow.endMs);
    }
  });

  it('shakes hard between the times of the truth, and nowhere else', () => {
    const { packets, meows } = run(120, { collars: 1, dropout: 0 });
    const strong = packets.flatMap(samplesOf).filter(({ g }) => g > 2);
    expect(strong.length).toBeGreaterThan(0);
    for (const { tMs } of strong) {
      expect(meows.some((meow) => tMs >= meow.startMs && tMs <= meow.endMs)).toBe(true);
    }
    for (const meow of meows) {
      const peak = Math.max(
        ...packets
          .flatMap(samplesOf)
          .filter(inside(meow))
          .map(({ g }) => g),
      );
      expect(peak).toBeGreaterThan(1.3);
    }
  });

  it('measures 1 g at rest, whichever way it is turned', () => {
    const all = run(300, { collars: 4 }).packets.flatMap(samplesOf);
    const calm = all.map(({ g }) => g).sort((a, b) => a - b);
    expect(calm[Math.floor(calm.length / 2)]).toBeCloseTo(1, 1);
  });

  it('leaves a cat at least 15 s in a room, and says where it was', () => {
    const { moves } = run(600);
    expect(moves.filter((move) => move.from === null)).toHaveLength(8);
    expect(moves.length).toBeGreaterThan(8 * 8);
    const last = new Map<string, { tMs: number; to: string }>();
    for (const move of moves) {
      const before = last.get(move.collar);
      expect(move.from).toBe(before?.to ?? null);
      expect(move.to).not.toBe(move.from);
      if (before !== undefined) expect(move.tMs - before.tMs).toBeGreaterThanOrEqual(15_000);
      last.set(move.collar, move);
    }
  });

  it('hears a cat about twice a second, loudest in its own room', () => {
    const { slices, moves } = run(60, { collars: 1 });
    const sightings = slices.flatMap((slice) => slice.sightings);
    const room = (tMs: number) => moves.findLast((move) => move.tMs <= tMs)?.to;
    const near = sightings.filter((sighting) => sighting.place === room(sighting.tMs)).map((s) => s.rssiDbm);
    const far = sightings.filter((sighting) => sighting.place !== room(sighting.tMs)).map((s) => s.rssiDbm);
    expect(near.length).toBeGreaterThan(90);
    expect(mean(near)).toBeGreaterThan(-52);
    expect(mean(near)).toBeLessThan(-48);
    expect(mean(near) - mean(far)).toBeGreaterThan(15);
    expect(mean(near) - mean(far)).toBeLessThan(25);
  });

  it('loses the share of packets that it is told, and counts on', () => {
    const { packets } = run(100, { collars: 10, dropout: 0.1 });
    expect(packets.length / 10_000).toBeCloseTo(0.9, 1);
    const counters = packets.filter((packet) => packet.collar === 'C0FFEE01').map((packet) => packet.counter);
    expect(counters).toEqual([...new Set(counters)].sort((a, b) => a - b));
    expect(counters.at(-1)).toBeGreaterThan(counters.length);
  });

  it('drains the battery slowly', () => {
    const { packets } = run(3600, { collars: 1, rateHz: 1 });
    const fall = (packets[0]?.batteryPercent ?? 0) - (packets.at(-1)?.batteryPercent ?? 0);
    expect(fall).toBeGreaterThanOrEqual(2);
    expect(fall).toBeLessThanOrEqual(4);
  });
});

function samplesOf(packet: Packet): { tMs: number; g: number }[] {
  return packet.samples.map(([x, y, z], i) => ({ tMs: packet.firstMs + i * 20, g: Math.hypot(x, y, z) / 1000 }));
}

function inside(span: { startMs: number; endMs: number }): (at: { tMs: number }) => boolean {
  return ({ tMs }) => tMs >= span.startMs && tMs <= span.endMs;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
