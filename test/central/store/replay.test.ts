import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openAlertLog } from '../../../src/central/cats/alert-log.ts';
import { foldEvents } from '../../../src/central/models/fold.ts';
import { openReplayStore, openStore } from '../../../src/central/open-store.ts';
import { confidenceIn } from '../../../src/central/store/read-models.ts';
import type { Build, ReplayStore } from '../../../src/central/store/replay-store.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { freshStore, freshUrl, rowsOf, runs } from '../engines/fresh.ts';
import { at, createWriter, epochId, meowing, NOW } from './events.ts';
import { batches, corrected, digest, folded, type Step, step, writersOf } from './story.ts';

const everything = { to: null, accept: false, program: '1' };

async function finish(build: Build): Promise<void> {
  while (!(await build.step()).finished);
}

async function projectAll(store: Store): Promise<void> {
  while ((await store.project(1_000)).events > 0);
}

async function opened(url: string) {
  const store = await openStore({ url });
  onTestFinished(() => store.close());
  const replay = await openReplayStore({ url, stepEvents: 12 });
  onTestFinished(() => replay.close());
  return { store, replay };
}

/** A store with Minka and Tom and 40 meows, all folded. */
async function house() {
  const url = await freshUrl();
  const { store, replay } = await opened(url);
  const hall = createWriter('hall', epochId(9));
  for (const [i, name] of ['Minka', 'Tom'].entries()) {
    const catId = i + 1;
    hall.add('cat.named', `cat/${catId}`, { catId, oldName: null, newName: name }, 0);
    hall.add('collar.assigned', `cat/${catId}`, { catId, collar: `C0FFEE0${catId}` }, 0);
  }
  const porch = meowing('porch', epochId(1), 40);
  await store.ingest(hall.batch(1, 4), NOW);
  await store.ingest(porch.batch(1, 40), NOW);
  await projectAll(store);
  return { url, store, replay };
}

const sizes = fc.array(fc.nat(7), { minLength: 1, maxLength: 5, size: 'max' });
const order = fc.array(fc.nat(100), { minLength: 1, maxLength: 40, size: 'max' });
const story = fc.array(step, { minLength: 1, maxLength: 60, size: 'max' });

/** Everything arrives in pieces, before, while and after the next version is built, which is broken off once. */
async function replayed(url: string, steps: readonly Step[], cuts: readonly number[], arrives: readonly number[]) {
  const writers = writersOf(steps);
  const store = await openStore({ url });
  let replay: ReplayStore = await openReplayStore({ url, stepEvents: 12 });
  for (const writer of writers) await store.ingest(writer.batch(1, 1), NOW);
  const rest = batches(writers, cuts, arrives);
  const arrive = async (project: boolean) => {
    const batch = rest.shift();
    if (batch !== undefined) await store.ingest(batch, NOW);
    if (project) await store.project(7);
  };
  for (let i = rest.length >> 1; i > 0; i -= 1) await arrive(i % 3 !== 0);
  let build = await replay.build(everything);
  for (let n = 0, finished = false; !finished; n += 1) {
    await arrive(n % 2 === 0);
    finished = (await build.step()).finished;
    if (n !== 1) continue;
    await replay.close();
    replay = await openReplayStore({ url, stepEvents: 12 });
    build = await replay.build(everything);
    expect(build.resumed).toBe(true);
  }
  while (rest.length > 0) {
    await arrive(rest.length % 2 === 0);
    await build.catchUp();
    // Whatever is on the way, both say the same of what is behind them.
    expect(await build.compare()).toMatchObject({ equal: true, difference: null });
  }
  return { store, replay, build, writers };
}

describe('a replay', () => {
  it('makes the same models in any order of arrival, beside events that come, and goes on where it was broken off', async () => {
    await fc.assert(
      fc.asyncProperty(story, sizes, order, async (steps, cuts, arrives) => {
        const { store, replay, build, writers } = await replayed(await freshUrl(), steps, cuts, arrives);
        try {
          const expected = folded(corrected(writers));
          await projectAll(store);
          expect(await digest(store)).toEqual(expected);
          await build.catchUp();
          const compared = await build.compare();
          expect(compared).toMatchObject({ equal: true, inFlight: 0 });
          expect((await replay.verifyModels(() => undefined)).live).toBe(compared.live);
          expect(await build.swap()).toBe(true);
          expect(await digest(store)).toEqual(expected);
          // What comes late is folded into the version that is live now.
          await store.ingest(meowing('late', epochId(7), 3, 'A').batch(1, 3), NOW);
          await projectAll(store);
          const then = await digest(store);
          expect((await replay.verifyModels(() => undefined)).equal).toBe(true);
          expect(await replay.swapBack()).toEqual({ live: 1, previous: 2 });
          expect(await digest(store)).toEqual(then);
        } finally {
          await store.close();
          await replay.close();
        }
      }),
      { numRuns: runs(40) },
    );
  }, 240_000);
});

