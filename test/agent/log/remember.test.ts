import { describe, expect, it } from 'vitest';
import { addEpoch, appendRows, loadCore, write } from '../../../src/agent/log/core.ts';
import { openLogFile } from '../../../src/agent/log/log-file.ts';
import { REMEMBERED_LIMIT } from '../../../src/agent/log/remember.ts';
import { event, levels, openLog, T0, tempPath, timeAt } from './log-fixture.ts';
import { newCore } from './thin-rig.ts';

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

  it('is kept now and then, and folded again from there: over epochs, and where nothing was closed', () => {
    const path = tempPath();
    const core = newCore(path, 'e');
    const heard = (count: number, from: number) =>
      Array.from({ length: count }, (_, i) =>
        event('cat.moved', { from: null, to: `${from + i}` }, from + i, `C${(from + i) % 7}`),
      );
    const kept = () => core.db.prepare("SELECT value FROM fact WHERE key = 'rememberedPos'").pluck().get();
    let at = 0;
    const append = (count: number) => {
      write(core, () => appendRows(core, heard(count, at)));
      at += count;
    };
    const reloaded = () => {
      const db = openLogFile(path);
      const again = loadCore(db, path, 'porch').memory.all();
      db.close();
      return again;
    };
    append(3);
    expect([kept(), reloaded()]).toEqual([undefined, core.memory.all()]);
    append(1_996);
    append(1);
    expect(kept()).toBeUndefined();
    // Two thousand are folded: the next append keeps them.
    append(5);
    expect([kept(), reloaded()]).toEqual(['2000', core.memory.all()]);
    write(core, () => addEpoch(core, 'f', 0, 'test'));
    append(4);
    write(core, () => addEpoch(core, 'g', 0, 'test'));
    append(2);
    expect([kept(), reloaded()]).toEqual(['2000', core.memory.all()]);
    // What is kept is not read again: it may be gone.
    core.rows.remove(1, 2_000);
    core.chains.remove(1, 1_999);
    write(core, () => core.memory.save(false));
    expect([kept(), reloaded()]).toEqual(['2000', core.memory.all()]);
    write(core, () => core.memory.save(true));
    expect([kept(), reloaded()]).toEqual(['2011', core.memory.all()]);
    core.db.close();
  });

  it('is each collar as it was, over a restart', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append([
      event('meow.started', { level: 1 }, 1, 'A'),
      event('collar.silent', { lastSeen: timeAt(T0) }, 2, 'B'),
    ]);
    await log.append([event('meow.ended', { durationMs: 1, peakG: 1, readings: 1, place: null }, 3, 'A')]);
    await log.append([event('battery.low', { percent: 3 }, 4, 'C')]);
    await log.close();
    const again = await openLog(path);
    const calm = { place: null, openMeow: false, silent: false, batteryLow: false };
    expect(await again.remembered()).toEqual([
      { ...calm, collar: 'B', silent: true, lastEvent: timeAt(T0 + 2) },
      { ...calm, collar: 'A', lastEvent: timeAt(T0 + 3) },
      { ...calm, collar: 'C', batteryLow: true, lastEvent: timeAt(T0 + 4) },
    ]);
    await again.close();
  });

  it('is a collar that is heard again', async () => {
    const log = await openLog(tempPath());
    await log.append([event('collar.silent', { lastSeen: timeAt(T0) }, 1)]);
    await log.append([event('collar.heard', { lastSeen: timeAt(T0) }, 2)]);
    expect(await log.remembered()).toEqual([
      { collar: 'C0FFEE01', place: null, openMeow: false, silent: false, batteryLow: false, lastEvent: timeAt(T0 + 2) },
    ]);
    await log.close();
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
