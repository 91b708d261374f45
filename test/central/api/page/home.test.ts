import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { axeFaults, type Bench, openBench } from './bench.ts';
import { eventually } from './eventually.ts';

const HOUR_MS = 3_600_000;

describe.skipIf(!requireServer('chromium', chromiumPath))('the first screen', { timeout: 120_000 }, () => {
  let bench: Bench;
  /** Central's clock stands so far back: cats are there before things happen to them. */
  let backMs = 0;

  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());
  beforeEach(async () => {
    backMs = 48 * HOUR_MS;
    await bench.start({ clock: () => new Date(Date.now() - backMs) });
  });
  afterEach(async () => {
    await bench.stop();
    expect(bench.complaints).toEqual([]);
  });

  /** Everything that it can show at once: shaking, stale, low, silent, corrected, a collar of nobody. */
  const fill = async () => {
    for (const [name, collar] of [
      ['Mia', 'C1'],
      ['Otto', 'C2'],
      [`Ö${'w'.repeat(63)}`, 'C3'],
    ]) {
      await bench.central.call('POST', 'api/v1/cats', { name, collar });
    }
    backMs = 0;
    const { send } = bench.sender;
    const before = (hours: number) => new Date(Date.now() - hours * HOUR_MS);
    await send('cat.moved', 'collar/C1', { from: null, to: 'attic' }, before(30));
    await send('battery.low', 'collar/C2', { percent: 9 }, before(3));
    await send('collar.silent', 'collar/C2', { lastSeen: before(3).toISOString() }, before(2));
    const { epoch, seq } = await send('cat.moved', 'collar/C1', { from: 'attic', to: 'x'.repeat(60) }, before(1));
    await bench.central.call('POST', 'api/v1/events/revoke', { epoch, seq, reason: 'a bird' });
    await send('meow.started', 'collar/C1', { level: 1 });
    await send('meow.started', 'collar/STRAY', { level: 1 });
  };

  test.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)(
    'axe finds nothing wrong, now and as it was, and nothing is wider than the screen: %s, %i px',
    async (colorScheme, width) => {
      await fill();
      const page = await bench.open('', { colorScheme, viewport: { width, height: 844 }, reducedMotion: 'reduce' });
      const isWide = () =>
        page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      await page.locator('.event', { hasText: 'taken back: a bird' }).first().waitFor();
      await page.locator('.heat').first().waitFor();
      await page.getByText('As tables').click();
      expect(await axeFaults(page)).toEqual([]);
      expect(await isWide()).toBe(0);
      await page.goto(new URL(`#/?at=${new Date(Date.now() - 20 * HOUR_MS).toISOString()}`, bench.central.url).href);
      await page.locator('.cat', { hasText: 'attic' }).waitFor();
      await eventually(() => page.locator('#cats.is-reading').count()).toBe(0);
      expect(await axeFaults(page)).toEqual([]);
      expect(await isWide()).toBe(0);
    },
  );

  test('axe finds nothing wrong where there is nothing yet, and where central is gone', async () => {
    const page = await bench.open('', { reducedMotion: 'reduce' });
    await page.locator('#empty').waitFor();
    expect(await axeFaults(page)).toEqual([]);
    await bench.central.stopServer();
    await page.locator('#offline').waitFor({ state: 'visible' });
    expect(await axeFaults(page)).toEqual([]);
  });

  test('whoever goes through it by Tab comes to every control, and sees where it is', async () => {
    await fill();
    const page = await bench.open();
    await page.locator('.event', { hasText: 'taken back: a bird' }).first().waitFor();
    await page.locator('.day').nth(13).waitFor();
    const seen = new Set<string>();
    for (let i = 0; i < 80; i += 1) {
      await page.keyboard.press('Tab');
      const [id, outline] = await page.evaluate(() => {
        const node = document.activeElement as HTMLElement;
        return [node.id || node.className || node.tagName, getComputedStyle(node).outlineStyle];
      });
      if (id === 'BODY') break;
      expect([id, outline]).not.toEqual([id, 'none']);
      seen.add(id);
    }
    const wanted = [
      'replay-at',
      'replay-span',
      'replay-moment',
      'fix',
      'filter-cat',
      'filter',
      'filter-agent',
      'filter-day',
    ];
    expect([...seen]).toEqual(expect.arrayContaining([...wanted, 'events-scroll']));
  });
});
