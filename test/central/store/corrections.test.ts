import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../src/central/store/store.ts';
import { freshStore } from '../engines/fresh.ts';
import { at, createWriter, epochId, NOW, type Writer } from './events.ts';

let store: Store;
let porch: Writer;
let central: Writer;
let sent: Map<Writer, number>;

/** Stores and folds what the writers have written since. */
async function fold(...writers: Writer[]): Promise<readonly number[]> {
  for (const writer of writers) {
    const from = (sent.get(writer) ?? 0) + 1;
    if (writer.events.length >= from) await store.ingest(writer.batch(from, writer.events.length), NOW);
    sent.set(writer, writer.events.length);
  }
  const changed: number[] = [];
  for (;;) {
    const { events, changedCats, meows } = await store.project(100);
    if (events === 0) return changed;
    changed.push(...changedCats);
    if (writers.every((writer) => writer === central)) expect(meows).toEqual([]);
  }
}

const revoke = (writer: Writer, seq: number) =>
  central.add('event.revoked', null, { epoch: writer.epoch, seq, reason: 'wrong' }, 100).seq;
const give = (seq: number, catId: number, seconds = 100) =>
  central.add('event.reassigned', null, { epoch: porch.epoch, seq, catId, reason: 'wrong cat' }, seconds).seq;
const places = async () => (await store.cats(new Date(NOW))).map((cat) => cat.location);