it('counts what it cannot read, also where its time moves behind what has been read already', async () => {
  const { store, replay } = await house();
  const shed = createWriter('shed', epochId(2));
  const odd = { level: 'loud' as unknown as number };
  shed.addUnset('meow.started', 'collar/C0FFEE01', odd, { time: at(35), boot: 'b', monoMs: 1_000 });
  shed.add('clock.synced', null, { boot: 'b', offsetMs: Date.parse(at(1)) }, 36);
  await store.ingest(shed.batch(1, 1), NOW);
  await projectAll(store);
  expect((await store.counts()).skipped).toBe(1);
  const build = await replay.build(everything);
  await build.step();
  await build.step();
  await store.ingest(shed.batch(2, 2), NOW);
  await projectAll(store);
  await finish(build);
  await build.catchUp();
  expect(await build.swap()).toBe(true);
  expect((await store.counts()).skipped).toBe(1);
});

describe('the cats at a moment', () => {
  it('are the fold of all events before it, whatever has been folded so far', async () => {
    await fc.assert(
      fc.asyncProperty(story, sizes, order, fc.integer({ min: 1, max: 20 }), async (steps, cuts, arrives, slice) => {
        const writers = writersOf(steps);
        const store = await freshStore();
        for (const writer of writers) await store.ingest(writer.batch(1, 1), NOW);
        for (const [i, batch] of batches(writers, cuts, arrives).entries()) {
          await store.ingest(batch, NOW);
          if (i % 4 !== 0) await store.project(slice);
        }
        const events = corrected(writers);
        for (const second of [-1, 0, 3, 10, 17, 30, 31]) {
          const { cats } = foldEvents(events, at(second));
          const then = await store.catsAt(new Date(at(second)));
          expect(then.map(({ meowsToday: _n, lastHeard: _h, ...cat }) => cat)).toEqual(
            cats.map(({ catId, key: _key, sightings, ...cat }) => ({
              id: catId,
              ...cat,
              ...confidenceIn(sightings, cat.location),
            })),
          );
        }
        await store.close();
      }),
      { numRuns: runs(60) },
    );
  }, 240_000);

  it('have the meows of their day until then', async () => {
    const { store } = await house();
    const shed = meowing('shed', epochId(2), 10, 'C0FFEE02');
    await store.ingest(shed.batch(1, 10), NOW);
    const meows = async (second: number) =>
      (await store.catsAt(new Date(at(second)))).map(({ name, meowsToday, isMeowed }) => [name, meowsToday, isMeowed]);
    for (let folded = 0; folded < 2; folded += 1) {
      expect(await meows(0)).toEqual([]);
      expect(await meows(4.5)).toEqual([
        ['Minka', 3, true],
        ['Tom', 3, true],
      ]);
      expect(await meows(30)).toEqual([
        ['Minka', 15, false],
        ['Tom', 5, false],
      ]);
      expect(await meows(86_400 * 2)).toEqual([
        ['Minka', 0, false],
        ['Tom', 0, false],
      ]);
      await projectAll(store);
    }
  });
});

describe('what differs', () => {
  it('is named by its first row and not swapped, until somebody accepts it', async () => {
    const { url, store, replay } = await house();
    await rowsOf(url, "update meowing_v1 set location = 'roof' where timestamp = '2026-11-23T12:00:07.000Z'");
    await rowsOf(url, "update cat_v1 set location = 'cellar' where id = 2");
    const difference = {
      model: 'meowing',
      catId: 1,
      timestamp: at(7),
      event: `${epochId(1)}/8`,
      live: { location: 'roof' },
      rebuilt: { location: null },
    };
    expect(await replay.verifyModels(() => undefined)).toMatchObject({ equal: false, difference });
    const build = await replay.build(everything);
    await finish(build);
    const compared = await build.compare();
    expect(compared).toMatchObject({ equal: false, difference });
    expect(compared.live).not.toBe(compared.rebuilt);
    const again = await replay.build({ ...everything, accept: true });
    expect([again.version, again.resumed, (await again.step()).finished]).toEqual([2, true, true]);
    expect(await again.swap()).toBe(true);
    expect((await store.cats(new Date(NOW))).map(({ location }) => location)).toEqual([null, null]);
    expect(await replay.verifyModels(() => undefined)).toMatchObject({ equal: true, version: 2 });
  });

  it('may be a row that only one side has, or a cat', async () => {
    const { url, replay } = await house();
    await rowsOf(url, "delete from meowing_v1 where cat_id = 1 and event_type = 'meow'");
    expect((await replay.verifyModels(() => undefined)).difference).toMatchObject({
      timestamp: at(0),
      live: null,
      rebuilt: { event_type: 'meow', old_value: '0', new_value: '1' },
    });
    await rowsOf(url, 'delete from meowing_v1 where cat_id = 1');
    await rowsOf(url, 'delete from cat_v1 where id = 1');
    expect((await replay.verifyModels(() => undefined)).difference).toMatchObject({
      live: null,
      rebuilt: { event_type: 'cat_name', new_value: 'Minka' },
    });
    const { url: other, replay: second } = await house();
    await rowsOf(other, "update cat_v1 set name = 'Max' where id = 2");
    expect((await second.verifyModels(() => undefined)).difference).toEqual({
      model: 'cat',
      catId: 2,
      timestamp: null,
      event: null,
      live: { name: 'Max' },
      rebuilt: { name: 'Tom' },
    });
  });

  it('is built anew by the next replay, and by another program', async () => {
    const { url, replay } = await house();
    await rowsOf(url, "update cat_v1 set name = 'Max' where id = 2");
    const first = await replay.build(everything);
    await finish(first);
    expect((await first.compare()).equal).toBe(false);
    await expect(replay.build({ ...everything, accept: true, program: '2' })).rejects.toMatchObject({
      code: 'NOTHING_BUILT',
    });
    expect(await replay.build(everything)).toMatchObject({ version: 2, resumed: false, done: 0 });
    expect(await replay.build({ ...everything, program: '2' })).toMatchObject({ version: 2, resumed: false });
  });
});

