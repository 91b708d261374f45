import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { foldEvents } from '../../../src/central/models/fold.ts';
import { openReplayStore, openStore } from '../../../src/central/open-store.ts';
import { confidenceIn } from '../../../src/central/store/read-models.ts';
import type { Build } from '../../../src/central/store/replay-store.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { freshUrl, rowsOf, runs } from '../engines/fresh.ts';
import { at, createWriter, epochId, meowing, NOW, type Writer } from './events.ts';
import { batches, corrected, digest, folded, type Step, step, writersOf } from './story.ts';

const everything = { to: null, accept: false, program: '1' };
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'collard-sealed-'));
});

afterEach(() => {
  rmSync(home, { recursive: true });
});

async function finish(build: Build): Promise<number> {
  let events = 0;
  for (let finished = false; !finished; ) {
    const step = await build.step();
    if (step.phase === 'folding') events += step.events;
    finished = step.finished;
  }
  build.close();
  return events;
}

async function projectAll(store: Store): Promise<void> {
  while ((await store.project(1_000)).events > 0);
}

async function expire(store: Store, dir: string, second: number): Promise<number> {
  const { events } = await store.expire({ dir, before: at(second), signal: new AbortController().signal });
  return events;
}

/** A new version of everything, broken off once; live, whatever it says of the one before. Resolves to what it says. */
async function replayAll(url: string, segments: string, breakAt: number) {
  let replay = await openReplayStore({ url, segments, stepEvents: 12 });
  let build = await replay.build(everything);
  for (let n = 0; n < breakAt && !(await build.step()).finished; n += 1);
  build.close();
  await replay.close();
  replay = await openReplayStore({ url, segments, stepEvents: 12 });
  try {
    build = await replay.build(everything);
    expect(build.resumed).toBe(true);
    const events = build.done + (await finish(build));
    await build.catchUp();
    const compared = await build.compare();
    expect(await build.swap()).toBe(true);
    let told: number[] = [];
    const onPage = (page: number, of: number) => (told = [...told, page, of]);
    expect(await replay.verifyModels(onPage)).toMatchObject({ equal: true, events, live: compared.rebuilt });
    expect(told.length).toBeGreaterThan(0);
    return { compared, events };
  } finally {
    await replay.close();
  }
}

const shuffled = {
  steps: fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
  sizes: fc.array(fc.nat(7), { minLength: 1, maxLength: 5, size: 'max' }),
  order: fc.array(fc.nat(100), { minLength: 1, maxLength: 40, size: 'max' }),
  /** Of every few batches, up to which second what is old goes; beyond 30 all goes that may. */
  cuts: fc.array(fc.option(fc.integer({ min: 1, max: 40 }), { freq: 2 }), { minLength: 1, maxLength: 8, size: 'max' }),
  breakAt: fc.nat(9),
};

/** Everything arrives in pieces; where `late`, what is old goes in between, and what comes then may be older than that. */
async function arriveAndExpire(
  store: Store,
  dir: string,
  writers: readonly Writer[],
  given: {
    readonly sizes: readonly number[];
    readonly order: readonly number[];
    readonly cuts: readonly (number | null)[];
  },
  late: boolean,
): Promise<void> {
  const { sizes, order, cuts } = given;
  for (const writer of writers) await store.ingest(writer.batch(1, 1), NOW);
  const cut = async (i: number) => {
    const second = cuts[i % cuts.length] ?? null;
    if (second !== null) await expire(store, dir, second);
  };
  for (const [i, batch] of batches(writers, sizes, order).entries()) {
    await store.ingest(batch, NOW);
    if (i % 3 !== 0) await store.project(7);
    if (late) await cut(i);
  }
  await projectAll(store);
  for (const i of cuts.keys()) await cut(i);
}

/** Whatever is in segments of it. */
async function pastOf(url: string, segments: string, second: number): Promise<unknown> {
  const replay = await openReplayStore({ url, segments });
  const cats = await replay.wholeCatsAt(new Date(at(second)));
  await replay.close();
  return cats.map(({ lastHeard: _heard, ...cat }) => cat);
}

function catsThen(writers: readonly Writer[], second: number): unknown {
  const { cats, meowing: rows } = foldEvents(corrected(writers), at(second));
  const day = new Date(at(second));
  const midnight = new Date(day.getFullYear(), day.getMonth(), day.getDate()).toISOString();
  const meows = rows.filter(
    ({ eventType, newValue, timestamp }) => eventType === 'meow' && newValue === '1' && timestamp >= midnight,
  );
  return cats.map(({ catId: id, key: _key, sightings, ...cat }) => {
    const sure = confidenceIn(sightings, cat.location);
    return { id, ...cat, ...sure, meowsToday: meows.filter(({ catId }) => catId === id).length };
  });
}

