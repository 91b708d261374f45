import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openAlertLog } from '../../../src/central/cats/alert-log.ts';
import { openCatService } from '../../../src/central/cats/cat-service.ts';
import { type CatWatchDog, CHECK_EVERY_MS, openCatWatchDog } from '../../../src/central/cats/cat-watchdog.ts';
import type { CentralConfig } from '../../../src/central/config.ts';
import { openStore } from '../../../src/central/open-store.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { createSender, type Sender } from '../api/serving.ts';

const START = Date.parse('2026-11-23T12:00:00.000Z');
const RULES: CentralConfig['rules'] = [
  { rule: 'shaking', meows: 12, withinMinutes: 10 },
  { rule: 'shaking', meows: 15, withinMinutes: 10 },
  { rule: 'battery' },
];

describe('alerts in the log', () => {
  let nowMs: number;
  let store: Store;
  let sender: Sender;
  let told: string[];
  const clock = () => new Date(nowMs);

  beforeEach(async () => {
    nowMs = START;
    told = [];
    store = await openStore({ url: 'sqlite::memory:', now: clock });
    sender = createSender({ store, changes: { version: 0, announce: () => undefined, after: async () => undefined } });
    await openCatService(store, () => new Date(START - 3_600_000)).addCat('Mia', 'C1');
  });
  afterEach(() => store.close());

  /** A dog as another process, or this one after a restart, has it. */
  const newDog = (log = openAlertLog(store, clock)): CatWatchDog =>
    openCatWatchDog({
      store,
      rules: RULES,
      clock,
      log,
      onAlert: (change, _cat, { key }) => told.push(`${key} ${change}`),
    });
  const meows = (count: number) =>
    sender.sendAll(
      Array.from({ length: count }, (_, i) => ['meow.started', 'collar/C1', { level: 1 }, new Date(nowMs - i)]),
    );
  const written = async () => {
    const types = ['collard.alert.raised', 'collard.alert.cleared'];
    const { events } = await store.events({ limit: 100, types });
    return events.map(({ agent, type, subject, data }) => [agent, type.slice(14), subject, JSON.parse(data).key]);
  };
  const check = async (...dogs: CatWatchDog[]) => {
    nowMs += CHECK_EVERY_MS;
    return Promise.all(dogs.map((dog) => dog.checkCatActivity(1)));
  };

  test('each is raised once and cleared once, as an event of central', async () => {
    const dog = newDog();
    await sender.send('battery.low', 'collar/C1', { percent: 4 }, new Date(nowMs));
    await check(dog);
    await check(dog);
    await openCatService(store, clock).assignCollar(1, 'C2');
    await check(dog);
    await check(dog);
    expect(told).toEqual(['battery raised', 'battery cleared']);
    expect(await written()).toEqual([
      ['central', 'raised', 'cat/1', 'battery'],
      ['central', 'cleared', 'cat/1', 'battery'],
    ]);
  });

  test('one that stands stays so over a restart, and two rules of one kind are two', async () => {
    for (let i = 0; i < 2; i += 1) {
      await meows(7);
      await check(newDog());
    }
    expect(told).toEqual(['shaking 12/10 raised']);
    const restarted = newDog();
    const [activity] = await check(restarted);
    expect(activity?.alerts.map(({ key, since }) => [key, since])).toEqual([
      ['shaking 12/10', new Date(START + 2 * CHECK_EVERY_MS).toISOString()],
    ]);
    await meows(1);
    await check(restarted);
    expect(told).toEqual(['shaking 12/10 raised', 'shaking 15/10 raised']);
    nowMs += 600_000;
    await check(newDog());
    expect(told.slice(2)).toEqual(['shaking 12/10 cleared', 'shaking 15/10 cleared']);
    expect(await written()).toHaveLength(4);
  });

  test('of several centrals on one store one tells of it', async () => {
    const dogs = [newDog(), newDog(), newDog()];
    await sender.send('battery.low', 'collar/C1', { percent: 4 }, new Date(nowMs));
    for (const activity of await check(...dogs)) expect(activity.alerts).toMatchObject([{ rule: 'battery' }]);
    expect(told).toEqual(['battery raised']);
    expect(await written()).toHaveLength(1);
  });

  test('one that could not be written is raised at the next check', async () => {
    const log = openAlertLog(store, clock);
    let fails = true;
    const dog = newDog({
      ...log,
      write: (...args) => (fails ? Promise.reject(new Error('the disk is full')) : log.write(...args)),
    });
    await sender.send('battery.low', 'collar/C1', { percent: 4 }, new Date(nowMs));
    await expect(check(dog)).rejects.toThrow('the disk is full');
    expect(told).toEqual([]);
    fails = false;
    await check(dog);
    expect(told).toEqual(['battery raised']);
  });

  test('two processes look once a second between them, and count what the other has seen', async () => {
    const looks: string[] = [];
    const dogOf = (name: string) =>
      openCatWatchDog({
        store: {
          cats: (now) => store.cats(now),
          oneLook() {
            const look = store.oneLook();
            return {
              newest(query) {
                if (query.types === undefined) looks.push(name);
                return look.newest(query);
              },
            };
          },
        },
        rules: RULES,
        clock,
        checks: store,
        log: openAlertLog(store, clock),
        onAlert: (change, _cat, { key }) => told.push(`${name}: ${key} ${change}`),
      });
    const [a, b] = [dogOf('a'), dogOf('b')];
    const mia = await store.cats(clock());
    await meows(6);
    await a.checkCats(mia);
    nowMs += 500;
    expect(await b.checkCatActivity(1)).toEqual({
      catId: 1,
      checkedAt: new Date(START).toISOString(),
      newEvents: 0,
      alerts: [],
    });
    nowMs += 500;
    await meows(7);
    // 13 in all, of which b has seen none before, and more than one look reads.
    expect(await b.checkCatActivity(1)).toMatchObject({ newEvents: 10, alerts: [{ key: 'shaking 12/10' }] });
    nowMs += 1;
    expect(await a.checkCatActivity(1)).toMatchObject({ newEvents: 0, alerts: [{ key: 'shaking 12/10' }] });
    nowMs += CHECK_EVERY_MS;
    await meows(3);
    await a.checkCats(mia);
    await a.checkCats(mia);
    nowMs += CHECK_EVERY_MS;
    await a.checkCats(mia);
    expect([looks, told]).toEqual([
      ['a', 'b', 'a', 'a'],
      ['b: shaking 12/10 raised', 'a: shaking 15/10 raised'],
    ]);
  });

  test('seconds of shaking from before a restart count', async () => {
    const rules: CentralConfig['rules'] = [{ rule: 'shaking', meows: 50, seconds: 60, withinMinutes: 60 }];
    const dog = () =>
      openCatWatchDog({
        store,
        rules,
        clock,
        log: openAlertLog(store, clock),
        onAlert: (change, _cat, { text }) => told.push(`${change} ${text}`),
      });
    const ended = (durationMs: number) =>
      sender.send('meow.ended', 'collar/C1', { durationMs, peakG: 1, readings: 9, place: null }, new Date(nowMs));
    await ended(40_000);
    await check(dog());
    for (let i = 0; i < 15; i += 1) await ended(1_500);
    await check(dog());
    expect(told).toEqual(['raised shaking too long: 63 s in 60 min']);
  });
});