describe('two replays', () => {
  it('do not build one version: the later one takes over', async () => {
    const { url, replay } = await house();
    const first = await replay.build(everything);
    await first.step();
    const other = await openReplayStore({ url, stepEvents: 12 });
    onTestFinished(() => other.close());
    const second = await other.build(everything);
    expect([second.version, second.resumed]).toEqual([first.version, true]);
    await expect(first.step()).rejects.toMatchObject({ code: 'REPLAY_TAKEN' });
    await finish(second);
    await expect(first.swap()).rejects.toMatchObject({ code: 'REPLAY_TAKEN' });
    expect(await second.swap()).toBe(true);
  });
});

describe('a past time', () => {
  it('has models of its own, which do not go live', async () => {
    const { url, store, replay } = await house();
    const build = await replay.build({ ...everything, to: at(4.5) });
    await finish(build);
    expect(await build.cats(new Date(at(4.5)))).toMatchObject([
      { name: 'Minka', isMeowed: true, meowsToday: 3 },
      { name: 'Tom', isMeowed: false, meowsToday: 0 },
    ]);
    expect(await rowsOf(url, 'select count(*) as n from meowing_v2')).toEqual([{ n: 7 }]);
    expect(await build.digest()).toMatch(/^[0-9a-f]{64}$/);
    expect((await store.cats(new Date(NOW)))[0]).toMatchObject({ isMeowed: false, meowsToday: 20 });
  });
});

describe('versions of the models', () => {
  it('take turns in the views, and the one before stays until the next replay', async () => {
    const { url, store, replay } = await house();
    const before = await rowsOf(url, 'select * from cat order by id');
    const changes = await rowsOf(url, 'select * from meowing order by cat_id, timestamp');
    expect(changes).toHaveLength(42);
    const build = await replay.build(everything);
    await finish(build);
    expect(await rowsOf(url, 'select * from cat order by id')).toEqual(before);
    await build.catchUp();
    expect(await build.swap()).toBe(true);
    expect(await rowsOf(url, 'select * from cat order by id')).toEqual(before);
    expect(await rowsOf(url, 'select * from meowing order by cat_id, timestamp')).toEqual(changes);
    expect(await rowsOf(url, 'select live, previous, building from model_version')).toEqual([
      { live: 2, previous: 1, building: null },
    ]);
    const next = await replay.build(everything);
    expect(next.version).toBe(3);
    await expect(rowsOf(url, 'select * from meowing_v1')).rejects.toThrow();
    expect(await rowsOf(url, 'select * from meowing_v2')).toHaveLength(42);
    expect(await rowsOf(url, 'select * from meowing_v3')).toEqual([]);
    expect(await replay.swapBack()).toBeNull();
    expect((await store.cats(new Date(NOW))).map(({ name }) => name)).toEqual(['Minka', 'Tom']);
  });

  it('are not swapped for one that is behind', async () => {
    const { store, replay } = await house();
    const build = await replay.build(everything);
    await finish(build);
    const hall = createWriter('hall2', epochId(8));
    hall.add('collar.assigned', 'cat/2', { catId: 2, collar: 'C0FFEE01' }, 20);
    await store.ingest(hall.batch(1, 1), NOW);
    await projectAll(store);
    expect(await build.swap()).toBe(false);
    await build.catchUp();
    expect(await build.compare()).toMatchObject({ equal: true, inFlight: 0 });
    expect(await build.swap()).toBe(true);
  });
});

it('tells nobody: what waits for webhooks is the same before and after', async () => {
  const { store, replay } = await house();
  const alert = { rule: 'battery', key: 'battery', since: '', text: '' } as const;
  await openAlertLog(
    store,
    () => new Date(NOW),
    () => ['a'],
  ).write('raised', 1, alert);
  await projectAll(store);
  const build = await replay.build(everything);
  await finish(build);
  await build.swap();
  await projectAll(store);
  expect(await store.noticeCounts()).toEqual({ waiting: 1, dead: 0, dropped: 0 });
});
