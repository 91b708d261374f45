import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { openAlertLog } from '../../../src/central/cats/alert-log.ts';
import { openCatService } from '../../../src/central/cats/cat-service.ts';
import { openStore } from '../../../src/central/open-store.ts';
import type { Notice } from '../../../src/central/store/notice-store.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { freshStore, freshUrl } from '../engines/fresh.ts';

const START = Date.parse('2026-11-23T12:00:00.000Z');
const alert = { rule: 'battery', key: 'battery', since: '', text: 'battery of the collar is low' } as const;

let store: Store;
beforeEach(async () => {
  store = await freshStore();
  await openCatService(store, () => new Date(START - 1_000)).addCat('Mia');
});
afterEach(() => store.close());

const seqsOf = (notices: readonly Notice[]) => notices.map(({ target, seq, attempts }) => [target, seq, attempts]);

/** Raises and clears so often; the events have numbers from 2 on. */
async function change(count: number, targets: readonly string[] = ['a'], at = START) {
  for (let i = 0; i < count; i += 1) {
    const log = openAlertLog(
      store,
      () => new Date(at + i),
      () => targets,
    );
    expect(await log.write(i % 2 === 0 ? 'raised' : 'cleared', 1, alert)).toBe(true);
  }
}

describe('notices', () => {
  test('are there with their events, for each target, and not where nothing was written', async () => {
    await change(2, ['a', 'b']);
    const log = openAlertLog(
      store,
      () => new Date(START),
      () => ['a'],
    );
    expect(await log.write('cleared', 1, alert)).toBe(false);
    expect(await store.noticeCounts()).toEqual({ waiting: 4, dead: 0, dropped: 0 });
    const claimed = await store.claimNotices(['a'], START + 1, START + 100, 10);
    expect(seqsOf(claimed)).toEqual([
      ['a', 2, 1],
      ['a', 3, 1],
    ]);
    const event = await store.event(claimed[0]?.epoch ?? '', 2);
    expect(event).toMatchObject({ type: 'collard.alert.raised', agent: 'central' });
  });

  test('go with their event where it cannot be written', async () => {
    const failing = store.command(new Date(START).toISOString(), async () => ({
      events: [{ type: 'x'.repeat(10_000) } as never],
      result: null,
      notify: ['a'],
    }));
    await expect(failing).rejects.toThrow();
    expect(await store.noticeCounts()).toEqual({ waiting: 0, dead: 0, dropped: 0 });
  });

  test('are one asker’s until then, and due again if nothing is heard', async () => {
    await change(1);
    expect(await store.claimNotices(['a'], START - 1, START, 10)).toEqual([]);
    expect(await store.claimNotices(['b'], START, START + 100, 10)).toEqual([]);
    expect(await store.claimNotices([], START, START + 100, 10)).toEqual([]);
    expect(seqsOf(await store.claimNotices(['a'], START, START + 100, 10))).toEqual([['a', 2, 1]]);
    expect(await store.claimNotices(['a'], START + 99, START + 200, 10)).toEqual([]);
    expect(await store.nextNoticeMs(['a'])).toBe(START + 100);
    expect(seqsOf(await store.claimNotices(['a'], START + 100, START + 200, 10))).toEqual([['a', 2, 2]]);
  });

  test('are forgotten once told, wait after a failure, and stay where they were given up until they are revived', async () => {
    await change(3);
    const [one, two, three] = await store.claimNotices(['a'], START + 10, START + 100, 10);
    if (one === undefined || two === undefined || three === undefined) throw new Error('three notices');
    await store.noticeTold(one);
    await store.noticeFailed(two, START + 500, 'answers 500');
    await store.noticeFailed(three, null, 'r'.repeat(1_000));
    expect(await store.noticeCounts()).toEqual({ waiting: 1, dead: 1, dropped: 0 });
    expect(await store.nextNoticeMs(['a'])).toBe(START + 500);
    expect(await store.deadNotices(10)).toEqual([{ ...three, reason: 'r'.repeat(255) }]);
    expect(seqsOf(await store.claimNotices(['a'], START + 500, START + 600, 10))).toEqual([['a', 3, 2]]);
    expect(await store.reviveNotices(START + 700)).toBe(1);
    expect(seqsOf(await store.claimNotices(['a'], START + 700, START + 800, 1))).toEqual([['a', 3, 3]]);
    expect(seqsOf(await store.claimNotices(['a'], START + 700, START + 800, 1))).toEqual([['a', 4, 1]]);
    expect(await store.noticeCounts()).toEqual({ waiting: 2, dead: 0, dropped: 0 });
  });

  test('wait over a restart', async () => {
    const url = await freshUrl();
    const before = await openStore({ url });
    await openCatService(before, () => new Date(START)).addCat('Mia');
    await openAlertLog(
      before,
      () => new Date(START),
      () => ['a'],
    ).write('raised', 1, alert);
    await before.close();
    const after = await openStore({ url });
    onTestFinished(() => after.close());
    expect(await after.claimNotices(['a'], START, START + 1, 10)).toHaveLength(1);
  });
});
