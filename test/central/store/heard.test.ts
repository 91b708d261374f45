import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCatService } from '../../../src/central/cats/cat-service.ts';
import { MAX_HEARD_PER_AGENT } from '../../../src/central/store/heard.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { MAX_HEARD_COLLARS } from '../../../src/contract/message.ts';
import { freshStore } from '../engines/fresh.ts';
import { at, epochId, meowing, NOW } from './events.ts';
import { saveHealth } from './said.ts';

let store: Store;
const clock = () => new Date(at(3_600));

beforeEach(async () => {
  store = await freshStore({ now: clock });
  await openCatService(store, () => new Date(at(-60))).addCat('Mia', 'C1');
});
afterEach(() => store.close());

const heard = (agent: string, times: Readonly<Record<string, string>>, now: string | null = at(3_600)) =>
  saveHealth(
    store,
    agent,
    { collars: Object.entries(times).map(([collar, lastHeard]) => ({ collar, lastHeard })) },
    now,
    now ?? clock().toISOString(),
  );

async function mia() {
  while ((await store.project(100)).events > 0);
  const [cat] = await store.cats(clock());
  return cat;
}

describe('what health says of collars', () => {
  it('a cat that lies still was heard all the same, and its model is left alone', async () => {
    await store.ingest(meowing('porch', epochId(1), 2, 'C1').batch(1, 2), NOW);
    expect(await mia()).toMatchObject({ lastSeen: at(1), lastHeard: at(1) });
    await heard('porch', { C1: at(600) });
    expect(await mia()).toMatchObject({ lastSeen: at(1), lastHeard: at(600) });
  });

  it('the newest of all agents counts, and nothing moves back', async () => {
    await heard('porch', { C1: at(600) });
    await heard('shed', { C1: at(700) });
    await heard('shed', { C1: at(650) });
    // A new start: it has heard nothing yet.
    await heard('shed', {});
    expect(await mia()).toMatchObject({ lastSeen: null, lastHeard: at(700) });
  });

  it('a clock that runs ahead is not believed', async () => {
    await heard('porch', { C1: '2099-01-01T00:00:00.000Z' }, at(100));
    expect(await mia()).toMatchObject({ lastHeard: at(100) });
    await heard('porch', { C1: '2099-01-01T00:00:00.000Z' }, null);
    expect(await mia()).toMatchObject({ lastHeard: at(3_600) });
  });

  it('a collar without events and without a cat is told, by the agent that heard it last', async () => {
    await store.ingest(meowing('porch', epochId(1), 2, 'STRAY').batch(1, 2), NOW);
    await heard('porch', { C1: at(600), NEW: at(600) });
    await heard('shed', { NEW: at(700), STRAY: at(800) });
    expect(await store.unassignedCollars()).toEqual([
      { collar: 'STRAY', lastSeen: at(800), agent: 'shed' },
      { collar: 'NEW', lastSeen: at(700), agent: 'shed' },
    ]);
  });

  it('of one agent only so many collars are kept, the newest', async () => {
    const rounds = MAX_HEARD_PER_AGENT / MAX_HEARD_COLLARS + 1;
    for (let round = 0; round < rounds; round += 1) {
      const names = Array.from({ length: MAX_HEARD_COLLARS }, (_, i) => [`R${round}-${i}`, at(round * 10)] as const);
      await heard('porch', Object.fromEntries(names));
    }
    await heard('shed', { C2: at(0) });
    const kept = (await store.unassignedCollars()).map(({ collar }) => collar);
    expect(kept).toContain(`R${rounds - 1}-0`);
    expect(kept.filter((collar) => collar.startsWith('R0-'))).toEqual([]);
  });

  it('what is no list of collars does no harm', async () => {
    for (const collars of [7, null, [null, 7, { collar: 'C1' }, { collar: 'C1', lastHeard: 'yesterday' }]]) {
      await saveHealth(store, 'porch', { collars }, NOW);
    }
    expect(await mia()).toMatchObject({ lastHeard: null });
  });
});
