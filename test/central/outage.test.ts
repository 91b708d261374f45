import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createOutage, runUntilLost } from '../../src/central/outage.ts';

const away = (message: string) => Object.assign(new Error(message), { code: 'STORE_AWAY' });

/** A database whose answers are a script: a text is why it is away. */
function scripted(answers: (Error | null)[]) {
  const told: string[] = [];
  let asked = 0;
  const stream = { write: (line: string) => told.push((JSON.parse(line) as { msg: string }).msg) };
  const loss = new AbortController();
  const store = {
    lost: loss.signal,
    recover: async () => {
      asked += 1;
      const answer = answers.shift() ?? null;
      if (answer !== null) throw answer;
    },
  };
  const retry = { firstMs: 1, maxMs: 2 };
  const outage = createOutage({ store, retry, random: () => 0, logger: pino({}, stream) });
  return { outage, store, told, lose: (error: Error) => loss.abort(error), asked: () => asked };
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

describe('a database that is lost', () => {
  const lost = Object.assign(new Error('the store failed: disk I/O error'), { code: 'STORE_FAILED' });

  it('is a reason not to be ready, and ends who waits for it', async () => {
    const { outage, store, lose, asked } = scripted([]);
    const running = runUntilLost(store, new AbortController().signal);
    lose(lost);
    await expect(running).rejects.toBe(lost);
    expect(outage.reason()).toBe('the store failed: disk I/O error');
    await expect(outage.over(lost, new AbortController().signal)).rejects.toBe(lost);
    expect(asked()).toBe(0);
  });

  it('is waited for until the signal aborts', async () => {
    const stop = new AbortController();
    const running = runUntilLost(scripted([]).store, stop.signal);
    stop.abort();
    await running;
  });
});
