import { expect, it } from 'vitest';
import { REMEMBERED_LIMIT } from '../../../src/agent/log/remember.ts';
import { event, openLog, tempPath } from './log-fixture.ts';

it('remembers no more collars than its limit: the one that was quiet longest is forgotten, over a reopen too', async () => {
  const path = tempPath();
  const log = await openLog(path);
  const heard = Array.from({ length: REMEMBERED_LIMIT + 2 }, (_, i) => `C${i}`);
  await log.append(heard.map((collar, i) => event('cat.moved', { from: null, to: 'attic' }, i, collar)));
  // C2 would be the next to go; it is heard again.
  await log.append([event('meow.started', { level: 1 }, 1e6, 'C2'), event('meow.started', { level: 1 }, 1e6, 'NEW')]);
  const expected = [...heard.slice(4), 'C2', 'NEW'];
  expect((await log.remembered()).map(({ collar }) => collar)).toEqual(expected);
  await log.close();
  const again = await openLog(path);
  expect((await again.remembered()).map(({ collar }) => collar).sort()).toEqual([...expected].sort());
  expect((await again.remembered()).find(({ collar }) => collar === 'C2')).toMatchObject({
    place: 'attic',
    openMeow: true,
  });
  await again.close();
});
