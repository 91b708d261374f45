import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createOutage } from '../../src/central/outage.ts';

const away = (message: string) => Object.assign(new Error(message), { code: 'STORE_AWAY' });

/** A database whose answers are a script: a text is why it is away. */
function scripted(answers: (Error | null)[]) {
  const told: string[] = [];
  let asked = 0;
  const stream = { write: (line: string) => told.push((JSON.parse(line) as { msg: string }).msg) };
  const store = {
    recover: async () => {
      asked += 1;
      const answer = answers.shift() ?? null;
      if (answer !== null) throw answer;
    },
  };
  const retry = { firstMs: 1, maxMs: 2 };
  const outage = createOutage({ store, retry, random: () => 0, logger: pino({}, stream) });
  return { outage, told, asked: () => asked };
}

describe('an outage of the database', () => {
  it('is waited for, and told once at its begin and at its end', async () => {
    const { outage, told, asked } = scripted([away('still'), away('still')]);
    expect(outage.reason()).toBeNull();
    const over = outage.over(away('db: gone'), new AbortController().signal);
    expect(outage.reason()).toBe('db: gone');
    await over;
    expect([outage.reason(), asked()]).toEqual([null, 3]);
    expect(told).toEqual(['nothing can be stored: db: gone', 'the database is there again']);
  });

  it('is one for all loops that meet it', async () => {
    const { outage, told } = scripted([]);
    const { signal } = new AbortController();
    await Promise.all([outage.over(away('db: gone'), signal), outage.over(away('db: gone'), signal)]);
    expect(told).toEqual(['nothing can be stored: db: gone', 'the database is there again']);
  });

  it('is none where the store says something else, at first or later', async () => {
    const { outage } = scripted([new Error('another schema')]);
    const { signal } = new AbortController();
    await expect(outage.over(new Error('full'), signal)).rejects.toThrow('full');
    await expect(outage.over(away('db: gone'), signal)).rejects.toThrow('another schema');
  });

  it('ends with the signal', async () => {
    const { outage, asked } = scripted([away('still')]);
    const stop = new AbortController();
    stop.abort();
    await outage.over(away('db: gone'), stop.signal);
    expect(asked()).toBe(0);
  });
});
