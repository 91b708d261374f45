import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { saveHealth } from '../../store/said.ts';
import { type Bench, openBench } from './bench.ts';
import { eventually } from './eventually.ts';

describe.skipIf(!requireServer('chromium', chromiumPath))('the cards of the cats', { timeout: 60_000 }, () => {
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

  test('they tell what is usual, how full the battery is, and the last 24 hours to who listens', async () => {
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    const now = new Date();
    // Before two in the morning of four days: 6 each. Since an hour ago: what this test makes.
    const night = (day: number, minute: number) =>
      new Date(now.getFullYear(), now.getMonth(), now.getDate() - day, 0, minute);
    await bench.sender.sendAll(
      [1, 2, 3, 4].flatMap((day) =>
        [0, 0.1, 0.2, 0.3, 0.4, 0.5].flatMap((minute) => [
          ['meow.started', 'collar/C1', { level: 1 }, night(day, minute)] as const,
          [
            'meow.ended',
            'collar/C1',
            { durationMs: 400, peakG: 1, readings: 9, place: null },
            new Date(night(day, minute).getTime() + 400),
          ] as const,
        ]),
      ),
    );
    const collars = [{ collar: 'C1', lastHeard: now.toISOString(), batteryPercent: 83 }];
    await saveHealth(bench.central.store, 'porch', { collars }, now.toISOString());
    const page = await bench.open();
    const card = page.locator('.cat', { hasText: 'Mia' });
    await card.locator('.battery', { hasText: '83\u00a0%' }).waitFor();
    const stats = await bench.central.call('GET', 'api/v1/stats?by=hour&type=meow.started');
    expect(stats.body.rows.reduce((sum: number, row: { events: number }) => sum + row.events, 0)).toBe(24);
    // All of them were in the first hour of their days: by the end of that hour of today it is 6, before it a part of it.
    await eventually(() => card.locator('.usual').innerText()).toMatch(/^(↑ )?usually [0-6]$/);
    if (now.getHours() > 0) expect(await card.locator('.usual').innerText()).toContain('usually 6');
    expect(await card.locator('.usual').getAttribute('title')).toBe('by this time of day: the median of 4 days');
    const heat = card.getByRole('img', { name: /^Last 24 hours: / });
    expect(await heat.locator('span').count()).toBe(24);
    await bench.sender.send('meow.started', 'collar/C1', { level: 1 });
    await card.getByRole('img', { name: /^Last 24 hours: (1|7) meows?, most from/ }).waitFor();
  });

  test('a collar that was not heard for long stands out, in words too', async () => {
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await bench.central.call('POST', 'api/v1/cats', { name: 'Otto', collar: 'C2' });
    await bench.sender.send('cat.moved', 'collar/C1', { from: null, to: 'hall' }, new Date(Date.now() - 360_000));
    await bench.sender.send('cat.moved', 'collar/C2', { from: null, to: 'attic' });
    const page = await bench.open();
    const note = (name: string) => page.locator('.cat', { hasText: name }).locator('.stale');
    await eventually(() => note('Mia').innerText()).toBe('stale');
    expect(await note('Otto').innerText()).toBe('');
    await bench.sender.send('cat.moved', 'collar/C1', { from: 'hall', to: 'kitchen' });
    await eventually(() => note('Mia').innerText()).toBe('');
  });

  test('a battery of which only is known that it is low says so, and where counts cannot be read the rest stands', async () => {
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await bench.sender.send('battery.low', 'collar/C1', { percent: 9 });
    const page = await bench.open();
    const card = page.locator('.cat', { hasText: 'Mia' });
    await eventually(() => card.locator('.battery').innerText()).toBe('low');
    await page.route('**/api/v1/stats*', (route) => route.abort());
    await page.reload();
    await page.locator('#no-activity').waitFor();
    expect(await card.locator('.meows').innerText()).toBe('0');
    expect(await card.locator('.heat').isVisible()).toBe(false);
    expect(bench.complaints.splice(0)).toEqual([expect.stringContaining('ERR_FAILED')]);
  });

  test('until central has told the cats, the page says that it waits', async () => {
    const page = await bench.open();
    await page.route('**/api/v1/stream*', (route) => route.abort());
    await page.reload({ waitUntil: 'domcontentloaded' });
    await page.locator('#cats[aria-busy=true]').waitFor();
    expect([await page.locator('.skeleton').count(), await page.locator('#empty').isVisible()]).toEqual([2, false]);
    await page.locator('#offline').waitFor({ state: 'visible' });
    bench.complaints.length = 0;
  });
});