function told(steps: readonly Step[]): readonly Writer[] {
  return writersOf(steps);
}

describe('a replay over retention', () => {
  it('makes the same models of segments and rows, whatever went when and however it arrived', async () => {
    let sealed = 0;
    await fc.assert(
      fc.asyncProperty(fc.record(shuffled), fc.boolean(), async ({ steps, breakAt, ...given }, late) => {
        const [url, dir] = [await freshUrl(), mkdtempSync(join(home, 'segments-'))];
        const store = await openStore({ url });
        try {
          const writers = told(steps);
          await arriveAndExpire(store, dir, writers, given, late);
          const first = await replayAll(url, dir, breakAt);
          if (!late) expect(first.compared).toMatchObject({ equal: true, difference: null });
          expect(first.events).toBe(writers.reduce((sum, { events }) => sum + events.length, 0));
          expect(await digest(store)).toEqual(folded(corrected(writers)));
          for (const second of [0, 3, 17, 31])
            expect(await pastOf(url, dir, second)).toEqual(catsThen(writers, second));
          // The version that is live now goes on: from its checkpoints, since what lies before them is gone.
          const news = createWriter('news', epochId(7));
          for (let second = 41; second < 60; second += 1) {
            news.add('cat.moved', 'collar/A', { from: null, to: second % 2 === 0 ? 'roof' : 'cellar' }, second);
          }
          const more = [...writers, news];
          await store.ingest(news.batch(1, 19), NOW);
          await projectAll(store);
          expect(await digest(store)).toEqual(folded(corrected(more)));
          sealed += await expire(store, dir, 50);
          const second = await replayAll(url, dir, breakAt);
          expect(second.compared).toMatchObject({ equal: true, difference: null });
          expect(await digest(store)).toEqual(folded(corrected(more)));
        } finally {
          await store.close();
        }
      }),
      { numRuns: runs(30) },
    );
    expect(sealed).toBeGreaterThan(0);
  }, 240_000);
});

/** Mia wears a collar of porch, which shakes once a second; what is older than a second is in segments. */
async function house(second = 30) {
  const [url, dir] = [await freshUrl(), join(home, 'segments')];
  const store = await openStore({ url });
  onTestFinished(() => store.close());
  const hall = createWriter('hall', epochId(2));
  hall.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }, 0);
  hall.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C0FFEE01' }, 0);
  await store.ingest(hall.batch(1, 2), NOW);
  await store.ingest(meowing('porch', epochId(1), 60).batch(1, 60), NOW);
  await projectAll(store);
  expect(await expire(store, dir, second)).toBe(2 + Math.min(second, 60));
  const opened = async (segments: string | undefined) => {
    const replay = await openReplayStore({ url, segments, stepEvents: 12 });
    onTestFinished(() => replay.close());
    return replay;
  };
  return { url, dir, store, opened };
}

describe('retention after a replay', () => {
  it('goes on: the version that was live before follows, and may be live again', async () => {
    const { dir, store, opened } = await house();
    const replay = await opened(dir);
    const build = await replay.build(everything);
    await finish(build);
    expect(await build.swap()).toBe(true);
    await store.ingest(meowing('shed', epochId(4), 60, 'C0FFEE01').batch(1, 60), NOW);
    await projectAll(store);
    const { cats, histories } = (await digest(store)) as Record<string, unknown>;
    expect(await expire(store, dir, 50)).toBe(20 + 50);
    expect(await replay.swapBack()).toMatchObject({ live: 1, previous: 2 });
    expect(await digest(store)).toMatchObject({ cats, histories });
    expect((await replay.verifyModels(() => undefined)).equal).toBe(true);
  });
});

