/** Several stores on one database stand for several processes: nothing of one is known to the others but what is in the database. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { openCatService } from '../../../src/central/cats/cat-service.ts';
import { openStore } from '../../../src/central/open-store.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { shardOf } from '../../../src/contract/topic.ts';
import { freshUrl, rowsOf } from '../engines/fresh.ts';
import { createWriter, epochId, meowing, NOW } from './events.ts';
import { saveState } from './said.ts';

const shard = shardOf('porch');
const clock = () => new Date(NOW);
const fenced = { code: 'FENCED' };

async function openAll(...shared: boolean[]): Promise<Store[]> {
  const url = await freshUrl();
  const stores: Store[] = [];
  for (const one of shared) stores.push(await openStore({ url, shared: one }));
  onTestFinished(async () => {
    for (const store of stores) await store.close();
  });
  return stores;
}

describe('a shard', () => {
  it('is written by the highest token, whoever has written last', async () => {
    const [one, other] = (await openAll(true, true)) as [Store, Store];
    const porch = meowing('porch', epochId(1), 30);
    expect(await one.takeShard(shard, { token: 7, owner: 'one' })).toBe(7);
    const first = one.ofShard(shard, { token: 7, owner: 'one' });
    await first.ingest(porch.batch(1, 10), NOW);
    expect(await other.takeShard(shard, { token: 9, owner: 'other' })).toBe(9);
    // It was asleep: it knows of nothing.
    await expect(first.ingest(porch.batch(11, 20), NOW)).rejects.toMatchObject({
      ...fenced,
      message: expect.stringMatching(/^shard s\d\d belongs to other now$/),
    });
    const sync = { epoch: epochId(1), firstSeq: 5, lastSeq: 30, chain: porch.chain(30) };
    await expect(first.sync('porch', sync, NOW)).rejects.toMatchObject(fenced);
    const second = other.ofShard(shard, { token: 9, owner: 'other' });
    expect((await second.ingest(porch.batch(11, 30), NOW)).stored.seq).toBe(30);
    expect((await one.counts()).events).toBe(30);
    // What it could not write was not even noted.
    expect((await other.agents())[0]?.epochs).toMatchObject([{ mark: 30, highestSeq: 30, missing: 0 }]);
  });

  it('is not taken with a lower token than it has', async () => {
    const [one, other] = (await openAll(true, true)) as [Store, Store];
    await one.takeShard(shard, { token: 9, owner: 'one' });
    await expect(other.takeShard(shard, { token: 8, owner: 'other' })).rejects.toMatchObject(fenced);
    expect(await one.takeShard(shard, { token: 9, owner: 'one' })).toBe(9);
  });

  it('without a number of its own gets the next one, so that a second start ends the first', async () => {
    const [one, other] = (await openAll(true, true)) as [Store, Store];
    expect(await one.takeShard(shard, { token: null, owner: 'one' })).toBe(1);
    expect(await other.takeShard(shard, { token: null, owner: 'other' })).toBe(2);
    expect(await other.highestToken()).toBe(2);
    const late = one.ofShard(shard, { token: 1, owner: 'one' });
    await expect(late.ingest(meowing('porch', epochId(1), 2).batch(1, 2), NOW)).rejects.toMatchObject(fenced);
  });

  it('that somebody has is no way to another one', async () => {
    const [one] = (await openAll(true)) as [Store];
    await one.takeShard(shard, { token: 1, owner: 'one' });
    const own = one.ofShard(shard, { token: 1, owner: 'one' });
    const shed = meowing('shed', epochId(2), 2);
    expect(shardOf('shed')).not.toBe(shard);
    await expect(own.ingest(shed.batch(1, 2), NOW)).rejects.toMatchObject(fenced);
  });

  it('is taken back by a central that runs alone, which says so, and is told by what it was taken', async () => {
    const [worker, alone] = (await openAll(true, false)) as [Store, Store];
    const porch = meowing('porch', epochId(1), 4);
    await worker.takeShard(shard, { token: 5, owner: 'one' });
    const own = worker.ofShard(shard, { token: 5, owner: 'one' });
    await own.ingest(porch.batch(1, 2), NOW);
    await alone.ingest(porch.batch(3, 4), NOW);
    await expect(own.ingest(porch.batch(3, 4), NOW)).rejects.toThrow(/a central that runs alone/);
    await worker.takeShard(shard, { token: 7, owner: 'one' });
    await expect(alone.ingest(porch.batch(3, 4), NOW)).rejects.toThrow(/belongs to one now/);
  });

  it('takes in what a person asks for, whoever holds it, and stays where it is', async () => {
    const [one, other] = (await openAll(true, true)) as [Store, Store];
    const porch = meowing('porch', epochId(1), 4);
    await one.takeShard(shard, { token: 5, owner: 'one' });
    await other.ingest(porch.batch(1, 2), NOW);
    const own = one.ofShard(shard, { token: 5, owner: 'one' });
    expect((await own.ingest(porch.batch(3, 4), NOW)).stored.seq).toBe(4);
  });
});

describe('the lead', () => {
  it('is of one: who lost it folds nothing and so tells nothing', async () => {
    const [one, other] = (await openAll(true, true)) as [Store, Store];
    const porch = createWriter('porch', epochId(1));
    porch.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, 0);
    porch.add('cat.named', 'cat/2', { catId: 2, oldName: null, newName: 'Mia' }, 0);
    await one.ingest(porch.batch(1, 1), NOW);
    const first = one.asLeader(await one.takeLead({ token: null, owner: 'one' }));
    expect(await first.project(10)).toMatchObject({ events: 1, changedCats: [1] });
    await one.ingest(porch.batch(2, 2), NOW);
    const second = other.asLeader(await other.takeLead({ token: null, owner: 'other' }));
    await expect(first.project(10)).rejects.toMatchObject({ ...fenced, message: 'the lead belongs to other now' });
    expect(await second.project(10)).toMatchObject({ events: 1, changedCats: [2] });
    await expect(one.takeLead({ token: 1, owner: 'one' })).rejects.toMatchObject(fenced);
  });

  it('tells of what a command elsewhere has folded, once, also after its process has ended', async () => {
    const url = await freshUrl();
    const leader = await openStore({ url, shared: true });
    onTestFinished(() => leader.close());
    const follower = await openStore({ url, shared: true });
    const cats = openCatService(follower, clock);
    await cats.addCat('Minka', 'C0FFEE01');
    await leader.project(100);
    await follower.ingest(meowing('porch', epochId(1), 4).batch(1, 4), NOW);
    // A command folds what waits before it decides.
    await cats.addCat('Mia');
    await follower.close();
    const told = await leader.project(100);
    expect(told.events).toBe(0);
    expect(told.changedCats).toEqual([1, 2]);
    expect(told.meows.map(({ catId, event }) => [catId, event.epoch])).toEqual([
      [1, epochId(1)],
      [1, epochId(1)],
    ]);
    expect(await leader.project(100)).toMatchObject({ changedCats: [], meows: [] });
    expect(await rowsOf(url, 'select * from untold')).toEqual([]);
  });
});

it('notices what any process has stored or folded', async () => {
  const [one, other] = (await openAll(true, true)) as [Store, Store];
  const before = await one.pulse();
  await other.ingest(meowing('porch', epochId(1), 2).batch(1, 2), NOW);
  const stored = await one.pulse();
  await other.project(10);
  const folded = await one.pulse();
  await saveState(other, 'porch', { state: 'online', session: 3, version: '1' }, NOW);
  expect(new Set([before, stored, folded, await one.pulse()]).size).toBe(4);
  expect(await one.pulse()).toBe(await other.pulse());
});
