import { expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { MAX_EPOCHS_PER_AGENT } from '../../../src/central/store/agents.ts';
import type { CentralEvent, Store } from '../../../src/central/store/store.ts';
import { newEvent } from '../../../src/contract/event.ts';
import { shardOf } from '../../../src/contract/topic.ts';
import { freshUrl, insertRows, rowsOf } from '../engines/fresh.ts';
import { epochId, meowing, NOW } from './events.ts';

const moment = { time: NOW, clock: 'synced', boot: null, monoMs: null } as const;

/** A person names a cat; resolves to the key of the event. */
async function name(store: Store, catId: number): Promise<string> {
  const named = newEvent('cat.named', `cat/${catId}`, { catId, oldName: null, newName: `cat ${catId}` }, moment);
  await store.command(NOW, async () => ({ events: [named], result: null }));
  const last = (await own(store)).at(-1);
  return `${last?.epoch}/${last?.seq}`;
}

async function own(store: Store): Promise<readonly CentralEvent[]> {
  return (await store.events({ agent: 'central', limit: 100 })).events;
}

const epochOf = (key: string) => key.split('/')[0] ?? '';

it('a store that a person calls restored is another one to its agents, and keeps all that it holds', async () => {
  const url = await freshUrl();
  const porch = meowing('porch', epochId(1), 4);
  const store = await openStore({ url });
  const before = (await store.ingest(porch.batch(1, 2), NOW)).stored.incarnation;
  const incarnation = await store.restored();
  expect(incarnation).not.toBe(before);
  expect((await store.ingest(porch.batch(1, 2), NOW)).stored).toMatchObject({ incarnation, seq: 2 });
  await store.close();
  const worker = await openStore({ url, shared: true });
  onTestFinished(() => worker.close());
  const token = await worker.takeShard(shardOf('porch'), { token: null, owner: 'w' });
  const { stored } = await worker.ofShard(shardOf('porch'), { token, owner: 'w' }).ingest(porch.batch(3, 4), NOW);
  expect([stored.incarnation, stored.seq]).toEqual([incarnation, 4]);
});

it('central says what it says after a restore under keys of a new epoch, in all processes at once', async () => {
  const url = await freshUrl();
  const [store, other] = [await openStore({ url }), await openStore({ url })];
  onTestFinished(async () => {
    for (const one of [store, other]) await one.close();
  });
  const first = await name(store, 1);
  expect(await name(other, 2)).toBe(`${epochOf(first)}/2`);
  await store.restored();
  const [third, fourth] = [await name(other, 3), await name(store, 4)];
  expect(epochOf(third)).not.toBe(epochOf(first));
  // Of two epochs the later one sorts behind.
  expect(epochOf(third) > epochOf(first)).toBe(true);
  expect([third, fourth].map((key) => key.slice(epochOf(third).length))).toEqual(['/1', '/2']);
  // Neither a restart nor one more process is a restore.
  const again = await openStore({ url });
  expect(await name(again, 5)).toBe(`${epochOf(third)}/3`);
  await again.close();
  // What was said before may still be taken back.
  const revoked = newEvent('event.revoked', null, { epoch: epochOf(first), seq: 1, reason: 'gone' }, moment);
  await store.command(NOW, async () => ({ events: [revoked], result: null }));
  expect((await own(store)).map(({ revoked }) => revoked)).toEqual([true, ...Array(5).fill(false)]);
  expect((await store.cats(new Date(NOW))).map(({ id }) => id)).not.toContain(1);
});

it('a store that is restored again and again keeps the epochs alone that hold something, and room for one more', async () => {
  const url = await freshUrl();
  const store = await openStore({ url });
  onTestFinished(() => store.close());
  await name(store, 1);
  const rows = async () => rowsOf(url, 'select * from epoch order by no');
  const [row] = await rows();
  for (let i = 0; i < 3; i += 1) await store.restored();
  expect(await rows()).toHaveLength(1);
  const more = Array.from({ length: MAX_EPOCHS_PER_AGENT }, (_, i) => ({ ...row, no: i + 2, epoch: epochId(i) }));
  await insertRows(url, 'epoch', more);
  expect(await name(store, 2)).toMatch(/\/1$/);
});

it('a cursor of more than the store holds is refused: who waits behind it would miss what comes up to there', async () => {
  const store = await openStore({ url: await freshUrl() });
  onTestFinished(() => store.close());
  const shard = shardOf('porch');
  await store.ingest(meowing('porch', epochId(1), 3).batch(1, 3), NOW);
  const after = async (...cursor: [number, number][]) => store.events({ after: new Map(cursor), limit: 10 });
  const { next, events } = await after([shard, 1]);
  expect(events).toHaveLength(2);
  expect(await after([shard, 3])).toEqual({ events: [], next });
  for (const ahead of [[shard, 4] as const, [(shard + 1) % 64, 1] as const]) {
    await expect(after([shard, 1], [...ahead]), String(ahead)).rejects.toMatchObject({ code: 'BAD_CURSOR' });
  }
});
