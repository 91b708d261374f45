import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createChanges } from '../../src/central/api/changes.ts';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { openStore } from '../../src/central/open-store.ts';
import { reportCommand } from '../../src/cli/report.ts';
import { html, lengthLabel, momentLabel } from '../../src/cli/report-words.ts';
import { createSender } from '../central/api/serving.ts';
import { chromiumArgs } from '../e2e/browser.ts';
import { chromiumPath, requireServer } from '../servers.ts';

const EVIL = '<script>alert(1)</script>"\'`&\u202e';
let home: string;
let config: string;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'collard-report-'));
  config = join(home, 'central.yaml');
  const url = `sqlite:${join(home, 'central.db')}`;
  writeFileSync(config, `store: { url: "${url}" }\nmqtt: { url: "mqtt://127.0.0.1" }\n`);
  const store = await openStore({ url });
  const now = Date.now();
  const cats = openCatService(store, () => new Date(now - 20 * 86_400_000));
  await cats.addCat(EVIL, 'A');
  await cats.addCat('Miso', 'B');
  const sender = createSender({ store, changes: createChanges() });
  const ago = (hours: number) => new Date(now - hours * 3_600_000);
  await sender.sendAll([
    ['cat.moved', 'collar/A', { from: null, to: `${EVIL}hall` }, ago(50)],
    ['sensor.failed', null, { source: `${EVIL}usb`, reason: `${EVIL}gone` }, ago(40)],
    ['collar.silent', 'collar/A', { lastSeen: ago(30).toISOString() }, ago(29)],
    ['collar.heard', 'collar/A', { lastSeen: ago(27).toISOString() }, ago(27)],
    ['meow.ended', 'collar/A', { durationMs: 64_000, peakG: 2.34, readings: 9, place: `${EVIL}sofa` }, ago(2)],
    ['meow.ended', 'collar/A', { durationMs: 400, peakG: 1, readings: 9, place: null }, ago(1)],
  ]);
  const [last] = (await store.newest({ types: ['collard.meow.ended'], limit: 1 })).events;
  await cats.revoke(last?.epoch ?? '', last?.seq ?? 0, `${EVIL}machine`);
  while ((await store.project(500)).events > 0);
  await store.close();
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(home, { recursive: true });
});

async function run(...args: string[]): Promise<string> {
  let out = '';
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    await reportCommand()
      .exitOverride()
      .parseAsync(['--config', config, ...args], { from: 'user' });
  } finally {
    vi.restoreAllMocks();
  }
  return out;
}

describe('collard report', () => {
  test('writes one file that runs nothing, loads nothing and takes names for text', async () => {
    const path = join(home, 'report.html');
    await run('--cat', '1', '--week', '--out', path);
    const page = readFileSync(path, 'utf8');
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).toContain("default-src 'none'; style-src 'unsafe-inline'");
    expect(page).not.toMatch(/<script|<img|<link|src=|href=|url\(http|\son\w+=|\u202e/);
    const told = '&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#96;&#38;\ufffd';
    for (const word of ['hall', 'sofa', 'usb', 'gone', 'machine']) expect(page).toContain(told + word);
    expect(page).toContain(`<h1>${told}</h1>`);
    for (const word of [
      '1 min 4 s',
      '2.3 g',
      'taken back: not counted',
      'The collar was not heard',
      'usb',
      '@page{size:A4',
    ]) {
      expect(page).toContain(word);
    }
  });

  test('finds a cat by name or number, and names the file after it', async () => {
    const before = process.cwd();
    process.chdir(home);
    try {
      await run('--cat', 'miso');
      await run('--cat', '1');
    } finally {
      process.chdir(before);
    }
    const files = readdirSync(home).filter((name) => name.endsWith('.html'));
    expect(files.sort()).toEqual([
      expect.stringMatching(/^collard-Miso-\d{4}-\d\d-\d\d\.html$/),
      expect.stringMatching(/^collard-script-alert-1-script-\d{4}-\d\d-\d\d\.html$/),
    ]);
    await expect(run('--cat', 'Otto')).rejects.toMatchObject({ exitCode: 1, fix: expect.stringContaining('Miso') });
  });

  test('prints what it tells as JSON, and the page on stdout', async () => {
    expect(JSON.parse(await run('--cat', 'Miso', '--json', '--tz', 'UTC'))).toMatchObject({
      cat: { id: 2, name: 'Miso' },
      tz: 'UTC',
      total: { meows: 0 },
    });
    expect(await run('--cat', 'Miso', '--out', '-')).toContain('None was detected.');
  });

  test.each<[string[], number]>([
    [['--week'], 7],
    [[], 7],
    [['--month'], 30],
    [['--from', '2026-03-28', '--to', '2026-03-31'], 3],
    [['--from', '2026-10-24', '--to', '2026-10-26T12:00:00Z'], 3],
  ])('is of whole days: %o', async (options, days) => {
    const told = JSON.parse(await run('--cat', 'Miso', '--json', '--tz', 'Europe/Berlin', ...options));
    expect(told.days).toHaveLength(days);
    for (const { from } of told.days) expect(from).toMatch(/T00:00:00\+0[12]:00$/);
  });

  test.each([
    [['--week', '--month']],
    [['--week', '--from', '2026-01-01']],
    [['--from', '2026-01-02', '--to', '2026-01-01']],
    [['--from', 'yesterday']],
    [['--from', '2020-01-01']],
    [['--tz', 'Mars']],
  ])('refuses %o', async (options) => {
    await expect(run('--cat', 'Miso', ...options)).rejects.toMatchObject({ exitCode: 64 });
  });
});

describe('words of a report', () => {
  test.each([
    [400, '0.4 s'],
    [9_940, '9.9 s'],
    [9_960, '10 s'],
    [59_400, '59 s'],
    [64_000, '1 min 4 s'],
    [599_400, '9 min 59 s'],
    [600_000, '10 min'],
    [3_600_000, '1 h'],
    [36_600_000, '10 h 10 min'],
    [86_340_000, '23 h 59 min'],
    [86_400_000, '1 d'],
    [97_200_000, '1 d 3 h'],
  ])('say %d ms as %s', (ms, words) => {
    expect(lengthLabel(ms)).toBe(words);
  });

  test('say a moment in its zone', () => {
    expect(momentLabel(Date.parse('2026-11-23T23:05:00Z'), 'Europe/Berlin')).toBe('Tue 24 Nov, 00:05');
  });

  test('leave nothing of markup in any text', () => {
    const all = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code)).join('');
    expect(html(all).replaceAll(/&#\d+;/g, '')).not.toMatch(/[<>"'`&\u202e\u2066]/);
  });
});

describe.skipIf(!requireServer('chromium', chromiumPath))('a report in a browser', { timeout: 60_000 }, () => {
  test('says nothing on the console, fits a phone, and is as many pages of A4 as one would print', async () => {
    const path = join(home, 'report.html');
    await run('--cat', '1', '--out', path);
    const browser = await chromium.launch({ executablePath: chromiumPath ?? '', args: chromiumArgs });
    try {
      const page = await browser.newPage({ viewport: { width: 390, height: 800 } });
      const complaints: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      await page.goto(`file://${path}`);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
      const pdf = (await page.pdf({ preferCSSPageSize: true, printBackground: true })).toString('latin1');
      const pages = Number(/\/Count (\d+)/.exec(pdf)?.[1]);
      expect(pages).toBeGreaterThan(0);
      expect(pages).toBeLessThanOrEqual(2);
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
