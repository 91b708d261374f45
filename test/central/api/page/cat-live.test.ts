import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hearerOf } from '../../../../src/central/api/page/cat-live.ts';
import type { Agent } from '../../../../src/central/api/page/types.ts';
import type { LiveTrace } from '../../../../src/contract/live.ts';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { saveHealth, saveState } from '../../store/said.ts';
import { axeFaults, type Bench, openBench } from './bench.ts';
import { eventually } from './eventually.ts';

const NOW_MS = 600_000;

/** A minute in which it was shaken twice, and is again. */
function minute(nowMs: number): LiveTrace {
  const shaken = [
    [nowMs - 42_000, nowMs - 40_500],
    [nowMs - 20_000, nowMs - 18_000],
    [nowMs - 1_000, nowMs],
  ] as const;
  const first = Math.floor(nowMs / 250) - 239;
  const columns = Array.from({ length: 240 }, (_, i) => {
    const no = first + i;
    const shaking = shaken.some(([from, to]) => 250 * no >= from && 250 * no <= to);
    return {
      no,
      level: shaking ? 1.2 + 0.3 * Math.sin(i) : 0.02 + (i % 60 > 45 ? 0.3 : 0),
      odds: shaking ? 4 : -3,
      shaking,
    };
  });
  return {
    collar: 'C0FFEE01',
    nowMs,
    measure: 'acceleration',
    borders: { onOdds: 2, offOdds: 0, level: 0.25 },
    columns,
    bursts: shaken.map(([startMs, endMs]) => ({ startMs, endMs: endMs === nowMs ? null : endMs })),
    rateHz: 49.8,
    restG: 1.31,
    warnings: ['at rest it weighs 1.31 g, not 1: look at its unit and its range'],
  };
}

