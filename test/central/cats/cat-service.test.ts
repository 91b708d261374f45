import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CatService, openCatService } from '../../../src/central/cats/cat-service.ts';
import { openStore } from '../../../src/central/open-store.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { createWriter, epochId } from '../store/events.ts';

const NOW = new Date('2026-11-23T08:00:00.000Z');

describe('CatService', () => {
  let store: Store;
  let cats: CatService;
  beforeEach(async () => {
    store = await openStore({ url: 'sqlite::memory:', now: () => NOW });
    cats = openCatService(store, () => NOW);
  });
  afterEach(() => store.close());

  const written = async () => {
    const { events } = await store.events({ limit: 100 });
    return events.map(({ type, subject, data }) => [type, subject, JSON.parse(data)]);
  };

  test('a new cat is named, wears its collar and gets the next number', async () => {
    expect(await cats.addCat(' Mia ', 'C0FFEE01')).toMatchObject({
      id: 1,
      name: 'Mia',
      collar: 'C0FFEE01',
      location: null,
    });
    expect(await cats.addCat('Otto')).toMatchObject({ id: 2, name: 'Otto', collar: null });
    expect(await written()).toEqual([
      ['collard.cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }],
      ['collard.collar.assigned', 'cat/1', { catId: 1, collar: 'C0FFEE01' }],
      ['collard.cat.named', 'cat/2', { catId: 2, oldName: null, newName: 'Otto' }],
    ]);
    expect(await store.cats(NOW)).toMatchObject([{ name: 'Mia', collar: 'C0FFEE01' }, { name: 'Otto' }]);
  });

  test.each([
    ['the same name', 'Mia', 'Mia'],
    ['another case', 'Mia', 'mIA'],
    ['another case outside ASCII', 'Émile', 'éMILE'],
    ['a decomposed letter', 'Ém', 'E\u0301m'],
    ['spaces around', 'Mia', '  Mia\t'],
  ])('%s is taken', async (_what, first, second) => {
    await cats.addCat(first);
    await expect(cats.addCat(second)).rejects.toMatchObject({ code: 'CAT_EXISTS', message: 'cat already exists' });
    expect(await written()).toHaveLength(1);
  });

  test('of many who add the same cat at once, one succeeds', async () => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => cats.addCat('Mia')));
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect(await store.cats(NOW)).toHaveLength(1);
  });

  test.each(['', '   ', 'x'.repeat(65), 'a\u0000b', 'a\nb', 'a\ud800'])('%j is no name', async (name) => {
    await expect(cats.addCat(name)).rejects.toMatchObject({ code: 'INVALID_NAME' });
  });

  test('64 characters outside the basic plane are a name', async () => {
    await expect(cats.addCat('🐈'.repeat(64))).resolves.toMatchObject({ id: 1 });
  });

  test('a cat is renamed, also to its own name in another case, but not to that of another', async () => {
    await cats.addCat('Mia');
    await cats.addCat('Otto');
    await cats.renameCat(1, 'MIA');
    await expect(cats.renameCat(1, 'otto')).rejects.toMatchObject({ code: 'CAT_EXISTS' });
    expect((await written()).at(-1)).toEqual([
      'collard.cat.named',
      'cat/1',
      { catId: 1, oldName: 'Mia', newName: 'MIA' },
    ]);
    await cats.renameCat(1, 'MIA');
    expect(await written()).toHaveLength(3);
  });

  test('a collar moves to the cat that it was given last', async () => {
    await cats.addCat('Mia', 'C1');
    await cats.addCat('Otto');
    await cats.assignCollar(2, 'C1');
    await cats.assignCollar(2, 'C1');
    expect(await store.cats(NOW)).toMatchObject([{ collar: null }, { collar: 'C1' }]);
    expect(await written()).toHaveLength(4);
  });

  test('a name and a collar change together or not at all', async () => {
    await cats.addCat('Mia');
    await cats.addCat('Otto');
    await expect(cats.changeCat(2, { name: 'Mia', collar: 'C9' })).rejects.toMatchObject({ code: 'CAT_EXISTS' });
    expect((await store.cats(NOW))[1]?.collar).toBeNull();
    expect(await cats.changeCat(2, { name: 'Olga', collar: 'C9' })).toMatchObject({ name: 'Olga', collar: 'C9' });
  });

  test('a changed place is an event, an unchanged one is none', async () => {
    await cats.addCat('Mia');
    await cats.updateCatLocation(1, 'kitchen');
    await cats.updateCatLocation(1, ' kitchen ');
    await cats.updateCatLocation(1, 'hall');
    expect((await written()).slice(1)).toEqual([
      ['collard.cat.moved', 'cat/1', { from: null, to: 'kitchen', catId: 1 }],
      ['collard.cat.moved', 'cat/1', { from: 'kitchen', to: 'hall', catId: 1 }],
    ]);
    expect(await store.cats(NOW)).toMatchObject([{ location: 'hall' }]);
  });

  test('nothing can be done with an unknown cat', async () => {
    const unknown = { code: 'CAT_NOT_FOUND', message: 'cat not found' };
    await expect(cats.updateCatLocation(7, 'hall')).rejects.toMatchObject(unknown);
    await expect(cats.renameCat(7, 'Mia')).rejects.toMatchObject(unknown);
    await expect(cats.assignCollar(7, 'C1')).rejects.toMatchObject(unknown);
  });

  /** The ids of what porch has told of collar C1: a shake, and a move. */
  const told = async () => {
    const porch = createWriter('porch', epochId(1));
    porch.add('meow.started', 'collar/C1', { level: 1 }, -60);
    porch.add('cat.moved', 'collar/C1', { from: null, to: 'garden' }, -59);
    porch.add('meow.ended', 'collar/C1', { durationMs: 400, peakG: 1, readings: 9, place: null }, -58);
    porch.add('meow.started', 'collar/C1', { level: 1 }, -57);
    await store.ingest(porch.batch(1, 4), NOW.toISOString());
    return [1, 2, 3, 4].map((seq) => `${porch.epoch}/${seq}`);
  };
  const revoke = (id: string, reason = 'a dog') => {
    const [epoch = '', seq = ''] = id.split('/');
    return cats.revoke(epoch, Number(seq), reason);
  };
  const reassign = (id: string, cat: number, reason = 'her collar') => {
    const [epoch = '', seq = ''] = id.split('/');
    return cats.reassign(epoch, Number(seq), cat, reason);
  };
  /** The newest corrections of central, in order. */
  const corrections = async (count: number) => {
    const types = ['collard.event.revoked', 'collard.event.reassigned'];
    const { events } = await store.events({ limit: 100, types });
    return events.slice(-count).map(({ epoch, seq }) => `${epoch}/${seq}`);
  };
  const shakesToday = async () => (await store.cats(NOW)).map((cat) => cat.meowsToday);

  test('an event is taken back once', async () => {
    await cats.addCat('Mia');
    await cats.updateCatLocation(1, 'kitchen');
    const moved = (await store.events({ limit: 10 })).events.at(-1);
    const { epoch = '', seq = 0 } = moved ?? {};
    expect(await cats.revoke(epoch, seq, 'wrong button')).toEqual([`${epoch}/${seq}`]);
    expect(await cats.revoke(epoch, seq, 'wrong button')).toEqual([]);
    expect((await written()).slice(2)).toEqual([
      ['collard.event.revoked', null, { epoch, seq, reason: 'wrong button' }],
    ]);
    expect(await store.cats(NOW)).toMatchObject([{ location: null }]);
    await expect(cats.revoke(epoch, 99, 'x')).rejects.toMatchObject({ code: 'EVENT_NOT_FOUND' });
    await expect(cats.revoke(epoch, 1, ' ')).rejects.toMatchObject({ code: 'INVALID_REASON' });
  });

  test('a correction of a place is undone, and the undo is final', async () => {
    await cats.addCat('Mia');
    await cats.updateCatLocation(1, 'kitchen');
    await cats.updateCatLocation(1, 'hall');
    const moved = (await store.events({ limit: 10 })).events.at(-1);
    await revoke(`${moved?.epoch}/${moved?.seq}`);
    expect(await store.cats(NOW)).toMatchObject([{ location: 'kitchen' }]);
    const [revoked = ''] = await corrections(1);
    expect(await revoke(revoked)).toEqual([revoked]);
    expect(await store.cats(NOW)).toMatchObject([{ location: 'hall' }]);
    const [undo = ''] = await corrections(1);
    await expect(revoke(undo)).rejects.toMatchObject({
      code: 'UNDO_IS_FINAL',
      message: expect.stringContaining(`correct ${moved?.epoch}/${moved?.seq} again`),
    });
  });

  test('a shake is taken back as a whole, from either end, and comes back as a whole', async () => {
    await cats.addCat('Mia', 'C1');
    const [start = '', , end = '', open = ''] = await told();
    expect(await revoke(end)).toEqual([end, start]);
    expect(await shakesToday()).toEqual([1]);
    const [first = '', second = ''] = await corrections(2);
    expect(await revoke(second)).toEqual([second, first]);
    expect(await shakesToday()).toEqual([2]);
    expect(await revoke(start)).toEqual([start, end]);
    // The one that goes on has no end yet.
    expect(await revoke(open)).toEqual([open]);
    expect(await store.cats(NOW)).toMatchObject([{ meowsToday: 0, isMeowed: false, location: 'garden' }]);
  });

  test('what a collar told is given to another cat, a shake as a whole, and comes back as a whole', async () => {
    await cats.addCat('Mia', 'C1');
    await cats.addCat('Otto');
    const [start = '', move = '', end = ''] = await told();
    expect(await reassign(start, 2)).toEqual([start, end]);
    expect(await reassign(end, 2)).toEqual([]);
    expect(await reassign(move, 2)).toEqual([move]);
    expect(await store.cats(NOW)).toMatchObject([
      { name: 'Mia', meowsToday: 1, location: null },
      { name: 'Otto', meowsToday: 1, location: 'garden', collar: null },
    ]);
    const [first = '', second = ''] = await corrections(3);
    expect(await revoke(first)).toEqual([first, second]);
    expect(await shakesToday()).toEqual([2, 0]);
    expect(await store.cats(NOW)).toMatchObject([{ location: null }, { location: 'garden' }]);
  });

  test('a correction that a half of a shake has of its own stays when the other half is undone', async () => {
    await cats.addCat('Mia', 'C1');
    const porch = createWriter('porch', epochId(1));
    porch.add('meow.started', 'collar/C1', { level: 1 }, -60);
    porch.add('meow.ended', 'collar/C1', { durationMs: 400, peakG: 1, readings: 9, place: null }, -58);
    porch.add('event.revoked', null, { epoch: porch.epoch, seq: 2, reason: 'its own' }, -50);
    await store.ingest(porch.batch(1, 3), NOW.toISOString());
    expect(await revoke(`${porch.epoch}/1`)).toEqual([`${porch.epoch}/1`]);
    const [revoked = ''] = await corrections(1);
    expect(await revoke(revoked)).toEqual([revoked]);
  });

  test('what is nothing of a cat, or taken back, is given to nobody', async () => {
    await cats.addCat('Mia', 'C1');
    const [start = ''] = await told();
    const named = (await store.events({ limit: 1, types: ['collard.cat.named'] })).events[0];
    const name = `${named?.epoch}/${named?.seq}`;
    await expect(reassign(name, 1)).rejects.toMatchObject({ code: 'NOT_OF_A_CAT' });
    await expect(reassign(start, 7)).rejects.toMatchObject({ code: 'CAT_NOT_FOUND' });
    await expect(reassign(start.replace(/1$/, '99'), 1)).rejects.toMatchObject({ code: 'EVENT_NOT_FOUND' });
    await revoke(start);
    await expect(reassign(start, 1)).rejects.toMatchObject({ code: 'TAKEN_BACK' });
  });
});
