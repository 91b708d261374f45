import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { chromiumPath, requireServer } from '../servers.ts';
import { chromiumArgs } from './browser.ts';
import { bin } from './stack.ts';

describe.skipIf(!requireServer('chromium', chromiumPath))('the demo in a real browser', () => {
  test('says SIMULATED, and its meows appear without a reload', async () => {
    const demo = spawn(process.execPath, [bin, 'demo', '--port', '0', '--seed', '2'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const browser = await chromium.launch({ executablePath: chromiumPath ?? '', args: chromiumArgs });
    try {
      let url = '';
      for await (const line of createInterface({ input: demo.stdout })) {
        url = /page\s+(http:\S+)/.exec(line)?.[1] ?? '';
        if (url !== '') break;
      }
      demo.stdout.resume();
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(String(error)));
      let loads = 0;
      page.on('load', () => {
        loads += 1;
      });
      await page.goto(url);
      await page.getByText('SIMULATED').first().waitFor();
      const meow = page.getByText(/ is shaking$/);
      await meow.first().waitFor({ timeout: 40_000 });
      const before = await meow.count();
      await expect.poll(() => meow.count(), { timeout: 40_000 }).toBeGreaterThan(before);
      expect([loads, errors]).toEqual([1, []]);
    } finally {
      await browser.close();
      demo.kill('SIGTERM');
      await once(demo, 'exit');
    }
  }, 120_000);
});
