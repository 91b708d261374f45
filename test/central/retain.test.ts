import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import { runRetain } from '../../src/central/retain.ts';
import type { Expired, ExpireOptions, RetentionStore } from '../../src/central/store/retention-store.ts';

const DAY_MS = 86_400_000;

it('moves what is old once a day, and a run that fails ends nothing', async () => {
  vi.useFakeTimers({ now: Date.parse('2026-11-23T12:00:00Z') });
  try {
    const stop = new AbortController();
    const asked: string[] = [];
    const script: (() => Promise<Expired>)[] = [
      async () => ({ segments: 1, events: 7, waiting: null }),
      () => Promise.reject(new Error('disk')),
      async () => ({ segments: 0, events: 0, waiting: 'models are being rebuilt' }),
    ];
    const store: Pick<RetentionStore, 'expire'> = {
      expire({ before, dir }: ExpireOptions) {
        asked.push(`${dir} ${before}`);
        return script[asked.length - 1]?.() ?? Promise.reject(new Error('too often'));
      },
    };
    const lines: string[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
    const retention = { keepDays: 90, segments: '/segments' };
    const parts = { store: store as RetentionStore, retention, clock: () => new Date(), logger, firstMs: 1_000 };
    const run = runRetain(parts, stop.signal);
    await vi.advanceTimersByTimeAsync(1_000);
    await vi.advanceTimersByTimeAsync(DAY_MS);
    await vi.advanceTimersByTimeAsync(DAY_MS);
    stop.abort();
    await run;
    const day = (n: number) => `/segments 2026-08-${n}T12:00:01.000Z`;
    expect(asked).toEqual([day(25), day(26), day(27)]);
    expect(lines).toEqual([
      'old events are in sealed segments now',
      'old events could not be moved into segments, and stay',
      'retention waits until tomorrow',
    ]);
  } finally {
    vi.useRealTimers();
  }
});

it('keeps everything where nobody asked for less', async () => {
  const stop = new AbortController();
  const store = { expire: () => Promise.reject(new Error('not asked for')) } as unknown as RetentionStore;
  const run = runRetain({ store, retention: undefined, clock: () => new Date(), logger: pino({}) }, stop.signal);
  stop.abort();
  await run;
});
