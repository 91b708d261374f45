import { describe, expect, it } from 'vitest';
import { REMEMBERED_LIMIT } from '../../../src/agent/log/remember.ts';
import { event, levels, openLog, T0, tempPath, timeAt } from './log-fixture.ts';

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

describe('what is remembered besides', () => {
  const source = (type: 'sensor.failed' | 'sensor.recovered', name: string) => ({
    ...event(type, { source: name, reason: 'gone' }),
    subject: null,
  });
  const unsynced = (boot: string) =>
    ({ ...event('battery.low', { percent: 1 }), clock: 'unsynced', boot, monoMs: 5 }) as const;

  it('is the boot that no clock has explained, and the sources that have not recovered', async () => {
    const path = tempPath();
    const log = await openLog(path);
    expect([log.unsyncedBoot, log.failedSources]).toEqual([null, []]);
    await log.append([unsynced('b-1'), source('sensor.failed', 'one'), source('sensor.failed', 'two')]);
    expect([log.unsyncedBoot, log.failedSources]).toEqual(['b-1', ['one', 'two']]);
    await log.append([source('sensor.recovered', 'one'), source('sensor.recovered', 'never failed')]);
    await log.close();
    const again = await openLog(path);
    expect([again.unsyncedBoot, again.failedSources]).toEqual(['b-1', ['two']]);
    await again.append([{ ...event('clock.synced', { boot: 'b-1', offsetMs: 1 }), subject: null }]);
    await again.append([source('sensor.recovered', 'two')]);
    await again.close();
    const third = await openLog(path);
    expect([third.unsyncedBoot, third.failedSources]).toEqual([null, []]);
    await third.close();
  });

  it('is no more than 64 failed sources', async () => {
    const log = await openLog(tempPath());
    await log.append(Array.from({ length: 70 }, (_, i) => source('sensor.failed', `s${i}`)));
    expect(log.failedSources).toEqual(Array.from({ length: 64 }, (_, i) => `s${i}`));
    await log.close();
  });

  it('is each collar by its last events: heard again, in no place that has a name', async () => {
    const log = await openLog(tempPath());
    const nowhere = { ...event('cat.moved', { from: 'attic', to: 'hall' }, 2), data: '{"from":"attic","to":null}' };
    await log.append([event('cat.moved', { from: null, to: 'attic' }, 1), event('battery.low', { percent: 3 }, 1)]);
    expect(await log.remembered()).toMatchObject([{ place: 'attic', batteryLow: true, lastEvent: timeAt(T0 + 1) }]);
    await log.append([nowhere, event('collar.silent', { lastSeen: timeAt(T0) }, 3)]);
    await log.append([{ ...levels(1)[0], type: 'org.else.thing' } as never]);
    expect(await log.remembered()).toEqual([
      { collar: 'C0FFEE01', place: null, openMeow: false, silent: true, batteryLow: true, lastEvent: timeAt(T0) },
    ]);
    await log.close();
  });
});
