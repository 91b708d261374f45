import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agentSchema } from '../../../src/agent/config.ts';
import { createJsonDecoder } from '../../../src/agent/decoder/json.ts';
import { createLiveClock } from '../../../src/agent/decoder/live-clock.ts';
import { createWatch, step } from '../../../src/agent/detector/watch.ts';

/** Samples every `stepMs` that the port hands over every `chunkMs`. What the clock makes of them, and when they were taken. */
function stream(stepMs: number, chunkMs: number, count: number, withOwn: boolean) {
  const clock = createLiveClock();
  return Array.from({ length: count }, (_, i) => {
    const takenMs = 1_000 + i * stepMs;
    const arrivalMs = Math.ceil(takenMs / chunkMs) * chunkMs;
    return { takenMs, arrivalMs, atMs: clock('A', arrivalMs, withOwn ? i * stepMs : undefined, 1) };
  });
}

describe('samples that arrive together', () => {
  it.each([
    [20, 100, true],
    [20, 100, false],
    [20, 16, false],
    [40, 100, false],
    [10, 64, false],
  ])('every %d ms, handed over every %d ms (own times: %s), lie evenly', (stepMs, chunkMs, withOwn) => {
    const settled = stream(stepMs, chunkMs, 600, withOwn).slice(300);
    const steps = settled.slice(1).map(({ atMs }, i) => atMs - (settled[i]?.atMs ?? 0));
    for (const one of steps) expect(Math.abs(one - stepMs)).toBeLessThan(stepMs / 2);
    for (const { atMs, takenMs, arrivalMs } of settled) {
      expect(atMs).toBeGreaterThan(takenMs - chunkMs);
      expect(atMs).toBeLessThan(arrivalMs + chunkMs);
    }
  });

  it('are not held together by a pause', () => {
    const clock = createLiveClock();
    for (let i = 0; i < 100; i += 1) clock('A', i * 20, undefined, 1);
    expect(clock('A', 60_000, undefined, 1)).toBe(60_000);
  });

  it('that are few are when they arrive', () => {
    const clock = createLiveClock();
    for (const atMs of [0, 300, 700, 1_000, 1_400, 1_700]) expect(clock('A', atMs, undefined, 1)).toBe(atMs);
  });

  it('never go back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 5 }), fc.option(fc.nat(1_000)))),
        (samples) => {
          const clock = createLiveClock();
          let [arrivalMs, before] = [0, Number.NEGATIVE_INFINITY];
          for (const [waitMs, steps, ownMs] of samples) {
            arrivalMs += waitMs;
            const atMs = clock('A', arrivalMs, ownMs ?? undefined, steps);
            expect(atMs).toBeLessThanOrEqual(arrivalMs + 500);
            if (waitMs < 400) expect(atMs).toBeGreaterThanOrEqual(Math.min(before, arrivalMs));
            before = atMs;
          }
        },
      ),
    );
  });
});

it('a shake is found in lines that a port hands over every 100 ms', () => {
  const decoder = createJsonDecoder({});
  const { detect } = agentSchema.parse({
    agent: 'a',
    sources: [{ file: 'f' }],
    log: { path: 'l' },
    mqtt: { url: 'mqtt://h' },
  });
  let watch = createWatch();
  const types: string[] = [];
  for (let chunk = 0; chunk < 80; chunk += 1) {
    const lines = Array.from({ length: 5 }, (_, i) => {
      const s = chunk / 10 + i / 50;
      const isShaking = s > 4 && s < 5.5;
      const ax = isShaking ? 2 * Math.sin(2 * Math.PI * 8 * s) : 0;
      const ay = isShaking ? 1.2 * Math.cos(2 * Math.PI * 8 * s) : 0;
      return `${JSON.stringify({ collar: 'A', ax, ay, az: 1 })}\n`;
    });
    const { readings } = decoder.push(Buffer.from(lines.join('')), chunk * 100);
    for (const reading of readings) {
      const watched = step(watch, { type: 'reading', reading }, detect);
      watch = watched.state;
      types.push(...watched.detections.map(({ type }) => type));
    }
  }
  expect(types).toEqual(['meow.started', 'meow.ended']);
});