describe.skipIf(!requireServer('chromium', chromiumPath))('a collar that is looked at', { timeout: 120_000 }, () => {
  let bench: Bench;
  let trace: LiveTrace;
  let asked = 0;

  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());
  beforeEach(async () => {
    [trace, asked] = [minute(NOW_MS), 0];
    const look = () => {
      asked += 1;
      return trace;
    };
    await bench.start({ look });
    const { central } = bench;
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C0FFEE01' });
    await central.call('POST', 'api/v1/cats', { name: 'Otto' });
    const now = new Date().toISOString();
    await saveState(central.store, 'porch', { state: 'online', session: 1, version: '1' }, now);
    await saveHealth(central.store, 'porch', { collars: [{ collar: 'C0FFEE01', lastHeard: now }] }, now);
  });
  afterEach(async () => {
    await bench.stop();
    expect(bench.complaints).toEqual([]);
  });

  test('shows its minute with thresholds and shakes, as it goes on, to who opens it', async () => {
    const page = await bench.open('#/cats/1');
    const box = page.locator('#cat-live');
    await box.waitFor();
    expect(asked).toBe(0);
    await box.locator('summary').click();
    await page.locator('.live-lane svg').first().waitFor();
    const words = page.locator('#cat-live-words');
    await eventually(() => words.innerText()).toMatch(
      /^Now 1\.\d\d g, 98 % sure, 50 readings a second, at rest it weighs 1\.31 g, 3 shakes found\.$/,
    );
    expect(await page.locator('.live-bursts').first().locator('rect').count()).toBe(3);
    expect(await page.locator('.live-borders').first().locator('path').count()).toBe(1);
    expect(await page.locator('.live-borders').last().locator('path').count()).toBe(2);
    expect(await page.locator('#cat-live-warnings').innerText()).toContain('weighs 1.31 g');
    expect(await page.locator('#cat-live-bursts li').allInnerTexts()).toEqual([
      'Shake 1 s ago, goes on',
      'Shake 20 s ago, 2.0 s long',
      'Shake 42 s ago, 1.5 s long',
    ]);
    const picture = page.getByRole('img', { name: /How sure it is that this is a shake .*begins above 88/ });
    expect(await picture.count()).toBe(1);
    trace = { ...minute(NOW_MS + 50_000), warnings: [], bursts: [] };
    await eventually(() => words.innerText()).toContain('no shake found');
    expect(await page.locator('.live-bursts rect').count()).toBe(0);
    expect(await page.locator('#cat-live-warnings').isVisible()).toBe(false);
  });

  test('is asked for no more once it is closed', async () => {
    const page = await bench.open('#/cats/1');
    await page.locator('#cat-live summary').click();
    await page.locator('.live-lane').first().waitFor();
    await page.locator('#cat-live summary').click();
    // One may be on its way.
    await page.evaluate(() => new Promise((done) => setTimeout(done, 1_500)));
    const before = asked;
    await page.evaluate(() => new Promise((done) => setTimeout(done, 2_500)));
    expect(asked).toBe(before);
  });

  test('a collar that tells edges has one lane, and nothing that was heard is said', async () => {
    trace = { ...minute(NOW_MS), measure: 'edges', borders: { onOdds: null, offOdds: null, level: 3 } };
    const page = await bench.open('#/cats/1');
    await page.locator('#cat-live summary').click();
    await page.locator('.live-lane').first().waitFor();
    expect(await page.locator('.live-lane:visible').count()).toBe(1);
    expect(await page.locator('.live-lane:visible figcaption').innerText()).toContain('edges of late');
    trace = { ...trace, measure: null, columns: [], bursts: [] };
    await eventually(() => page.locator('#cat-live-words').innerText()).toBe('Nothing has come from the collar yet.');
  });

  test('why there is nothing to see is told', async () => {
    const page = await bench.open('#/cats/2');
    await page.locator('#cat-live summary').click();
    const answer = page.locator('#cat-live-answer');
    await answer.getByText('The cat wears no collar.').waitFor();
    await saveState(
      bench.central.store,
      'porch',
      { state: 'offline', session: 1, version: '1' },
      new Date().toISOString(),
    );
    bench.central.changes.announce();
    await page.goto(new URL('#/cats/1', bench.central.url).href);
    await page.locator('#cat-live summary').click();
    await answer.getByText('No agent that is online hears C0FFEE01.').waitFor();
  });

  test.each(['light', 'dark'] as const)('is clean to axe, %s and narrow too', async (colorScheme) => {
    const page = await bench.open('#/cats/1', { colorScheme });
    await page.locator('#cat-live summary').click();
    await page.locator('.live-lane').first().waitFor();
    expect(await axeFaults(page)).toEqual([]);
    const shots = process.env.COLLARD_SHOTS;
    if (shots !== undefined)
      writeFileSync(`${shots}/live-${colorScheme}.png`, await page.screenshot({ fullPage: true }));
    await page.setViewportSize({ width: 360, height: 800 });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(360);
    if (shots !== undefined) writeFileSync(`${shots}/narrow-${colorScheme}.png`, await page.screenshot());
  });
});

const agent = (name: string, state: Agent['state'], collars: unknown): Agent =>
  ({ agent: name, state, health: { collars } }) as unknown as Agent;

test('who is online and has heard it last is asked', () => {
  const at = (second: number) => `2026-11-20T08:00:0${second}.000Z`;
  const heard = (second: number, collar = 'C1') => [{ collar, lastHeard: at(second) }];
  expect(hearerOf('C1', [])).toBeNull();
  expect(hearerOf('C1', [agent('a', 'online', heard(1)), agent('b', 'online', heard(2))])).toBe('b');
  expect(hearerOf('C1', [agent('a', 'online', heard(1)), agent('b', 'offline', heard(2))])).toBe('a');
  expect(hearerOf('C1', [agent('a', 'online', heard(1, 'C2')), agent('b', 'online', [null, 7, {}])])).toBeNull();
  expect(hearerOf('C1', [agent('a', 'online', 'nonsense')])).toBeNull();
});
