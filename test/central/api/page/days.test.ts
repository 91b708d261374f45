import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { type Bench, buildPage, openBench } from './bench.ts';
import { eventually } from './eventually.ts';

const DAY_MS = 86_400_000;
/** Of all files of the page together, each packed for itself. */
const MOST_BYTES = 80 * 1024;

test('all that the page loads is 80 kB or less, packed', () => {
  const folder = buildPage();
  const names = readdirSync(folder);
  const bytes = names.map((name) => gzipSync(readFileSync(join(folder, name))).length);
  rmSync(folder, { recursive: true });
  expect(names).toEqual(expect.arrayContaining(['index.html', 'main.js', 'page.css', 'home.css']));
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(MOST_BYTES);
});

describe.skipIf(!requireServer('chromium', chromiumPath))('the days of the cats', { timeout: 60_000 }, () => {
  let bench: Bench;
  /** Central's clock stands so far back: cats are there before things happen to them. */
  let backMs = 0;
  const now = new Date();
  const noon = (daysAgo: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysAgo, 12);

  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());
  beforeEach(async () => {
    backMs = 30 * DAY_MS;
    await bench.start({ clock: () => new Date(Date.now() - backMs) });
    for (const [name, collar] of [
      ['Mia', 'C1'],
      ['Otto', 'C2'],
    ]) {
      await bench.central.call('POST', 'api/v1/cats', { name, collar });
    }
    backMs = 0;
    const meow = async (collar: string, daysAgo: number, count: number) => {
      for (let i = 0; i < count; i += 1) {
        const at = noon(daysAgo).getTime() + i * 60_000;
        await bench.sender.send('meow.started', `collar/${collar}`, { level: 1 }, new Date(at));
        const end = { durationMs: 500, peakG: 1, readings: 9, place: 'hall' };
        await bench.sender.send('meow.ended', `collar/${collar}`, end, new Date(at + 500));
      }
    };
    await meow('C1', 13, 1);
    await meow('C1', 2, 3);
    await meow('C2', 2, 1);
    await meow('C1', 20, 5);
  });
  afterEach(async () => {
    await bench.stop();
    expect(bench.complaints).toEqual([]);
  });

  test('each day is a bar of its cats, and a button that shows what happened on it', async () => {
    const page = await bench.open();
    await page.locator('.day').nth(13).waitFor();
    expect(await page.locator('.day').count()).toBe(14);
    expect(await page.locator('#days-most').innerText()).toBe('most in a day: 4');
    const heights = await page
      .locator('.day')
      .evaluateAll((days) => days.map((day) => (day.querySelector('.bar') as HTMLElement).style.height));
    expect([heights[0], heights[1], heights[11]]).toEqual(['25%', '0%', '100%']);
    const day = page.getByRole('button', { name: /: 4 meows \(Mia 3, Otto 1\)\. Show this day$/ });
    expect(await day.locator('.bar > span').count()).toBe(2);
    await day.focus();
    await page.keyboard.press('Enter');
    await eventually(() => page.locator('.event').count()).toBe(8);
    expect(await page.locator('.event', { hasText: 'Otto is shaking' }).count()).toBe(1);
    expect(await page.evaluate(() => location.hash)).toMatch(/^#\/\?day=\d{4}-\d\d-\d\d$/);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('events-title');
  });

  test('the same is told as tables, also of a day as it was', async () => {
    const page = await bench.open();
    await page.locator('.day').nth(13).waitFor();
    await page.getByText('As tables').click();
    const rows = (name: string) =>
      page
        .getByRole('table', { name })
        .evaluate((table) =>
          [...table.querySelectorAll('tr')].map((row) => [...row.children].map((cell) => cell.textContent)),
        );
    const days = await rows('Meows a day');
    expect(days[0]).toEqual(['Day', 'Mia', 'Otto']);
    expect(days.length).toBe(15);
    // The newest first.
    expect(days[3]?.slice(1)).toEqual(['3', '1']);
    expect(days[14]?.slice(1)).toEqual(['1', '0']);
    const hours = await rows('Meows an hour');
    expect([hours.length, hours[0]]).toEqual([25, ['Hour from', 'Mia', 'Otto']]);
    const then = new Date(noon(2).getTime() + 2 * 3_600_000).toISOString();
    await page.goto(new URL(`#/?at=${then.replace('.000', '')}`, bench.central.url).href);
    await eventually(async () => (await rows('Meows a day'))[1]?.slice(1)).toEqual(['3', '1']);
    await eventually(async () => (await rows('Meows an hour'))[3]?.slice(1)).toEqual(['3', '1']);
  });

  test('where central is gone it says since when, and what may be old looks so', async () => {
    const page = await bench.open();
    await page.locator('.day').nth(13).waitFor();
    await bench.central.stopServer();
    await page.locator('#offline').waitFor({ state: 'visible' });
    await eventually(() => page.locator('#offline').innerText()).toMatch(/Central last answered \d+ s ago\./);
    expect(
      await page
        .locator('.avatar')
        .first()
        .evaluate((node) => getComputedStyle(node).filter),
    ).toBe('grayscale(1)');
    await bench.central.restart();
    await page.locator('#offline').waitFor({ state: 'hidden' });
    expect(await page.locator('.is-lost').count()).toBe(0);
    // That central was away is told by the browser too.
    expect(bench.complaints.splice(0).filter((text) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE/.test(text))).toEqual(
      [],
    );
  });
});
