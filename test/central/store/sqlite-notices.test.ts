import { expect, test } from 'vitest';
import { openAlertLog } from '../../../src/central/cats/alert-log.ts';
import { openCatService } from '../../../src/central/cats/cat-service.ts';
import { openStore } from '../../../src/central/open-store.ts';
import { MAX_NOTICES } from '../../../src/central/store/notices.ts';

test('a target has no more than MAX_NOTICES: what was given up makes room, and else the new one is counted', async () => {
  const store = await openStore({ url: 'sqlite::memory:' });
  const now = new Date('2026-11-23T12:00:00.000Z');
  await openCatService(store, () => now).addCat('Mia');
  const flood = Array.from({ length: MAX_NOTICES }, (_, i) => ({
    type: 'collard.alert.raised',
    version: 1,
    subject: 'cat/1',
    time: now.toISOString(),
    clock: 'synced' as const,
    boot: null,
    monoMs: null,
    data: JSON.stringify({ catId: 1, rule: 'battery', key: `k${i}`, text: '' }),
  }));
  await store.command(now.toISOString(), async () => ({ events: flood, result: null, notify: ['a'] }), 'note');
  const log = openAlertLog(
    store,
    () => now,
    () => ['a', 'b'],
  );
  const alert = { rule: 'battery', since: '', text: '' } as const;
  await log.write('raised', 1, { ...alert, key: 'one' });
  expect(await store.noticeCounts()).toEqual({ waiting: MAX_NOTICES + 1, dead: 0, dropped: 1 });
  const [first] = await store.claimNotices(['a'], now.getTime(), now.getTime(), 1);
  if (first === undefined) throw new Error('a notice');
  await store.noticeFailed(first, null, 'given up');
  await log.write('raised', 1, { ...alert, key: 'two' });
  expect(await store.noticeCounts()).toEqual({ waiting: MAX_NOTICES + 2, dead: 0, dropped: 1 });
  await store.close();
});
