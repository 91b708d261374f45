import { expect, it } from 'vitest';
import { createReplay } from '../../../src/agent/source/replay.ts';

it('a recording keeps its intervals, and no reading comes before its time', async () => {
  const startMs = 50_000;
  const clock = { monoNow: () => startMs + (performance.now() - begun) };
  const begun = performance.now();
  const replay = createReplay(clock, new AbortController().signal);
  for (const [recordedMs, expectedMs] of [
    [7_000, 0],
    [7_010, 10],
    [7_030, 30],
  ] as const) {
    const { atMs } = await replay({ collar: 'A', atMs: recordedMs });
    expect(atMs - startMs).toBeGreaterThanOrEqual(expectedMs);
    expect(atMs - startMs).toBeLessThan(expectedMs + 5);
    expect(clock.monoNow()).toBeGreaterThanOrEqual(atMs - 2);
  }
});

it('a replay that is stopped waits no longer', async () => {
  const stop = new AbortController();
  const replay = createReplay({ monoNow: () => 0 }, stop.signal);
  await replay({ collar: 'A', atMs: 0 });
  const late = replay({ collar: 'A', atMs: 3_600_000 });
  stop.abort();
  expect(await late).toEqual({ collar: 'A', atMs: 3_600_000 });
});
