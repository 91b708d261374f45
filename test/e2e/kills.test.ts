import { describe, expect, test } from 'vitest';
import { mosquittoPath, requireServer } from '../servers.ts';
import { runKills } from './kills-run.ts';

const inCi = (process.env.CI ?? '') !== '';

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('kill -9 at random', () => {
  test('agent, broker and central die again and again, and no event is lost, doubled or changed', async () => {
    const result = await runKills({ kills: inCi ? 20 : 2, seed: 7, collars: 20, rate: 50, tell: () => undefined });
    expect(result).toMatchObject({ lost: 0, doubled: 0, unlike: 0, verdict: { status: 'agree' } });
    expect(result.kills).toEqual(inCi ? { agent: 20, broker: 20, central: 20 } : { agent: 2, broker: 2, central: 2 });
    expect(result.logged).toBeGreaterThan(inCi ? 50 : 5);
    expect(result.stored).toBe(result.logged);
  }, 300_000);
});