describe('old events in segments', () => {
  it('are read where their folder is named, and asked for where it is not', async () => {
    const { dir, opened } = await house();
    const without = await opened(undefined);
    const refusal = { code: 'EXPIRED', message: expect.stringContaining('retention.segments') };
    await expect(without.build(everything)).rejects.toMatchObject(refusal);
    await expect(without.verifyModels(() => undefined)).rejects.toMatchObject(refusal);
    const replay = await opened(dir);
    expect(await replay.verifyModels(() => undefined)).toMatchObject({ equal: true, events: 62, cats: 1 });
    const then = await replay.build({ ...everything, to: at(4.5) });
    expect(await finish(then)).toBe(7);
    expect(await then.cats(new Date(at(4.5)))).toMatchObject([{ name: 'Mia', isMeowed: true, meowsToday: 3 }]);
  });

  it.each([30, 100])(
    'make up what came late and is older than second %d, and what comes late after that',
    async (second) => {
      const { dir, store, opened } = await house(second);
      const late = createWriter('late', epochId(3));
      late.add('cat.moved', 'collar/C0FFEE01', { from: null, to: 'roof' }, 10);
      late.add('cat.moved', 'collar/C0FFEE01', { from: null, to: 'cellar' }, 20);
      await store.ingest(late.batch(1, 1), NOW);
      await projectAll(store);
      const place = async () => (await store.cats(new Date(NOW)))[0]?.location;
      expect(await place()).toBeNull();
      const replay = await opened(dir);
      const difference = { timestamp: at(10), live: null, rebuilt: { new_value: 'roof' } };
      const build = await replay.build(everything);
      await finish(build);
      expect(await build.compare()).toMatchObject({ equal: false, difference });
      expect(await build.swap()).toBe(true);
      expect(await place()).toBe('roof');
      await store.ingest(late.batch(2, 2), NOW);
      await projectAll(store);
      // Again too old: the live version goes back to what is pinned, and what that one knows stays.
      expect(await place()).toBe('roof');
      expect((await replay.verifyModels(() => undefined)).difference).toMatchObject({ timestamp: at(20), live: null });
      const again = await replay.build(everything);
      await finish(again);
      expect(await again.swap()).toBe(true);
      expect([await place(), (await replay.verifyModels(() => undefined)).equal]).toEqual(['cellar', true]);
    },
  );

  it('that are rows as well, while these are being deleted, count once', async () => {
    const { url, dir, store, opened } = await house();
    const stop = new AbortController();
    const options = { dir, before: at(50), signal: stop.signal };
    await store.expire({ ...options, step: (name) => name === 'noted' && stop.abort() });
    expect((await store.segments()).at(-1)).toMatchObject({ toSeq: 50, done: false });
    expect(await rowsOf(url, 'select count(*) as n from event')).toEqual([{ n: 32 }]);
    expect(await (await opened(dir)).verifyModels(() => undefined)).toMatchObject({ equal: true, events: 62 });
  });

  it('that are missing or damaged are named, and nothing is swapped', async () => {
    const { url, dir, opened } = await house();
    const replay = await opened(dir);
    const porch = readdirSync(dir).filter((name) => name.startsWith(epochId(1)));
    expect(porch).toHaveLength(2);
    for (const name of porch) {
      const path = join(dir, name);
      const bytes = readFileSync(path);
      const flipped = bytes.with(bytes.length >> 1, 0xff ^ (bytes[bytes.length >> 1] ?? 0));
      for (const broken of [flipped, bytes.subarray(0, -9), null]) {
        rmSync(path);
        if (broken !== null) writeFileSync(path, broken);
        const damage = { code: 'SEGMENT_DAMAGED', message: expect.stringContaining(name.replace(/json$/, '')) };
        const build = await replay.build(everything);
        await expect(finish(build)).rejects.toMatchObject(damage);
        build.close();
        await expect(replay.verifyModels(() => undefined)).rejects.toMatchObject(damage);
      }
      writeFileSync(path, bytes);
    }
    expect(await rowsOf(url, 'select live, building from model_version')).toEqual([{ live: 1, building: 2 }]);
    expect(await rowsOf(url, 'select count(*) as n from meowing_v2')).toEqual([{ n: 0 }]);
    const build = await replay.build(everything);
    await finish(build);
    expect(await build.compare()).toMatchObject({ equal: true });
  });

  it('that are whole and not the ones that were sealed are named too', async () => {
    const { url, dir, opened } = await house();
    const replay = await opened(dir);
    for (const [change, reason] of [
      [`update segment set sha256 = '${'0'.repeat(64)}' where epoch_no = 3`, 'is not the segment that was sealed'],
      ['update segment set chain = null where epoch_no = 3', 'is not the segment that was sealed'],
      ['update segment set events = 29 where epoch_no = 3', 'has 30 events, not 29'],
    ] as const) {
      const before = await rowsOf(url, 'select sha256, chain, events from segment where epoch_no = 3');
      await rowsOf(url, change);
      await expect(replay.verifyModels(() => undefined)).rejects.toMatchObject({
        code: 'SEGMENT_DAMAGED',
        message: expect.stringContaining(reason),
      });
      const { sha256, chain, events } = before[0] as Record<string, unknown>;
      await rowsOf(
        url,
        `update segment set sha256 = '${sha256}', chain = '${chain}', events = ${events} where epoch_no = 3`,
      );
    }
    expect((await replay.verifyModels(() => undefined)).equal).toBe(true);
  });
});
