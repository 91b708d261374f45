import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createDuties, type House } from '../../src/central/duties.ts';
import { createOutage } from '../../src/central/outage.ts';
import type { Store } from '../../src/central/store/store.ts';

it('what is asked of the store for a claim waits for one that is away', async () => {
  let away = 0;
  const answer = async () => {
    away -= 1;
    if (away >= 0) throw Object.assign(new Error('the database is away'), { code: 'STORE_AWAY' });
    return 7;
  };
  const store = { highestToken: answer, takeLead: answer, takeShard: answer, recover: answer } as unknown as Store;
  const logger = pino({ level: 'silent' });
  const outage = createOutage({ store, retry: { firstMs: 1, maxMs: 2 }, random: () => 0, logger });
  const duties = createDuties({ id: 'w', store, outage, logger } as House);
  const { signal } = new AbortController();
  for (const ask of [
    () => duties.highestToken(signal),
    () => duties.take('lead', 3, signal),
    () => duties.take(5, 3, signal),
  ]) {
    away = 3;
    expect(await ask()).toBe(7);
    expect(away).toBeLessThan(0);
  }
});
