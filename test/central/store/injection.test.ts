/** Names, types and cursors are values to the database, whatever stands in them: found as they are, or refused, and nothing else happens. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../../../src/central/store/store.ts';
import { freshStore } from '../engines/fresh.ts';
import { createWriter, epochId, meowing, NOW } from './events.ts';
import { NASTY } from './nasty.ts';

const HONEST = 4;
const TOO_LONG = 'x'.repeat(100_000);

let store: Store;
beforeEach(async () => {
  store = await freshStore();
  await store.ingest(meowing('porch', epochId(0), HONEST).batch(1, HONEST), NOW);
});
afterEach(() => store.close());

const honest = async () => (await store.events({ limit: 100, agent: 'porch' })).events;

test('names, collars and types are stored and found as they are, or refused, and others are as they were', async () => {
  const before = await honest();
  expect(before).toHaveLength(HONEST);
  let stored = 0;
  for (const [i, nasty] of [...NASTY, TOO_LONG].entries()) {
    const writer = createWriter(nasty, epochId(i + 1));
    const event = { ...writer.add('meow.started', `collar/${nasty}`, { level: 1 }, i), type: `collard.${nasty}` };
    writer.events[0] = event;
    const taken = await store.ingest(writer.batch(1, 1), NOW).then(
      () => true,
      () => false,
    );
    if (taken) stored += 1;
    const wanted = taken ? [[nasty, event.subject, event.type]] : [];
    for (const filter of [{ agent: nasty }, { collar: nasty }, { types: [event.type] }]) {
      for (const page of [await store.events({ ...filter, limit: 100 }), await store.newest({ ...filter, limit: 100 })])
        expect(page.events.map(({ agent, subject, type }) => [agent, subject, type])).toEqual(wanted);
    }
  }
  expect(stored).toBeGreaterThan(NASTY.length / 2);
  expect((await store.counts()).events).toBe(HONEST + stored);
  expect(await honest()).toEqual(before);
}, 200_000);

test('what is looked for and is not there is nothing, and a cursor that is none of ours is refused', async () => {
  for (const nasty of NASTY) {
    for (const filter of [{ agent: nasty }, { collar: nasty }, { types: [nasty] }])
      expect((await store.events({ ...filter, limit: 100 })).events).toEqual([]);
    await expect(store.newest({ before: nasty, limit: 1 })).rejects.toMatchObject({ code: 'BAD_CURSOR' });
    expect(await store.agentGaps(nasty)).toEqual([]);
    expect(await store.event(nasty, 1)).toBeNull();
    expect(await store.keys(nasty)).toEqual([]);
  }
  expect(await honest()).toHaveLength(HONEST);
});
