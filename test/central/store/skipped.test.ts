import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { catModel } from '../../../src/central/models/cat-model.ts';
import { openStore } from '../../../src/central/open-store.ts';
import { openSqlStore } from '../../../src/central/store/sql-store.ts';
import type { Store } from '../../../src/central/store/store.ts';
import type { StoredEvent } from '../../../src/contract/event.ts';
import { freshUrl, rowsOf } from '../engines/fresh.ts';
import { at, createWriter, epochId, NOW, type Writer } from './events.ts';

let url: string;
let porch: Writer;

beforeEach(async () => {
  url = await freshUrl();
  porch = createWriter('porch', epochId(1));
  porch.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, 0);
  porch.add('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, 0);
  porch.add('cat.moved', 'collar/A', { from: null, to: 'kitchen' }, 1);
});

const open = (fold: 'stop' | 'quarantine' = 'quarantine') => openStore({ url, fold });
const foldAll = async (store: Store) => {
  for (;;) {
    const { events, stopped = null } = await store.project(100);
    if (events === 0) return stopped;
  }
};

/** An event as another program may have written it. */
function strange(change: Partial<StoredEvent>): void {
  const event = porch.add('cat.moved', 'collar/A', { from: null, to: 'garden' }, porch.events.length);
  porch.events[porch.events.length - 1] = { ...event, ...change };
}

describe('what this program cannot read', () => {
  it('is kept, noted by type and version, and left out', async () => {
    strange({ type: 'org.example.purr' });
    strange({ version: 2 });
    strange({ version: 2 });
    strange({ type: 'collard.sensor.failed', version: 3 });
    strange({ data: '{"to":7}' });
    const store = await open();
    onTestFinished(() => store.close());
    await store.ingest(porch.batch(1, porch.events.length), NOW);
    expect(await foldAll(store)).toBeNull();
    expect(await store.foldStatus()).toEqual({
      stopped: null,
      skipped: [
        {
          type: 'collard.cat.moved',
          version: 2,
          events: 2,
          needed: true,
          reason: 'version 2 of collard.cat.moved is newer',
        },
        {
          type: 'collard.cat.moved',
          version: 1,
          events: 1,
          needed: true,
          reason: 'data of collard.cat.moved has another shape',
        },
        {
          type: 'collard.sensor.failed',
          version: 3,
          events: 1,
          needed: false,
          reason: 'version 3 of collard.sensor.failed is newer',
        },
        {
          type: 'org.example.purr',
          version: 1,
          events: 1,
          needed: false,
          reason: 'type org.example.purr is not known',
        },
      ],
    });
    expect(await store.counts()).toMatchObject({ events: 8, skipped: 5 });
    expect((await store.events({ limit: 100 })).events).toHaveLength(8);
    expect((await store.cats(new Date(NOW)))[0]?.location).toBe('kitchen');
    expect(await store.versions()).toEqual([
      { type: 'collard.cat.moved', version: 1, events: 2, first: at(1), last: at(7) },
      { type: 'collard.cat.moved', version: 2, events: 2, first: at(4), last: at(5) },
      { type: 'collard.cat.named', version: 1, events: 1, first: at(0), last: at(0) },
      { type: 'collard.collar.assigned', version: 1, events: 1, first: at(0), last: at(0) },
      { type: 'collard.sensor.failed', version: 3, events: 1, first: at(6), last: at(6) },
      { type: 'org.example.purr', version: 1, events: 1, first: at(3), last: at(3) },
    ]);
  });

  it('is folded by a program that can, into its place in time, and told to nobody as news', async () => {
    porch.add('meow.started', 'collar/A', { level: 1 }, 2);
    porch.add('cat.moved', 'collar/A', { from: 'kitchen', to: 'garden' }, 3);
    porch.add('collar.assigned', 'cat/1', { catId: 1, collar: 'B' }, 4);
    // A program of before collars were assigned, and of before cats moved.
    const ignorant = await openSqlStore({
      url,
      model: {
        ...catModel,
        meaning: (event) =>
          /collar\.assigned|cat\.moved/.test(event.type)
            ? { type: 'skipped', reason: 'never heard of it', needed: false }
            : catModel.meaning(event),
      },
    });
    await ignorant.ingest(porch.batch(1, 6), NOW);
    await foldAll(ignorant);
    expect(await ignorant.cats(new Date(NOW))).toMatchObject([{ name: 'Minka', collar: null, location: null }]);
    expect((await ignorant.counts()).skipped).toBe(4);
    await ignorant.close();

    const store = await open();
    onTestFinished(() => store.close());
    const first = await store.project(100);
    expect(first).toEqual({ events: 4, changedCats: [1], meows: [] });
    expect(await foldAll(store)).toBeNull();
    expect(await store.counts()).toMatchObject({ events: 6, skipped: 0 });
    expect(await store.cats(new Date(NOW))).toMatchObject([{ collar: 'B', location: 'garden', meowsToday: 1 }]);
  });

  it('changes what other events mean as soon as it can be read', async () => {
    porch.add('cat.moved', 'collar/A', { from: 'kitchen', to: 'garden' }, 2);
    porch.add('event.revoked', null, { epoch: porch.epoch, seq: 4, reason: 'a dog' }, 3);
    porch.add('history.lost', null, { epoch: porch.epoch, fromSeq: 9, toSeq: 9, count: 1, reason: 'gone' }, 4);
    for (const i of [4, 5]) porch.events[i] = { ...(porch.events[i] as StoredEvent), version: 2 };
    const before = await open();
    await before.ingest(porch.batch(1, 6), NOW);
    await foldAll(before);
    expect(await before.cats(new Date(NOW))).toMatchObject([{ location: 'garden' }]);
    expect(await before.counts()).toMatchObject({ skipped: 2, gaps: 0 });
    await before.close();
    // The program learns version 2: here, version 2 becomes what it knows.
    await rowsOf(url, 'update event set version = 1');
    await rowsOf(url, 'update skipped set version = 1');
    const store = await open();
    onTestFinished(() => store.close());
    await foldAll(store);
    expect(await store.cats(new Date(NOW))).toMatchObject([{ location: 'kitchen' }]);
    expect(await store.counts()).toMatchObject({ skipped: 0, gaps: 1 });
  });

  it('that an older store had only counted is noted', async () => {
    strange({ version: 2 });
    const before = await open();
    await before.ingest(porch.batch(1, 4), NOW);
    await foldAll(before);
    await before.close();
    await rowsOf(url, 'delete from skipped');
    await rowsOf(url, `delete from meta where name = 'settled.corrections'`);
    await rowsOf(url, `insert into meta values ('skipped.cat_v1', '1')`);
    const store = await open();
    onTestFinished(() => store.close());
    expect(await store.foldStatus()).toMatchObject({ skipped: [{ type: 'collard.cat.moved', version: 2, events: 1 }] });
  });
});

