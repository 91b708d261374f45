import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openCatService } from '../../../src/central/cats/cat-service.ts';
import {
  type CatWatchDog,
  CHECK_EVERY_MS,
  MAX_CATS_REMEMBERED,
  MAX_EVENTS_READ,
  openCatWatchDog,
} from '../../../src/central/cats/cat-watchdog.ts';
import { openStore } from '../../../src/central/open-store.ts';
import type { CatRow, Store } from '../../../src/central/store/store.ts';
import { createSender, type Sender } from '../api/serving.ts';
import { createWriter, epochId } from '../store/events.ts';

const START = Date.parse('2026-11-23T12:00:00.000Z');

describe('CatWatchDog', () => {
  let nowMs: number;
  let store: Store;
  let dog: CatWatchDog;
  let sender: Sender;
  let reads: number;
  let told: string[];
  const clock = () => new Date(nowMs);

  beforeEach(async () => {
    nowMs = START;
    reads = 0;
    told = [];
    store = await openStore({ url: 'sqlite::memory:', now: clock });
    const counted: Pick<Store, 'oneLook' | 'cats'> = {
      cats: (now) => store.cats(now),
      oneLook() {
        const look = store.oneLook();
        return {
          newest(query) {
            reads += 1;
            return look.newest(query);
          },
        };
      },
    };
    const onAlert = (change: string, cat: CatRow, { rule }: { rule: string }) =>
      told.push(`${cat.name}: ${rule} ${change}`);
    dog = openCatWatchDog({
      store: counted,
      rules: [{ rule: 'shaking', meows: 12, withinMinutes: 10 }],
      clock,
      onAlert,
    });
    sender = createSender({ store, changes: { version: 0, announce: () => undefined, after: async () => undefined } });
    await openCatService(store, () => new Date(START - 3_600_000)).addCat('Mia', 'C1');
  });
  afterEach(() => store.close());

  const meows = (count: number) =>
    sender.sendAll(
      Array.from({ length: count }, (_, i) => ['meow.started', 'collar/C1', { level: 1 }, new Date(nowMs - i)]),
    );

  test('a second call within a second answers from the last', async () => {
    const first = await dog.checkCatActivity(1);
    nowMs += CHECK_EVERY_MS - 1;
    expect(await dog.checkCatActivity(1)).toBe(first);
    expect(reads).toBe(1);
    nowMs += 1;
    expect(await dog.checkCatActivity(1)).not.toBe(first);
    expect(reads).toBe(2);
  });

  test('calls at the same moment share one check', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => dog.checkCatActivity(1)));
    expect(new Set(answers).size).toBe(1);
    expect(reads).toBe(1);
  });

  test('a clock that was set back does not keep it asleep', async () => {
    await dog.checkCatActivity(1);
    nowMs -= 3_600_000;
    await dog.checkCatActivity(1);
    expect(reads).toBe(2);
  });

  test('one check reads the newest 10 events, and none twice', async () => {
    await meows(30);
    expect(await dog.checkCatActivity(1)).toMatchObject({ newEvents: MAX_EVENTS_READ });
    nowMs += CHECK_EVERY_MS;
    expect(await dog.checkCatActivity(1)).toMatchObject({ newEvents: 0 });
    await meows(3);
    nowMs += CHECK_EVERY_MS;
    expect(await dog.checkCatActivity(1)).toMatchObject({ newEvents: 3 });
  });

  test('an alert is told once when it is raised and once when it is cleared', async () => {
    for (let i = 0; i < 4; i += 1) {
      await meows(4);
      await dog.checkCatActivity(1);
      nowMs += 2_000;
    }
    expect((await dog.checkCatActivity(1)).alerts).toMatchObject([{ rule: 'shaking' }]);
    nowMs += 3_600_000;
    expect((await dog.checkCatActivity(1)).alerts).toEqual([]);
    nowMs += 2_000;
    await dog.checkCatActivity(1);
    expect(told).toEqual(['Mia: shaking raised', 'Mia: shaking cleared']);
  });

  test('a time that is corrected counts as it is then, once', async () => {
    dog = openCatWatchDog({
      store,
      rules: [
        { rule: 'shaking', meows: 3, withinMinutes: 10 },
        { rule: 'still', hours: 12 },
      ],
      clock,
      onAlert: (change, cat, { rule }) => told.push(`${cat.name}: ${rule} ${change}`),
    });
    const shed = createWriter('shed', epochId(5));
    const say = async (from: number) => {
      await store.ingest(shed.batch(from, shed.events.length), clock().toISOString());
      while ((await store.project(100)).events > 0);
      nowMs += CHECK_EVERY_MS;
      return (await dog.checkCatActivity(1)).alerts.map(({ rule }) => rule);
    };
    for (const monoMs of [61_000, 62_000]) {
      const when = { time: new Date(monoMs).toISOString(), boot: 'b1', monoMs };
      shed.addUnset('meow.started', 'collar/C1', { level: 1 }, when);
    }
    // Nobody knows when that was: least of all that it was long ago.
    expect(await say(1)).toEqual([]);
    shed.add('clock.synced', null, { boot: 'b1', offsetMs: START - 14 * 3_600_000 }, 0);
    expect(await say(3)).toEqual(['still']);
    shed.add('clock.synced', null, { boot: 'b1', offsetMs: START - 65_000 }, 1);
    expect(await say(4)).toEqual([]);
    expect(told).toEqual(['Mia: still raised', 'Mia: still cleared']);
    shed.add('meow.started', 'collar/C1', { level: 1 }, 2);
    expect(await say(5)).toEqual(['shaking']);
  });

  test('an unknown cat is not found', async () => {
    await expect(dog.checkCatActivity(9)).rejects.toMatchObject({ code: 'CAT_NOT_FOUND', message: 'cat not found' });
  });

  test('a check that fails loses nothing: the next one starts where the last good one ended', async () => {
    let broken = false;
    const flaky = openCatWatchDog({
      store: {
        cats: (now) => store.cats(now),
        oneLook() {
          const look = store.oneLook();
          return { newest: (query) => (broken ? Promise.reject(new Error('disk')) : look.newest(query)) };
        },
      },
      rules: [],
      clock,
      onAlert: () => undefined,
    });
    await flaky.checkCatActivity(1);
    await meows(2);
    nowMs += CHECK_EVERY_MS;
    broken = true;
    await expect(flaky.checkCatActivity(1)).rejects.toThrow('disk');
    broken = false;
    expect(await flaky.checkCatActivity(1)).toMatchObject({ newEvents: 2 });
  });

  test('a collar that a cat is given between two checks is looked at by the next', async () => {
    const cats = await store.cats(clock());
    await dog.checkCats(cats);
    await openCatService(store, () => new Date(nowMs - 1_000)).assignCollar(1, 'C2');
    await sender.send('meow.started', 'collar/C2', { level: 1 }, new Date(nowMs));
    nowMs += CHECK_EVERY_MS;
    // The assignment itself is one of them.
    expect(await dog.checkCats(cats)).toMatchObject([{ newEvents: 2 }]);
  });

  test('it remembers no more than MAX_CATS_REMEMBERED cats', async () => {
    const [mia] = await store.cats(clock());
    if (mia === undefined) throw new Error('no cat');
    await dog.checkCats([mia]);
    const others = Array.from({ length: MAX_CATS_REMEMBERED }, (_, i) => ({ ...mia, id: 100 + i }));
    await dog.checkCats(others);
    const before = reads;
    await dog.checkCats([mia]);
    expect(reads).toBe(before + 1);
    await dog.checkCats(others.slice(-1));
    expect(reads).toBe(before + 1);
  });
});
