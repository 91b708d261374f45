import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_TOLD_GAPS } from '../../../src/central/store/gap-store.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { lostData } from '../../../src/contract/lost.ts';
import type { SeqRange } from '../../../src/contract/message.ts';
import { freshStore } from '../engines/fresh.ts';
import { createWriter, epochId, meowing, NOW } from './events.ts';

let store: Store;
beforeEach(async () => {
  store = await freshStore();
});
afterEach(() => store.close());

describe('what is lost and awaited of an agent', () => {
  test('comes as ranges, with the reason and the time, and of no other agent', async () => {
    const epoch = epochId(1);
    const porch = meowing('porch', epoch, 10);
    porch.add('history.lost', null, { epoch, fromSeq: 4, toSeq: 8, count: 5, reason: 'disk budget' }, 11);
    await store.ingest(porch.batch(1, 3), NOW);
    await store.ingest(porch.batch(9, 9), NOW);
    expect(await store.agentGaps('porch')).toEqual([{ epoch, fromSeq: 4, toSeq: 8, reason: null, noted: null }]);
    await store.ingest(porch.batch(11, 11), NOW);
    expect(await store.agentGaps('porch')).toEqual([
      { epoch, fromSeq: 4, toSeq: 8, reason: 'disk budget', noted: NOW },
      { epoch, fromSeq: 10, toSeq: 10, reason: null, noted: null },
    ]);
    await store.ingest(meowing('shed', epochId(2), 2).batch(1, 2), NOW);
    expect(await store.agentGaps('shed')).toEqual([]);
    expect(await store.agentGaps('nobody')).toEqual([]);
  });

  test('is bounded, and the newest come first', async () => {
    const count = MAX_TOLD_GAPS + 20;
    const epoch = epochId(1);
    const porch = createWriter('porch', epoch);
    // Every second number is lost.
    for (let i = 0; i < 2 * count; i += 1) porch.add('meow.started', 'collar/C1', { level: 1 }, i);
    const lost = Array.from({ length: count }, (_, i): SeqRange => [2 * i + 2, 2 * i + 2]);
    for (const data of lostData(epoch, lost, 'thinned')) porch.add('history.lost', null, data, 9_999);
    const events = porch.events.filter(({ seq }) => seq % 2 === 1 || seq > 2 * count);
    for (const { seq } of events) await store.ingest(porch.batch(seq, seq), NOW);
    const gaps = await store.agentGaps('porch');
    expect(gaps).toHaveLength(MAX_TOLD_GAPS);
    expect(gaps[0]).toMatchObject({ fromSeq: 2 * count, toSeq: 2 * count, reason: 'thinned' });
  }, 60_000);
});
