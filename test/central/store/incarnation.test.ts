import { expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { shardOf } from '../../../src/contract/topic.ts';
import { freshUrl } from '../engines/fresh.ts';
import { epochId, meowing, NOW } from './events.ts';

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
