import { expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { freshUrl } from '../engines/fresh.ts';
import { createWriter, epochId, NOW } from './events.ts';

it('folds on from what another process has folded, who wears what included', async () => {
  const url = await freshUrl();
  const stores = [await openStore({ url }), await openStore({ url })] as const;
  onTestFinished(async () => {
    for (const store of stores) await store.close();
  });
  const [one, other] = stores;
  const porch = createWriter('porch', epochId(1));
  porch.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, 0);
  porch.add('cat.named', 'cat/2', { catId: 2, oldName: null, newName: 'Mia' }, 0);
  porch.add('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, 1);
  porch.add('cat.moved', 'collar/A', { from: null, to: 'kitchen' }, 2);
  porch.add('collar.assigned', 'cat/2', { catId: 2, collar: 'A' }, 3);
  porch.add('cat.moved', 'collar/A', { from: 'kitchen', to: 'garden' }, 4);
  await one.ingest(porch.batch(1, 4), NOW);
  await one.project(100);
  await one.ingest(porch.batch(5, 5), NOW);
  expect((await other.project(100)).events).toBe(1);
  await one.ingest(porch.batch(6, 6), NOW);
  expect(await one.project(100)).toMatchObject({ events: 1, changedCats: [2] });
  expect(await one.cats(new Date(NOW))).toMatchObject([
    { name: 'Minka', location: 'kitchen' },
    { name: 'Mia', location: 'garden' },
  ]);
});
