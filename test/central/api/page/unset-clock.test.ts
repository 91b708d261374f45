import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { createWriter, epochId } from '../../store/events.ts';
import { axeFaults, type Bench, openBench } from './bench.ts';

describe.skipIf(!requireServer('chromium', chromiumPath))('a time that no set clock gave', { timeout: 180_000 }, () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());
  beforeEach(() => bench.start());
  afterEach(async () => {
    await bench.stop();
    expect(bench.complaints).toEqual([]);
  });

  test.each([
    ['the first screen', ''],
    ['the view of a cat', '#/cats/1'],
  ])('is shown as uncertain on %s, and as corrected once the agent knows the time', async (_name, path) => {
    const { central } = bench;
    await central.call('POST', 'api/v1/cats', { name: 'Minka', collar: 'A' });
    const shed = createWriter('shed', epochId(5));
    const startedMs = Date.now() - 120_000;
    const say = async (from: number) => {
      await central.store.ingest(shed.batch(from, shed.events.length), new Date().toISOString());
      while ((await central.store.project(500)).events > 0);
      central.changes.announce();
    };
    const when = (monoMs: number) => ({ time: new Date(monoMs).toISOString(), boot: 'b1', monoMs });
    shed.addUnset('meow.started', 'collar/A', { level: 1 }, when(61_000));
    shed.addUnset('meow.ended', 'collar/A', { durationMs: 400, peakG: 1, readings: 9, place: 'hall' }, when(61_400));
    await say(1);
    const page = await bench.open(path);
    const list = page.locator(path === '' ? '#events' : '#cat-events');
    const shook = list.locator('.event', { hasText: 'shook for 0.4 s' });
    await shook.getByText('the clock was not set: this time may be wrong').waitFor();
    expect(await shook.locator('time').innerText()).toMatch(/ d ago$/);
    shed.add(
      'clock.synced',
      null,
      { boot: 'b1', offsetMs: startedMs },
      (Date.now() - Date.parse('2026-11-23T12:00:00Z')) / 1_000,
    );
    await say(3);
    await shook.getByText(/^time corrected: the clock was not set and said .*1970/).waitFor();
    expect(await shook.locator('time').innerText()).toMatch(/^(\d+ s|1 min|2 min) ago$/);
    expect(await list.getByText('may be wrong').count()).toBe(0);
    expect(await axeFaults(page)).toEqual([]);
    if (path === '')
      await page.locator('#cats li', { hasText: 'Minka' }).locator('.meows', { hasText: /^1$/ }).waitFor();
  });
});
