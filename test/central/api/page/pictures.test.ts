import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { axeFaults, type Bench, openBench } from './bench.ts';
import { eventually } from './eventually.ts';

describe.skipIf(!requireServer('chromium', chromiumPath))('pictures on the page', { timeout: 120_000 }, () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());

  test('a cat with one shows it, on its card and in its view; without one, or with a broken one, its letter', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'collard-pictures-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    await bench.start({ pictures: folder });
    onTestFinished(() => bench.stop());
    for (const name of ['Mia', 'Tom', 'Leo']) await bench.central.call('POST', 'api/v1/cats', { name });
    const page = await bench.open();
    await page.locator('.cat').nth(2).waitFor();
    writeFileSync(join(folder, 'Mia.jpg'), await page.screenshot({ type: 'jpeg', quality: 60 }));
    // Its first bytes are those of a picture, and no more.
    writeFileSync(join(folder, '3.png'), Buffer.from('89504e470d0a1a0a0000', 'hex'));
    await page.reload();
    const avatars = page.locator('.cat .avatar');
    await eventually(() => avatars.first().locator('img').count()).toBe(1);
    const width = () =>
      avatars
        .first()
        .locator('img')
        .evaluate((node) => (node as HTMLImageElement).naturalWidth);
    await eventually(width).toBeGreaterThan(0);
    await eventually(() => avatars.allInnerTexts()).toEqual(['', 'T', 'L']);
    expect(await axeFaults(page)).toEqual([]);
    await page.getByRole('link', { name: 'Mia' }).first().click();
    await eventually(() => page.locator('#cat-avatar img').count()).toBe(1);
    expect(await axeFaults(page)).toEqual([]);
    await page.goto(new URL('#/cats/2', bench.central.url).href);
    await page.getByRole('heading', { name: 'Tom' }).waitFor();
    expect(await page.locator('#cat-avatar').innerText()).toBe('T');
  });
});
