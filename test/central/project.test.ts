import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createChanges } from '../../src/central/api/changes.ts';
import { openStore } from '../../src/central/open-store.ts';
import { type MeowNotice, runProject, SLICE_EVENTS } from '../../src/central/project.ts';
import type { CatRow, Store } from '../../src/central/store/store.ts';
import { newEvent } from '../../src/contract/event.ts';
import { until } from './broker.ts';
import { at, createWriter, epochId, meowing, NOW, type Writer } from './store/events.ts';

let store: Store;
let stop: AbortController;
let running: Promise<void>;
const cats: CatRow[] = [];
const meows: MeowNotice[] = [];
const arrived = createChanges();
const shown = createChanges();

async function nameCat(collar: string): Promise<void> {
  const when = { time: at(-10), clock: 'synced', boot: null, monoMs: null } as const;
  await store.command(NOW, async (view) => {
    const catId = await view.nextCatId();
    return {
      result: catId,
      events: [
        newEvent('cat.named', `cat/${catId}`, { catId, oldName: null, newName: 'Minka' }, when),
        newEvent('collar.assigned', `cat/${catId}`, { catId, collar }, when),
      ],
    };
  });
}

async function send(writer: Writer): Promise<void> {
  await store.ingest(writer.batch(1, writer.events.length), NOW);
  arrived.announce();
}

beforeEach(async () => {
  cats.length = 0;
  meows.length = 0;
  store = await openStore({ url: 'sqlite::memory:' });
  stop = new AbortController();
  running = runProject(
    {
      store,
      arrived,
      clock: () => new Date(NOW),
      announceCat: (row) => cats.push(row),
      announceMeow: (meow) => meows.push(meow),
      changed: shown.announce,
    },
    stop.signal,
  );
});
afterEach(async () => {
  stop.abort();
  await running;
  await store.close();
});

describe('project', () => {
  it('tells a changed cat and one message for each meow', async () => {
    await nameCat('C0FFEE01');
    await send(meowing('porch', epochId(1), 5));
    await until('all meows are told', () => meows.length === 3);
    expect(cats.at(-1)).toMatchObject({ id: 1, name: 'Minka', isMeowed: true, meowsToday: 3, lastSeen: at(4) });
    expect(meows[0]).toEqual({
      id: `${epochId(1)}/1`,
      catId: 1,
      name: 'Minka',
      time: at(0),
      collar: 'C0FFEE01',
      location: null,
    });
    expect(shown.version).toBeGreaterThan(0);
  });

  it('tells nothing of meows that become known by a late assignment', async () => {
    await send(meowing('porch', epochId(1), 5));
    await until('they are folded', async () => (await store.project(1)).events === 0);
    await nameCat('C0FFEE01');
    await until('the cat is told', () => cats.length > 0);
    expect(cats.at(-1)).toMatchObject({ meowsToday: 3 });
    expect(meows).toEqual([]);
  });

  it('is woken by an announcement, not only by its clock', async () => {
    await nameCat('C0FFEE01');
    const before = Date.now();
    for (let n = 1; n <= 5; n += 1) {
      const writer = createWriter('porch', epochId(n));
      writer.add('meow.started', 'collar/C0FFEE01', { level: 1 }, 10 * n);
      writer.add('meow.ended', 'collar/C0FFEE01', { durationMs: 1, peakG: 1, readings: 1, place: null }, 10 * n + 1);
      await send(writer);
      await until('it is told', () => meows.length === n);
    }
    expect(Date.now() - before).toBeLessThan(3_000);
  });

  it('leaves out and counts what it cannot read', async () => {
    const writer = createWriter('porch', epochId(1));
    writer.add('meow.started', 'collar/C0FFEE01', { level: 'loud' as unknown as number }, 0);
    await send(writer);
    await until('it is counted', async () => (await store.counts()).skipped === 1);
  });
});

describe('a slice', () => {
  afterEach(() => vi.useRealTimers());

  it.each([
    [300, 600],
    [5_000, 1_000],
  ])('that has taken %i ms is followed after %i ms: receiving has the database meanwhile', async (takesMs, restsMs) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const end = new AbortController();
    let [nowMs, slices] = [Date.parse(NOW), 0];
    const project = async () => {
      nowMs += takesMs;
      slices += 1;
      return { events: SLICE_EVENTS, changedCats: [], meows: [] };
    };
    const nothing = () => undefined;
    const told = { announceCat: nothing, announceMeow: nothing, changed: nothing };
    const parts = { store: { project, cats: async () => [] }, arrived: createChanges(), clock: () => new Date(nowMs) };
    const loop = runProject({ ...parts, ...told }, end.signal);
    for (const wanted of [1, 2, 3]) {
      await vi.advanceTimersByTimeAsync(restsMs - 1);
      expect(slices).toBe(wanted);
      await vi.advanceTimersByTimeAsync(1);
      await setImmediate();
    }
    end.abort();
    await loop;
  });
});

describe('commands', () => {
  it('see what commands before them wrote, and are seen at once', async () => {
    await nameCat('A');
    const names = await Promise.all(
      [1, 2].map(() => store.command(NOW, async (view) => ({ events: [], result: await view.catByName('Minka') }))),
    );
    expect(names.map((cat) => cat?.id)).toEqual([1, 1]);
    expect(await store.cats(new Date(NOW))).toHaveLength(1);
  });

  it('write nothing when they fail', async () => {
    await expect(store.command(NOW, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect((await store.counts()).events).toBe(0);
  });
});
