/** What a loop meets when another one has found the database away. In the files of SQLite, whose statements wait for nothing outside. */
import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { freshStore } from '../engines/fresh.ts';
import { createWriter, epochId, NOW } from './events.ts';

/** Folding one event lets others run so often, with room: between its statements, and between its slices. */
const STATEMENTS = 80;
const SLICES = 2;

it('a fold that is under way goes on while another loop recovers, at whatever moment', async () => {
  const store = await freshStore();
  onTestFinished(() => store.close());
  const porch = createWriter('porch', epochId(1));
  for (const [catId, newName, collar] of [
    [1, 'Minka', 'A'],
    [2, 'Moritz', 'B'],
  ] as const) {
    porch.add('cat.named', `cat/${catId}`, { catId, oldName: null, newName }, 0);
    porch.add('collar.assigned', `cat/${catId}`, { catId, collar }, 0);
  }
  await store.ingest(porch.batch(1, 4), NOW);
  await store.project(10);
  for (let slices = 0; slices < SLICES; slices += 1) {
    for (let statements = 0; statements < STATEMENTS; statements += 1) {
      const to = `place ${slices} ${statements}`;
      const before = porch.events.length;
      for (const collar of ['A', 'B']) porch.add('cat.moved', `collar/${collar}`, { from: null, to }, before);
      await store.ingest(porch.batch(before + 1, before + 2), NOW);
      const folding = store.project(10);
      for (let turn = 0; turn < slices; turn += 1) await setImmediate();
      for (let turn = 0; turn < statements; turn += 1) await Promise.resolve();
      await Promise.all([store.recover(), folding]);
      expect((await store.cats(new Date(NOW))).map(({ location }) => location)).toEqual([to, to]);
    }
  }
});

it('a page of corrected events is whole while another loop recovers, at whatever moment', async () => {
  const store = await freshStore();
  onTestFinished(() => store.close());
  const porch = createWriter('porch', epochId(1));
  porch.add('cat.moved', 'collar/A', { from: null, to: 'kitchen' }, 1);
  porch.add('event.revoked', null, { epoch: epochId(1), seq: 1, reason: 'a mistake' }, 2);
  await store.ingest(porch.batch(1, 2), NOW);
  for (let statements = 0; statements < STATEMENTS; statements += 1) {
    const reading = store.events({ limit: 10 });
    for (let turn = 0; turn < statements; turn += 1) await Promise.resolve();
    const [, page] = await Promise.all([store.recover(), reading]);
    expect(page.events.map(({ agent, revoked }) => [agent, revoked])).toEqual([
      ['porch', true],
      ['porch', false],
    ]);
  }
});
