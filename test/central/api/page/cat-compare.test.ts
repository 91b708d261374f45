import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { yamlOf } from '../../../../src/central/api/page/cat-compare.ts';
import type { Compared, CompareQuestion } from '../../../../src/contract/compare.ts';
import { ONE_MORE } from '../../../contract/compared.ts';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { saveHealth, saveState } from '../../store/said.ts';
import { axeFaults, type Bench, openBench } from './bench.ts';
import { eventually } from './eventually.ts';

const SEVERAL: Compared = {
  ...ONE_MORE,
  levels: Array.from({ length: 240 }, (_, i) => (i % 40 === 0 ? 1.6 : 0.05 + (i % 7) / 100)),
  past: [
    [1_800_000, 1_801_200],
    [3_600_000, 3_601_200],
    [5_400_000, 5_401_000],
  ],
  anew: [
    [1_800_000, 1_801_200],
    [3_600_100, 3_602_300],
    [9_000_000, null],
  ],
  changes: [
    { what: 'moved', before: [3_600_000, 3_601_200], after: [3_600_100, 3_602_300] },
    { what: 'removed', before: [5_400_000, 5_401_000], after: null },
    { what: 'added', before: null, after: [9_000_000, null] },
  ],
  ...{ added: 1, removed: 1, moved: 3, same: 1 },
  own: { sensitivity: 1.4, quietMs: 900 },
};

describe.skipIf(!requireServer('chromium', chromiumPath))('settings that are compared', { timeout: 120_000 }, () => {
  let bench: Bench;
  let compare: (question: CompareQuestion, signal: AbortSignal) => Promise<Compared>;
  let asked: CompareQuestion[] = [];

  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());
  beforeEach(async () => {
    asked = [];
    compare = async () => SEVERAL;
    await bench.start({
      compare: (question, signal) => {
        asked.push(question);
        return compare(question, signal);
      },
    });
    const { central } = bench;
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C0FFEE01' });
    const now = new Date().toISOString();
    await saveState(central.store, 'porch', { state: 'online', session: 1, version: '1' }, now);
    await saveHealth(central.store, 'porch', { collars: [{ collar: 'C0FFEE01', lastHeard: now }] }, now);
  });
  afterEach(async () => {
    await bench.stop();
    expect(bench.complaints).toEqual([]);
  });

  test('are shown as a picture, a table, and lines for agent.yaml', async () => {
    const page = await bench.open('#/cats/1');
    const box = page.locator('#cat-compare');
    await box.locator('summary').click();
    expect(asked).toEqual([]);
    await box.getByLabel('Sensitivity').fill('1.4');
    await box.getByLabel('A shake ends').fill('900');
    await box.getByLabel('Readings of').selectOption('6 hours');
    await box.getByRole('button', { name: 'Compare' }).click();
    await box
      .getByText('1 added, 1 removed, 3 moved, 1 the same: 3 shakes then, 3 now, in 3.0 h of readings.')
      .waitFor();
    expect(asked).toEqual([{ collar: 'C0FFEE01', hours: 6, shake: { sensitivity: 1.4, quietMs: 900 } }]);
    const picture = box.getByRole('img', { name: '3 shakes then, 3 now' });
    const marks = () => picture.locator('rect').evaluateAll((nodes) => nodes.map((node) => node.getAttribute('class')));
    expect(await marks()).toEqual([
      ...['compare-same', 'compare-moved', 'compare-removed'],
      ...['compare-same', 'compare-moved', 'compare-added'],
    ]);
    const rows = (await box.locator('tbody tr').allInnerTexts()).map((text) =>
      text.replaceAll('\u00a0', ' ').split('\t'),
    );
    expect(rows.map(([what, , length]) => [what, length])).toEqual([
      ['added', 'not ended'],
      ['removed', '1.00 s'],
      ['moved', '1.20 s → 2.20 s'],
    ]);
    await box.getByText('2 older changes are not listed.').waitFor();
    expect(await box.locator('pre').innerText()).toContain('C0FFEE01: { sensitivity: 1.4, quietMs: 900 }');
    expect(await axeFaults(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  });

  test('are waited for, and why there is nothing to compare is told in the words of the agent', async () => {
    const refusal = Object.assign(new Error('porch: nothing is kept here: set readings.keep'), {
      code: 'LOOK_REFUSED',
    });
    let refuse: () => void = () => undefined;
    const refused = new Promise<void>((resolve) => {
      refuse = resolve;
    });
    compare = () => refused.then(() => Promise.reject(refusal));
    const page = await bench.open('#/cats/1');
    const box = page.locator('#cat-compare');
    await box.locator('summary').click();
    const button = box.getByRole('button', { name: 'Compare' });
    await button.click();
    await box.getByText('porch decides its kept readings anew.').waitFor();
    expect(await button.isDisabled()).toBe(true);
    refuse();
    await box.getByText('porch: nothing is kept here: set readings.keep').waitFor();
    await eventually(() => button.isDisabled()).toBe(false);
    expect(await box.locator('#cat-compare-found').isVisible()).toBe(false);
    // The browser tells of the refusal.
    expect(bench.complaints.splice(0)).toEqual([expect.stringContaining('409')]);
  });

  test('are not wanted any more once who asked has gone', async () => {
    const gone = new Promise<void>((resolve) => {
      compare = (_question, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            resolve();
            reject(Object.assign(new Error('gone'), { code: 'LOOK_REFUSED' }));
          });
        });
    });
    const page = await bench.open('#/cats/1');
    await page.locator('#cat-compare summary').click();
    await page.locator('#cat-compare').getByRole('button', { name: 'Compare' }).click();
    await eventually(async () => asked.length).toBe(1);
    await page.goto('about:blank');
    await gone;
  });
});

test.each([
  ['C0FFEE01', { sensitivity: 1.4 }, 'C0FFEE01: { sensitivity: 1.4 }'],
  ['00112233', { quietMs: 900, edgesOn: 2 }, '"00112233": { quietMs: 900, edgesOn: 2 }'],
  ['null', {}, '"null": {}'],
  ['a: "b', {}, '"a: \\"b": {}'],
])('the lines for %s', (collar, own, line) => {
  expect(yamlOf({ collar, own })).toBe(`detect:\n  shake:\n    collars:\n      ${line}\n`);
});
