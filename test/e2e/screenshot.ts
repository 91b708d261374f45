/** npm run screenshot [-- --seconds 45 --dark --width 1280 --out .github/page.png]: a picture of the demo's page for the README. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { chromiumPath } from '../servers.ts';
import { chromiumArgs } from './browser.ts';
import { bin } from './stack.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '45' },
    dark: { type: 'boolean', default: false },
    width: { type: 'string', default: '1280' },
    height: { type: 'string', default: '860' },
    out: { type: 'string', default: '.github/page.png' },
  },
});
if (chromiumPath === null)
  throw new Error('chromium is not installed: apt-get install --no-install-recommends chromium');
const demo = spawn(process.execPath, [bin, 'demo', '--port', '0', '--seed', '4'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArgs });
try {
  let url = '';
  for await (const line of createInterface({ input: demo.stdout })) {
    url = /https?:\/\/\S+/.exec(line)?.[0] ?? '';
    if (url !== '') break;
  }
  demo.stdout.resume();
  const page = await browser.newPage({
    viewport: { width: Number(values.width), height: Number(values.height) },
    colorScheme: values.dark ? 'dark' : 'light',
  });
  await page.goto(url);
  await pause(Number(values.seconds) * 1000);
  await page.screenshot({ path: values.out });
  process.stdout.write(`${values.out}\n`);
} finally {
  await browser.close();
  demo.kill('SIGTERM');
}
