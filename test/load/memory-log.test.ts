import { expect, test } from 'vitest';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { newEvent } from '../../src/contract/event.ts';
import { tempPath } from '../agent/log/log-fixture.ts';
import { KEPT_EVENTS, openMemoryLog, UNCONFIRMED_LIMIT } from './memory-log.ts';

const epoch = '01a20867-068a-70da-b9ee-000000000001';
const when = { time: '2026-11-23T12:00:00.000Z', clock: 'synced', boot: null, monoMs: null } as const;
const shakes = (count: number) =>
  Array.from({ length: count }, (_, n) => newEvent('meow.started', 'collar/C0FFEE01', { level: n }, when));

function open() {
  const clock = { nowMs: 0 };
  const lags: number[] = [];
  const log = openMemoryLog({
    agent: 'porch',
    epoch,
    monoNow: () => clock.nowMs,
    onStored: (ms) => void lags.push(ms),
  });
  return { log, clock, lags };
}

test('numbers, events and chain are those of the log on the card', async () => {
  const { log } = open();
  const limits = { keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 };
  const options = { path: tempPath(), agent: 'porch', ...limits };
  const card = await openEventLog(options, { when: () => when, newEpochId: () => epoch });
  for (const count of [1, 7, 30])
    expect(await log.append(shakes(count))).toMatchObject({ epoch, lastSeq: expect.any(Number) });
  for (const count of [1, 7, 30]) await card.append(shakes(count));
  expect(await log.read(epoch, 3, 30, 20, 1e6)).toEqual(await card.read(epoch, 3, 30, 20, 1e6));
  expect(await log.read(epoch, 5, 30, 20, 1)).toEqual(await card.read(epoch, 5, 30, 20, 1));
  for (const seq of [0, 1, 8, 38]) {
    const [own, other] = [await log.chainAt(epoch, seq), await card.chainAt(epoch, seq)];
    expect(own).not.toBeNull();
    expect(Buffer.from(own ?? [])).toEqual(Buffer.from(other ?? []));
  }
  expect(log.epochs()).toEqual(card.epochs());
  await card.close();
});

test('what is confirmed is told once, with its lag, and goes when it lies far enough behind', async () => {
  const { log, clock, lags } = open();
  await log.append(shakes(2));
  clock.nowMs = 40;
  await log.append(shakes(KEPT_EVENTS));
  clock.nowMs = 100;
  log.saveMark(epoch, 3, 'store');
  log.saveMark(epoch, 1, 'store');
  log.saveMark(epoch, 3, 'store');
  expect(lags).toEqual([100, 100, 60]);
  expect(log.epochs()).toEqual([{ epoch, firstSeq: 1, lastSeq: KEPT_EVENTS + 2, storedSeq: 3 }]);
  const chain = await log.chainAt(epoch, 2);
  log.saveMark(epoch, KEPT_EVENTS + 2, 'store');
  expect(log.epochs()[0]?.firstSeq).toBe(3);
  expect(await log.read(epoch, 1, 2, 10, 1e6)).toEqual([]);
  expect(await log.chainAt(epoch, 2)).toEqual(chain);
  expect(await log.chainAt(epoch, 1)).toBeNull();
});

test('what waits has a limit, and what needs a card is refused', async () => {
  const { log } = open();
  await log.append(shakes(UNCONFIRMED_LIMIT));
  await expect(log.append(shakes(1))).rejects.toThrow('porch: too much waits for central');
  await expect(log.startEpoch('chains differ')).rejects.toThrow('chains differ');
  await expect(log.tellMissing(epoch, [[1, 2]])).rejects.toThrow('had confirmed');
});