beforeEach(async () => {
  store = await freshStore();
  sent = new Map();
  porch = createWriter('porch', epochId(1));
  central = createWriter('central', epochId(9));
  for (const [i, newName] of ['Minka', 'Otto', 'Kira'].entries()) {
    central.add('cat.named', `cat/${i + 1}`, { catId: i + 1, oldName: null, newName }, 0);
  }
  central.add('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, 0);
  porch.add('cat.moved', 'collar/A', { from: null, to: 'kitchen' }, 1);
  porch.add('cat.moved', 'collar/A', { from: 'kitchen', to: 'garden' }, 2);
  await fold(central, porch);
});
afterEach(() => store.close());

describe('an event that is given to another cat', () => {
  it('leaves the one and comes to the other, and back with an undo', async () => {
    expect(await places()).toEqual(['garden', null, null]);
    const given = give(2, 2);
    expect(await fold(central)).toEqual([1, 2]);
    expect(await places()).toEqual(['kitchen', 'garden', null]);
    revoke(central, given);
    expect(await fold(central)).toEqual([1, 2]);
    expect(await places()).toEqual(['garden', null, null]);
  });

  it('belongs to the cat that it was given to last, by time', async () => {
    give(2, 2);
    await fold(central);
    const last = give(2, 3);
    await fold(central);
    expect(await places()).toEqual(['kitchen', null, 'garden']);
    give(2, 1, 50);
    await fold(central);
    expect(await places()).toEqual(['kitchen', null, 'garden']);
    revoke(central, last);
    await fold(central);
    expect(await places()).toEqual(['kitchen', 'garden', null]);
  });

  it('may be given to the cat that has it anyway', async () => {
    give(2, 1);
    await fold(central);
    expect(await places()).toEqual(['garden', null, null]);
    expect(await store.catHistory(1, 10)).toHaveLength(3);
  });

  it('counts for nobody where it is taken back as well', async () => {
    give(2, 2);
    revoke(porch, 2);
    await fold(central);
    expect(await places()).toEqual(['kitchen', null, null]);
    const { events } = await store.newest({ catId: 1, limit: 10, types: ['collard.cat.moved'] });
    expect(
      events.map(({ seq, revoked, reassignedTo, correction }) => [seq, revoked, reassignedTo, correction]),
    ).toEqual([
      [2, true, 2, { by: `${central.epoch}/6`, catId: null, reason: 'wrong' }],
      [1, false, null, null],
    ]);
  });

  it('is found with both cats, in both orders', async () => {
    give(2, 2);
    await fold(central);
    for (const catId of [1, 2]) {
      const query = { catId, limit: 10, types: ['collard.cat.moved'] };
      const seqs = catId === 1 ? [1, 2] : [2];
      expect((await store.events(query)).events.map(({ seq }) => seq)).toEqual(seqs);
      expect((await store.newest(query)).events.map(({ seq }) => seq)).toEqual([...seqs].reverse());
    }
  });

  it('is told with both cats as corrected, and not once the correction is undone', async () => {
    const given = give(2, 2);
    revoke(porch, 1);
    await fold(central);
    const told = async (catId: number) =>
      (await store.correctedEvents(catId, 10)).map(({ agent, seq, correction }) => [agent, seq, correction?.catId]);
    expect(await told(1)).toEqual([
      ['porch', 2, 2],
      ['porch', 1, null],
    ]);
    expect(await store.correctedEvents(1, 1)).toHaveLength(1);
    expect(await told(2)).toEqual([['porch', 2, 2]]);
    expect(await told(3)).toEqual([]);
    revoke(central, given);
    await fold(central);
    expect(await told(1)).toEqual([['porch', 1, null]]);
    // What gave it to that cat names it, and is taken back itself.
    expect(await told(2)).toEqual([['central', given, null]]);
  });

  it('moves with a shake, and nobody hears of it as a new one', async () => {
    porch.add('meow.started', 'collar/A', { level: 1 }, 3);
    porch.add('meow.ended', 'collar/A', { durationMs: 400, peakG: 1, readings: 9, place: null }, 4);
    await fold(porch);
    give(3, 2);
    give(4, 2);
    await fold(central);
    const cats = await store.cats(new Date(NOW));
    expect(cats.map((cat) => [cat.meowsToday, cat.isMeowed, cat.lastSeen])).toEqual([
      [0, false, at(2)],
      [1, false, at(4)],
      [0, false, null],
    ]);
  });
});

describe('an event that is taken back', () => {
  it('counts as if it had never been, and again after an undo', async () => {
    const revoked = revoke(porch, 2);
    await fold(central);
    expect(await places()).toEqual(['kitchen', null, null]);
    revoke(central, revoked);
    await fold(central);
    expect(await places()).toEqual(['garden', null, null]);
    const { events } = await store.arrivals(new Map(), 100);
    const flags = events.filter((event) => event.agent === 'central').map((event) => event.revoked);
    // The revocation is the one that is taken back, and the undo is not.
    expect(flags).toEqual([false, false, false, false, true, false]);
  });

  it('stays so when its undo is taken back: an undo is final', async () => {
    const revoked = revoke(porch, 2);
    const undone = revoke(central, revoked);
    revoke(central, undone);
    await fold(central);
    expect(await places()).toEqual(['garden', null, null]);
    revoke(porch, 2);
    await fold(central);
    expect(await places()).toEqual(['kitchen', null, null]);
  });

  it('may be an assignment: then the collar was never given', async () => {
    revoke(central, 4);
    await fold(central);
    const cats = await store.cats(new Date(NOW));
    expect(cats[0]).toMatchObject({ collar: null, location: null });
    revoke(central, 5);
    await fold(central);
    expect((await store.cats(new Date(NOW)))[0]).toMatchObject({ collar: 'A', location: 'garden' });
  });

  it('is only ever one of its own agent, or any where central says so', async () => {
    const shed = createWriter('shed', epochId(2));
    shed.add('event.revoked', null, { epoch: porch.epoch, seq: 2, reason: 'not mine' }, 5);
    shed.add('event.reassigned', null, { epoch: porch.epoch, seq: 2, catId: 2, reason: 'not mine' }, 6);
    await fold(shed);
    expect(await places()).toEqual(['garden', null, null]);
    porch.add('event.revoked', null, { epoch: porch.epoch, seq: 2, reason: 'mine' }, 7);
    await fold(porch);
    expect(await places()).toEqual(['kitchen', null, null]);
  });
});
