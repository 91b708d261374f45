import { describe, expect, test } from 'vitest';
import { mosquittoPath, requireServer } from '../servers.ts';
import { eventsIn } from './input.ts';
import { runMemory } from './memory-run.ts';

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('over mosquitto', () => {
  test('the memory of the agent is seen while its readings come, and every event has come', async () => {
    const told: string[] = [];
    const tell = (line: string) => void told.push(line);
    const result = await runMemory({ readings: 8_000, samples: 4, warmUp: 0.25, format: 'frame', tell });
    expect(result.events).toBeGreaterThanOrEqual(eventsIn(0, 8_000));
    expect(result.samples.map(({ readings }) => readings)).toEqual([2_000, 4_000, 6_000, 8_000]);
    for (const { rssBytes, heapBytes, externalBytes } of result.samples) {
      expect(rssBytes).toBeGreaterThan(heapBytes);
      expect(heapBytes).toBeGreaterThan(1e6);
      expect(externalBytes).toBeGreaterThan(0);
    }
    expect(result.slopes.heapBytes.points).toBe(3);
    expect(told).toHaveLength(4);
  }, 120_000);
});

test('without a broker all events wait in the log', async () => {
  const options = { readings: 4_000, samples: 2, warmUp: 0, format: 'frame', offline: true } as const;
  const result = await runMemory({ ...options, tell: () => undefined });
  expect(result.events).toBeGreaterThanOrEqual(eventsIn(0, 4_000));
  expect(result.slopes.rssBytes.points).toBe(2);
}, 120_000);