describe('with the policy stop', () => {
  it('the models stand still before what they need, and everything else goes on', async () => {
    strange({ type: 'org.example.purr' });
    strange({ type: 'collard.sensor.failed', version: 2 });
    porch.add('meow.started', 'collar/A', { level: 1 }, 6);
    strange({ version: 2 });
    porch.add('cat.moved', 'collar/A', { from: null, to: 'hall' }, 8);
    const store = await open('stop');
    onTestFinished(() => store.close());
    await store.ingest(porch.batch(1, porch.events.length), NOW);
    const stopped = {
      id: `${epochId(1)}/7`,
      agent: 'porch',
      type: 'collard.cat.moved',
      version: 2,
      reason: 'version 2 of collard.cat.moved is newer',
    };
    // All before it is folded, in one slice with it.
    expect(await store.project(100)).toMatchObject({ events: 6, changedCats: [1], stopped });
    expect(await store.project(100)).toEqual({ events: 0, changedCats: [], meows: [], stopped });
    expect(await store.cats(new Date(NOW))).toMatchObject([{ location: 'kitchen', isMeowed: true }]);
    expect((await store.foldStatus()).stopped).toEqual(stopped);
    const shed = createWriter('a', epochId(2));
    shed.add('cat.named', 'cat/2', { catId: 2, oldName: null, newName: 'Otto' }, 0);
    expect((await store.ingest(shed.batch(1, 1), NOW)).stored.seq).toBe(1);
    expect(await store.project(100)).toMatchObject({ events: 0, stopped });
    expect(await store.cats(new Date(NOW))).toHaveLength(1);
  });

  it('a command that needs to know the cats is refused, and one that takes the event back lets the models go on', async () => {
    strange({ version: 2 });
    porch.add('cat.moved', 'collar/A', { from: null, to: 'hall' }, 8);
    const store = await open('stop');
    onTestFinished(() => store.close());
    await store.ingest(porch.batch(1, 5), NOW);
    const look = store.command(NOW, async (view) => ({ events: [], result: await view.cats() }));
    await expect(look).rejects.toMatchObject({ code: 'MODEL_STOPPED', message: expect.stringContaining('upgrade') });
    const central = createWriter('central', epochId(9));
    central.add('event.revoked', null, { epoch: porch.epoch, seq: 4, reason: 'from the future' }, 9);
    await store.ingest(central.batch(1, 1), NOW);
    expect(await foldAll(store)).toBeNull();
    expect(await store.cats(new Date(NOW))).toMatchObject([{ location: 'hall' }]);
    // It stays noted: a program that can read it may be told to take it in again.
    expect(await store.foldStatus()).toMatchObject({ stopped: null, skipped: [{ version: 2, events: 1 }] });
  });

  it('another policy lets the models go on', async () => {
    strange({ version: 2 });
    porch.add('cat.moved', 'collar/A', { from: null, to: 'hall' }, 8);
    const strict = await open('stop');
    await strict.ingest(porch.batch(1, 5), NOW);
    expect(await foldAll(strict)).not.toBeNull();
    await strict.close();
    const store = await open('quarantine');
    onTestFinished(() => store.close());
    expect(await foldAll(store)).toBeNull();
    expect(await store.cats(new Date(NOW))).toMatchObject([{ location: 'hall' }]);
    expect((await store.foldStatus()).stopped).toBeNull();
  });
});
