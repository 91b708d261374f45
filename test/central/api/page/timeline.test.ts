import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { saveState } from '../../store/said.ts';
import { createSender } from '../serving.ts';
import { type Bench, openBench } from './bench.ts';
import { eventually } from './eventually.ts';

const EVENTS = 10_000;
/** Of an agent, as many as it sends at once. */
const BATCH = 500;
/** What fits on the screen with what is drawn beyond its edges. */
const MOST_ROWS = 80;
const LATER = { timeout: 100_000 };

describe.skipIf(!requireServer('chromium', chromiumPath))('the timeline', { timeout: 180_000 }, () => {
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

  const sentences = (page: Page) => page.locator('.event .sentence').allInnerTexts();
  const scroller = (page: Page) =>
    page.locator('#events-scroll').evaluate((node) => ({
      top: node.scrollTop,
      height: node.scrollHeight,
      seen: node.clientHeight,
      rows: node.querySelectorAll('li').length,
    }));
  /** Moves p0, p1, … a second apart; the last one half an hour ago. */
  const sendMoves = async (count: number) => {
    const from = Date.now() - 1_800_000 - count * 1_000;
    for (let done = 0; done < count; done += BATCH) {
      await bench.sender.sendAll(
        Array.from({ length: Math.min(BATCH, count - done) }, (_, i) => [
          'cat.moved',
          'collar/C1',
          { from: null, to: `p${done + i}` },
          new Date(from + (done + i) * 1_000),
        ]),
      );
    }
  };

  test('ten thousand events are gone through by keyboard: few rows are drawn, none is missing, and the scrollbar is right', async () => {
    await sendMoves(EVENTS);
    const page = await bench.open();
    await page.locator('.event', { hasText: `p${EVENTS - 1}` }).waitFor();
    await page.locator('#events-scroll').focus();
    let most = 0;
    await expect
      .poll(async () => {
        await page.keyboard.press('End');
        most = Math.max(most, (await scroller(page)).rows);
        return page.locator('.event .sentence', { hasText: /is in p0$/ }).count();
      }, LATER)
      .toBe(1);
    expect(most).toBeLessThanOrEqual(MOST_ROWS);
    await page.keyboard.press('End');
    const [row] = await page.locator('.event').evaluateAll((rows) => rows.map((node) => node.clientHeight));
    const end = await scroller(page);
    // No row is higher or lower than the others here, but those in which a day begins.
    expect(Math.abs(end.height / (EVENTS * ((row ?? 0) + 1)) - 1)).toBeLessThan(0.02);
    expect(end.top + end.seen).toBeGreaterThan(end.height - 2);
    const last = page.locator('.event').last();
    expect(await last.getAttribute('aria-posinset')).toBe(String(EVENTS));
    expect(await last.getAttribute('aria-setsize')).toBe(String(EVENTS));
    // In the middle: one after the other, newest first.
    await page.locator('#events-scroll').evaluate((node) => node.scrollTo(0, node.scrollHeight / 2));
    await eventually(async () => (await sentences(page))[0]).toMatch(/p[45]\d{3}$/);
    const middle = (await sentences(page)).map((text) => Number(/\d+$/.exec(text)?.[0]));
    expect(middle).toEqual(Array.from(middle, (_, i) => (middle[0] ?? 0) - i));
    const before = (await scroller(page)).top;
    await page.keyboard.press('PageDown');
    await eventually(async () => (await scroller(page)).top).toBeGreaterThan(before);
    await page.keyboard.press('Home');
    await page.locator('.event', { hasText: `p${EVENTS - 1}` }).waitFor();
    expect((await scroller(page)).rows).toBeLessThanOrEqual(MOST_ROWS);
  });

  test('who reads further down keeps the place while others arrive, and rows of any height', async () => {
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await sendMoves(200);
    await bench.sender.send('cat.moved', 'collar/C1', { from: 'x'.repeat(60), to: 'y '.repeat(150) });
    const page = await bench.open('', { viewport: { width: 420, height: 800 } });
    await page.locator('.event', { hasText: 'p199' }).waitFor();
    await page.locator('#events-scroll').evaluate((node) => node.scrollTo(0, 2_000));
    const seen = () =>
      page.locator('#events-scroll').evaluate((node) => {
        const top = node.getBoundingClientRect().top;
        const row = [...node.querySelectorAll('li')].find((one) => one.getBoundingClientRect().bottom > top + 1);
        return [
          row?.querySelector('.sentence')?.textContent,
          Math.round((row?.getBoundingClientRect().top ?? 0) - top),
        ];
      });
    await eventually(async () => (await scroller(page)).rows).toBeGreaterThan(10);
    const before = await seen();
    for (let i = 0; i < 30; i += 1) await bench.sender.send('meow.started', 'collar/C1', { level: 1 });
    await eventually(async () => (await scroller(page)).top).toBeGreaterThan(2_500);
    expect(await seen()).toEqual(before);
  });

  test('the focus stays in the list when its row scrolls out of sight', async () => {
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await sendMoves(300);
    const page = await bench.open();
    await page.locator('.event .fix').first().focus();
    await page.keyboard.press('End');
    await eventually(async () => (await scroller(page)).top).toBeGreaterThan(2_000);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('events-scroll');
    // Tab goes on with what is seen, not from the top of the page.
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.closest('#events') !== null)).toBe(true);
  });

  test('it is filtered by cat, kind, agent and day; the address says so, and a link brings it back', async () => {
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await bench.central.call('POST', 'api/v1/cats', { name: 'Otto', collar: 'C2' });
    const other = createSender(bench.central, 'attic', '01a20867-068a-70da-b9ee-759f41bde6a9');
    const now = new Date();
    const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1, 12);
    await bench.sender.send('cat.moved', 'collar/C1', { from: null, to: 'old' }, yesterday);
    await bench.sender.send('cat.moved', 'collar/C1', { from: 'old', to: 'hall' });
    await bench.sender.send('meow.started', 'collar/C2', { level: 1 });
    await other.send('cat.moved', 'collar/C2', { from: null, to: 'attic' });
    for (const name of ['porch', 'attic']) {
      await saveState(bench.central.store, name, { state: 'online', session: 1, version: '1' }, now.toISOString());
    }
    const page = await bench.open();
    const hash = () => page.evaluate(() => location.hash);
    await page.locator('.event', { hasText: 'Mia is in old' }).waitFor();
    await page.locator('#filter').selectOption({ label: 'places' });
    await eventually(() => sentences(page)).toEqual(['Otto is in attic', 'Mia moved old → hall', 'Mia is in old']);
    await page.locator('#filter-cat').selectOption('Mia');
    await eventually(() => sentences(page)).toEqual(['Mia moved old → hall', 'Mia is in old']);
    const two = (n: number) => String(n).padStart(2, '0');
    const day = `${yesterday.getFullYear()}-${two(yesterday.getMonth() + 1)}-${two(yesterday.getDate())}`;
    await page.locator('#filter-day').fill(day);
    await eventually(() => sentences(page)).toEqual(['Mia is in old']);
    expect(await hash()).toBe(`#/?cat=1&type=cat.moved&day=${day}`);
    // Nothing of another day, cat or kind comes in live.
    await bench.sender.send('cat.moved', 'collar/C1', { from: 'hall', to: 'now' });
    await page.locator('.cat', { hasText: 'Mia' }).getByText('now', { exact: true }).first().waitFor();
    expect(await sentences(page)).toEqual(['Mia is in old']);
    await page.reload();
    await eventually(() => sentences(page)).toEqual(['Mia is in old']);
    expect(await page.locator('#filter-cat').inputValue()).toBe('1');
    await page.locator('#filter-clear').click();
    await page.locator('.event', { hasText: 'joined' }).first().waitFor();
    expect(await hash()).toBe('#/');
    await page.goto(new URL('#/?agent=attic', bench.central.url).href);
    await eventually(() => sentences(page)).toEqual(['Otto is in attic']);
    expect(await page.locator('#filter-agent').inputValue()).toBe('attic');
    await other.send('meow.started', 'collar/C2', { level: 1 });
    await page.locator('.event', { hasText: 'Otto is shaking' }).waitFor();
    // What is no filter is none.
    await page.goto(new URL('#/?cat=0&day=soon&type=%3Cb%3E', bench.central.url).href);
    await page.locator('.event', { hasText: 'joined' }).first().waitFor();
    expect(await page.locator('#filter-clear').isVisible()).toBe(false);
  });

  test('what is new is told to who listens, and where central does not answer one can ask again', async () => {
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    const page = await bench.open();
    await page.locator('.event', { hasText: 'Mia joined' }).waitFor();
    expect(await page.locator('#said').textContent()).toBe('');
    await bench.sender.send('meow.started', 'collar/C1', { level: 1 });
    await eventually(() => page.locator('#said').textContent()).toBe('Mia is shaking');
    await page.route('**/api/v1/events*', (route) => route.abort());
    await page.locator('#filter').selectOption({ label: 'shaking' });
    await page.locator('#more').waitFor();
    expect(await page.locator('#no-events').isVisible()).toBe(false);
    await page.unroute('**/api/v1/events*');
    await page.locator('#more').click();
    await eventually(() => sentences(page)).toEqual(['Mia is shaking']);
    expect(await page.locator('#more').isVisible()).toBe(false);
    // The request that was cut stands in the console.
    expect(bench.complaints.splice(0)).toEqual([expect.stringContaining('ERR_FAILED')]);
  });
});
