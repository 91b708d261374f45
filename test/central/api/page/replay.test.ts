import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { type Bench, openBench } from './bench.ts';
import { eventually } from './eventually.ts';

const HOUR_MS = 3_600_000;

describe.skipIf(!requireServer('chromium', chromiumPath))('the house as it was', { timeout: 60_000 }, () => {
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
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    backMs = 0;
    const move = (from: string | null, to: string, hours: number) =>
      bench.sender.send('cat.moved', 'collar/C1', { from, to }, new Date(Date.now() - hours * HOUR_MS));
    await move(null, 'attic', 30);
    await move('attic', 'garden', 10);
    await bench.sender.send('meow.started', 'collar/C1', { level: 1 }, new Date(Date.now() - 9 * HOUR_MS));
    await bench.sender.send(
      'meow.ended',
      'collar/C1',
      { durationMs: 2 * HOUR_MS, peakG: 1, readings: 9, place: 'garden' },
      new Date(Date.now() - 7 * HOUR_MS),
    );
    await move('garden', 'hall', 1);
  });
  afterEach(async () => {
    await bench.stop();
    expect(bench.complaints).toEqual([]);
  });

  const place = (page: Page) => page.locator('.cat .place span').first().innerText();
  const back = (hours: number) => new Date(Date.now() - hours * HOUR_MS).toISOString().replace(/\.\d+Z$/, 'Z');
  const hash = (page: Page) => page.evaluate(() => location.hash);

  test('the slider is moved by keyboard to a moment, says which, and comes back to live', async () => {
    const page = await bench.open();
    await page.locator('.cat', { hasText: 'hall' }).waitFor();
    expect(await page.locator('#past').isVisible()).toBe(false);
    const slider = page.getByRole('slider', { name: 'Replay' });
    expect(await slider.getAttribute('aria-valuetext')).toBe('now');
    await slider.focus();
    // A tenth of a day each, a little more than two hours: 9 h 36 min ago or less, then 8 h 24 min.
    for (let i = 0; i < 4; i += 1) await page.keyboard.press('PageDown');
    await eventually(() => place(page)).toBe('garden');
    await page.locator('#past').waitFor({ state: 'visible' });
    expect(await slider.getAttribute('aria-valuetext')).toMatch(/, [89] h ago$/);
    expect(await page.locator('#past').innerText()).toMatch(/The house as it was at .*, [89] h ago/);
    expect(await hash(page)).toMatch(/^#\/\?at=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(await page.locator('.event .sentence').allInnerTexts()).not.toContain('Mia moved garden → hall');
    expect(await page.locator('.cat .fix').isVisible()).toBe(false);
    // Nothing of now stands beside it.
    expect(await page.getByRole('heading', { name: 'Agents' }).isVisible()).toBe(false);
    // What happens meanwhile does not mix in.
    await bench.sender.send('cat.moved', 'collar/C1', { from: 'hall', to: 'cellar' });
    await bench.central.call('POST', 'api/v1/cats', { name: 'Otto' });
    await page.locator('#filter-cat option', { hasText: 'Otto' }).waitFor({ state: 'attached' });
    expect([await place(page), await page.locator('.cat').count()]).toEqual(['garden', 1]);
    await page.keyboard.press('End');
    await eventually(() => place(page)).toBe('cellar');
    await page.locator('.event', { hasText: 'Mia moved hall → cellar' }).waitFor();
    expect(await hash(page)).toBe('#/');
    expect(await page.locator('#past').isVisible()).toBe(false);
  });

  test('any moment can be named by its date or a link, also one that the slider had not reached', async () => {
    const page = await bench.open(`#/?at=${back(8)}`);
    await page.locator('.cat .shaking', { hasText: 'was shaking' }).waitFor();
    expect(await place(page)).toBe('garden');
    await page.locator('.event', { hasText: 'Mia is shaking' }).waitFor();
    await page.goto(new URL(`#/?at=${back(29)}`, bench.central.url).href);
    await eventually(() => place(page)).toBe('attic');
    expect(await page.locator('#replay-span').inputValue()).toBe('7');
    const two = (n: number) => String(n).padStart(2, '0');
    const then = new Date(Date.now() - 9.5 * HOUR_MS);
    const text = `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())}T${two(then.getHours())}:${two(then.getMinutes())}`;
    await page.locator('#replay-moment').fill(text);
    await page.locator('#replay-moment').press('Tab');
    await eventually(() => place(page)).toBe('garden');
    expect(await hash(page)).toContain('at=');
    await page.getByRole('button', { name: 'Back to live' }).click();
    await eventually(() => place(page)).toBe('hall');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('replay-at');
    // Before the first cat.
    await page.goto(new URL(`#/?at=${back(72)}`, bench.central.url).href);
    await page.locator('#none-then').waitFor();
    // A way to home is a way to now.
    await page.getByRole('link', { name: 'Devices' }).click();
    await page.getByRole('link', { name: 'Home' }).click();
    await eventually(() => place(page)).toBe('hall');
  });

  test('dragging asks for the place of rest only, and an answer that comes late is not shown', async () => {
    const page = await bench.open();
    await page.locator('.cat', { hasText: 'hall' }).waitFor();
    const asked: string[] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route('**/api/v1/state*', async (route) => {
      asked.push(route.request().url());
      if (asked.length === 1) await held;
      await route.continue().catch((error: unknown) => expect(String(error)).toContain('Route'));
    });
    const slide = (values: readonly number[]) =>
      page.locator('#replay-at').evaluate((node, wanted) => {
        for (const value of wanted) {
          (node as HTMLInputElement).value = String(value);
          node.dispatchEvent(new Event('input', { bubbles: true }));
        }
      }, values);
    await slide([280, 260, 240, 200, 190]);
    await page.locator('#cats.is-reading').waitFor();
    await eventually(() => asked.length).toBe(1);
    await slide([170, 188]);
    await eventually(() => asked.length).toBe(2);
    await eventually(() => place(page)).toBe('garden');
    expect(await page.locator('#cats.is-reading').count()).toBe(0);
    await slide([288]);
    await eventually(() => place(page)).toBe('hall');
    release();
    await page.locator('#cats:not(.is-reading)').waitFor();
    expect(await place(page)).toBe('hall');
    expect(asked.length).toBe(2);
  });

  test('where the past cannot be read it says why, and shows nothing as if it were', async () => {
    const page = await bench.open();
    await page.locator('.cat', { hasText: 'hall' }).waitFor();
    const problem = { title: 'x', detail: 'the events before that are in segments' };
    await page.route('**/api/v1/state*', (route) =>
      route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(problem) }),
    );
    await page.getByRole('slider', { name: 'Replay' }).focus();
    await page.keyboard.press('PageDown');
    await page.locator('#past-fault', { hasText: 'the events before that are in segments' }).waitFor();
    expect(await page.locator('#cats.is-reading').count()).toBe(1);
    expect(bench.complaints.splice(0)).toEqual([expect.stringContaining('503')]);
    await page.getByRole('button', { name: 'Back to live' }).click();
    await page.locator('#cats:not(.is-reading)').waitFor();
    expect(await page.locator('#past-fault').innerText()).toBe('');
  });
});
