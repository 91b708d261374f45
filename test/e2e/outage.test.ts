import { describe, expect, test } from 'vitest';
import { mosquittoPath, requireServer } from '../servers.ts';
import { runOutage } from './outage-run.ts';

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('without a broker', () => {
  test('memory stays flat, and all that happened meanwhile arrives', async () => {
    const result = await runOutage({ seconds: 15, collars: 20, rate: 50, seed: 5, tell: () => undefined });
    expect(result.verdict.status).toBe('agree');
    expect(result.backlogEvents).toBeGreaterThan(3);
    expect(result.liveLatencyMs.events).toBeGreaterThan(0);
    expect((result.rssMb.at(-1) ?? 999) - (result.rssMb[4] ?? 0)).toBeLessThan(15);
  }, 180_000);
});
