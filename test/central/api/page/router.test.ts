import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { meowing } from '../../store/events.ts';
import { EPOCH } from '../serving.ts';
import { type Bench, openBench } from './bench.ts';
import { startProxy } from './proxy.ts';

describe.skipIf(!requireServer('chromium', chromiumPath))('the views of the page', { timeout: 120_000 }, () => {
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

  test('they are gone to by link and by the buttons of the browser; the heading takes the focus', async () => {
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    const page = await bench.open();
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    const current = () => page.locator('nav [aria-current=page]').allInnerTexts();
    expect([await page.title(), await current()]).toEqual(['collard', ['Home']]);
    await page.getByRole('link', { name: 'Devices' }).click();
    await page.locator('#view-devices').waitFor();
    expect([await page.title(), await current(), await focused()]).toEqual([
      'Devices · collard',
      ['Devices'],
      'Devices',
    ]);
    expect(await page.locator('#view-home').isVisible()).toBe(false);
    await page.goBack();
    await page.locator('#view-home').waitFor();
    expect([await page.title(), await current(), await focused()]).toEqual(['collard', ['Home'], 'Cats']);
    await page.locator('.cat a', { hasText: 'Mia' }).click();
    await page.locator('#view-cat').waitFor();
    expect([await page.title(), await current(), await focused()]).toEqual(['Mia · collard', [], 'Mia']);
    await bench.central.call('PATCH', 'api/v1/cats/1', { name: 'Maja' });
    await page.locator('#view-cat').getByRole('heading', { name: 'Maja' }).waitFor();
    expect(await page.title()).toBe('Maja · collard');
  });

  test('an address names its view at once, and one that names none is told', async () => {
    const page = await bench.open('#/devices');
    await page.locator('#view-devices').waitFor();
    await page.goto(new URL('#/dogs/<b>1</b>', bench.central.url).href);
    await page.locator('#view-unknown').waitFor();
    expect(await page.title()).toBe('No such view · collard');
    expect(await page.locator('#unknown-asked').innerText()).toContain('/dogs/');
    await page.goto(new URL('#/cats/7', bench.central.url).href);
    await page.getByRole('heading', { name: 'There is no cat 7' }).waitFor();
    await page.locator('nav').getByRole('link', { name: 'Home' }).click();
    await page.locator('#view-home').waitFor();
    // A place on the view is no view.
    await page.locator('#empty').getByRole('link', { name: 'Add a cat' }).click();
    expect(await page.locator('#view-home').isVisible()).toBe(true);
  });

  test('who skips lands on the heading of the view, and the address stays', async () => {
    const page = await bench.open('#/devices');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('devices-title');
    expect(new URL(page.url()).hash).toBe('#/devices');
  });

  test('they work under a path of a proxy, with all that they ask for and change', async () => {
    const { central } = bench;
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    const porch = meowing('porch', EPOCH, 4);
    await central.store.ingest(porch.batch(1, 1), new Date().toISOString());
    await central.store.ingest(porch.batch(4, 4), new Date().toISOString());
    const proxy = await startProxy(central.url, '/collard');
    const page = await bench.open(`${proxy.url}#/devices`);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.locator('.range', { hasText: '2 to 3' }).waitFor();
    await page.locator('#central-sum').getByText('one central has all shards').waitFor();
    await page.goto(`${proxy.url}#/cats/1`);
    await page.locator('#cat-rules li').first().waitFor();
    await page.locator('.wearing', { hasText: 'C1' }).waitFor();
    await page.locator('#cat-name').fill('Maja');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Maja' }).waitFor();
    expect(asked.filter((path) => !path.startsWith('/collard/'))).toEqual([]);
    await bench.stop();
    proxy.stop();
  });
});
