import { performance } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { runSimulation } from '../../src/simulator/run-simulation.ts';
import { createSimulation } from '../../src/simulator/simulation.ts';

const simulation = () => createSimulation({ collars: 2, rateHz: 50, seed: 1, dropout: 0 });
const never = new AbortController().signal;

describe('run simulation', () => {
  it('writes the time it is told, tells the truth, and counts both', async () => {
    let bytes = 0;
    const told: unknown[] = [];
    const write = async (chunk: Uint8Array) => {
      bytes += chunk.length;
      return true;
    };
    const tell = async (truth: readonly unknown[]) => {
      told.push(...truth);
    };
    const pace = { seconds: 10, realtime: false };
    const summary = await runSimulation({ simulation: simulation(), format: 'frame', write, tell }, pace, never);
    expect(summary).toMatchObject({ simulated: true, seconds: 10, frames: 200, readings: 1000, bytes, moves: 0 });
    expect(summary.meows).toBeGreaterThanOrEqual(2);
    expect(told).toHaveLength(summary.meows + 2);
  });

  it('ends quietly when nobody reads any more', async () => {
    const write = async () => false;
    const pace = { seconds: 1000, realtime: false };
    const summary = await runSimulation({ simulation: simulation(), format: 'json', write }, pace, never);
    expect(summary.seconds).toBeLessThan(1000);
  });

  it('keeps the pace of real collars, and stops with the signal', async () => {
    const stop = new AbortController();
    const started = performance.now();
    let writes = 0;
    const write = async () => {
      writes++;
      if (writes === 4) stop.abort();
      return true;
    };
    const pace = { seconds: Number.POSITIVE_INFINITY, realtime: true };
    await runSimulation({ simulation: simulation(), format: 'frame', write }, pace, stop.signal);
    expect(performance.now() - started).toBeGreaterThan(390);
    expect(writes).toBeLessThanOrEqual(5);
  });

  it('waits for the writer', async () => {
    let open = 0;
    const write = async () => {
      expect(++open).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      open--;
      return true;
    };
    const pace = { seconds: 60, realtime: false };
    await runSimulation({ simulation: simulation(), format: 'csv', write }, pace, never);
  });
});
