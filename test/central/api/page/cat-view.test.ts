import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { epochId } from '../../store/events.ts';
import { createSender } from '../serving.ts';
import { axeFaults, type Bench, openBench } from './bench.ts';
import { eventually } from './eventually.ts';

const DAY_MS = 86_400_000;
/** Where it is about noon now: no day ends in the middle of a test. */
const hours = 12 - new Date().getUTCHours();
const timezoneId = `Etc/GMT${hours > 0 ? '-' : '+'}${Math.abs(hours)}`;

describe.skipIf(!requireServer('chromium', chromiumPath))('a cat on the page', { timeout: 120_000 }, () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());
  beforeEach(async () => {
    await bench.start();
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await bench.central.call('POST', 'api/v1/cats', { name: 'Otto', collar: 'C2' });
  });
  afterEach(async () => {
    await bench.stop();
    expect(bench.complaints).toEqual([]);
  });

  const sentences = (page: Page) => page.locator('#cat-events .sentence').allInnerTexts();
  const wearings = async (page: Page) =>
    (await page.locator('.wearing').allInnerTexts()).map((text) =>
      text.replace(/\s+/g, ' ').replace(/\d\d:\d\d/g, 'T'),
    );

  test('it tells where it is, what happens to it live, and nothing of others', async () => {
    const page = await bench.open('#/cats/1');
    await page.locator('#cat-place').getByText('place unknown').waitFor();
    await bench.sender.send('cat.moved', 'collar/C1', { from: null, to: 'hall' });
    await bench.sender.send('cat.moved', 'collar/C2', { from: null, to: 'attic' });
    await bench.sender.send('meow.started', 'collar/C1', { level: 1 });
    await page.locator('#cat-events').getByText('Mia is shaking').waitFor();
    await page.locator('#cat-shaking').waitFor();
    expect(await page.locator('#cat-place').innerText()).toBe('hall');
    expect(await sentences(page)).toEqual(['Mia is shaking', 'Mia is in hall', 'Mia wears collar C1', 'Mia joined']);
    const facts = (await page.locator('#cat-facts .fact').allInnerTexts()).map((text) => text.split('\n').join(' '));
    expect(facts.slice(1)).toEqual(['meows today 1', 'collar C1', 'battery not told']);
    await page.goto(new URL('#/cats/2', bench.central.url).href);
    await page.getByRole('heading', { name: 'Otto' }).waitFor();
    await eventually(() => sentences(page)).toEqual(['Otto is in attic', 'Otto wears collar C2', 'Otto joined']);
  });

  test('a place that several agents found is told live, by whom and how sure, and in the past', async () => {
    const { central } = bench;
    const rooms = ['kitchen', 'hall', 'bath'] as const;
    const agents = rooms.map((room, i) => createSender(central, `pi-${room}`, epochId(i + 1)));
    const began = Date.now() - 60 * 60_000;
    const at = (second: number) => new Date(began + second * 1_000);
    const hear = async (dbm: readonly number[], from: number, to: number) => {
      for (let second = from; second < to; second += 10) {
        for (const [i, place] of rooms.entries()) {
          const body = { place, rssi: dbm[i] ?? 0, forMs: 10_000 };
          await agents[i]?.send('collar.sighted', 'collar/C1', body, at(second + i));
        }
      }
    };
    const page = await bench.open('#/cats/1');
    await page.locator('#cat-place').getByText('place unknown').waitFor();
    await hear([-55, -75, -85], 0, 40);
    const places = async () => (await sentences(page)).filter((text) => text.includes('sure') || text.includes('seen'));
    const first = /^Mia is in kitchen, \d+\s% sure, heard by pi-bath, pi-hall and pi-kitchen$/;
    const second = /^Mia moved kitchen → hall, \d+\s% sure, heard by pi-bath, pi-hall and pi-kitchen$/;
    await eventually(places).toEqual([expect.stringMatching(first)]);
    await hear([-78, -52, -74], 40, 80);
    await eventually(places).toEqual([expect.stringMatching(second), expect.stringMatching(first)]);
    await agents[2]?.send('collar.sighted', 'collar/C1', { place: 'bath', sensor: 'pir', motion: true }, at(90));
    const third = 'Mia moved hall → bath, seen by pi-bath';
    await eventually(places).toEqual([third, expect.stringMatching(second), expect.stringMatching(first)]);
    // Late: it was in the bath before, so that it did not come there later.
    const seen = { place: 'bath', sensor: 'pir', motion: true } as const;
    const late = await agents[2]?.send('collar.sighted', 'collar/C1', seen, at(88));
    await page.locator(`#cat-events [data-event="${late?.epoch}/${late?.seq}"]`, { hasText: third }).waitFor();
    await eventually(places).toEqual([third, expect.stringMatching(second), expect.stringMatching(first)]);
    expect(await axeFaults(page)).toEqual([]);
    await page.goto(new URL(`#/?at=${at(85).toISOString().slice(0, 19)}Z`, central.url).href);
    const home = async () => {
      const texts = await page.locator('#events .sentence').allInnerTexts();
      return texts.filter((text) => text.includes('sure') || text.includes('seen'));
    };
    await eventually(home).toEqual([expect.stringMatching(second), expect.stringMatching(first)]);
  });

  test('a day is picked, and gone back and forth from', async () => {
    const yesterday = new Date(Date.now() - DAY_MS);
    await bench.sender.send('cat.moved', 'collar/C1', { from: null, to: 'hall' });
    await bench.sender.sendAll([['cat.named', 'cat/1', { catId: 1, oldName: 'Mia', newName: 'Mia' }, yesterday]]);
    const page = await bench.open('#/cats/1', { timezoneId });
    await page.locator('#cat-events').getByText('Mia is in hall').waitFor();
    const count = () => page.locator('#cat-events li').count();
    const [before, after] = [page.getByLabel('The day before'), page.getByLabel('The day after')];
    expect(await count()).toBe(4);
    expect(await after.isDisabled()).toBe(true);
    await before.click();
    await eventually(count).toBe(3);
    await before.click();
    await eventually(count).toBe(1);
    await before.click();
    await page.getByText('Nothing happened on this day.').waitFor();
    await after.click();
    await after.click();
    await eventually(count).toBe(3);
    expect(await after.isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'All days' }).click();
    await eventually(count).toBe(4);
  });

  test('its place is said, an event is given to another cat, and that is undone here', async () => {
    const { sender } = bench;
    const page = await bench.open('#/cats/1');
    await sender.send('cat.moved', 'collar/C1', { from: null, to: 'attic' });
    await page.getByRole('button', { name: 'Correct where Mia is' }).click();
    await page.locator('#correct-place').fill('hall');
    await page.keyboard.press('Enter');
    await page.locator('#cat-place').getByText('hall').waitFor();
    await page.locator('#correct').waitFor({ state: 'hidden' });
    await eventually(() => page.evaluate(() => document.activeElement?.id)).toBe('cat-fix');
    await page.getByRole('button', { name: 'Correct: Mia is in attic' }).click();
    await page.locator('#correct-choice').selectOption('It was Otto');
    await page.locator('#correct-reason').fill('his collar');
    await page.locator('#correct-save').click();
    const corrected = page.locator('.corrected');
    await corrected.getByText('given to Otto: his collar').waitFor();
    expect(await corrected.locator('s').innerText()).toBe('is in attic');
    await corrected.getByRole('button', { name: 'Undo' }).click();
    await corrected.waitFor({ state: 'detached' });
    await page.getByText('Nothing was taken back or given to another cat.').waitFor();
  });

  test('it gets another collar, swaps with another cat, and an assignment is taken back', async () => {
    await bench.sender.send('meow.started', 'collar/STRAY', { level: 1 });
    const page = await bench.open('#/cats/1');
    await eventually(() => wearings(page)).toEqual(['C1 since T, until now Take back']);
    const [field, give] = [page.locator('#cat-collar'), page.getByRole('button', { name: 'Give' })];
    const choices = () =>
      page.locator('#cat-collar-choices option').evaluateAll((nodes) => nodes.map((node) => node.textContent));
    await eventually(choices).toEqual(['STRAY, heard by porch', 'C2, worn by Otto']);
    await field.fill('STRAY');
    expect(await page.locator('#cat-collar-swap').isVisible()).toBe(false);
    await give.click();
    await eventually(() => wearings(page)).toEqual([
      'STRAY since T, until now Take back',
      'C1 since T, until T Take back',
    ]);
    await field.fill('C2');
    await page.getByLabel('Otto gets STRAY in return').waitFor();
    await give.click();
    await page.getByText('Mia and Otto have swapped').waitFor();
    const cats = async () => (await bench.central.call('GET', 'api/v1/cats')).body.cats;
    expect(await cats()).toMatchObject([{ collar: 'C2' }, { collar: 'STRAY' }]);
    await eventually(async () => (await wearings(page))[0]).toBe('C2 since T, until now Take back');
    await page.getByRole('button', { name: /^Take back: collar C2/ }).click();
    await eventually(async () => (await wearings(page))[0]).toBe('C2 since T, taken back Undo');
    await page.getByRole('button', { name: /^Undo: collar C2/ }).click();
    await eventually(async () => (await wearings(page))[0]).toBe('C2 since T, until now Take back');
  });

  test('it is renamed, and central says what it refuses', async () => {
    const page = await bench.open('#/cats/1');
    await page.locator('#cat-name').fill('otto');
    await page.keyboard.press('Enter');
    await page.locator('#cat-name-answer').getByText('cat already exists').waitFor();
    expect(bench.complaints.splice(0)).toEqual([expect.stringContaining('409')]);
    await page.locator('#cat-name').fill('Maja <b>');
    await page.getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('heading', { name: 'Maja <b>' }).waitFor();
    expect(await page.title()).toBe('Maja <b> · collard');
    expect(await page.locator('#cat-avatar').innerText()).toBe('M');
  });

  test('it shows the rules that hold for it, and how one is set for it alone', async () => {
    await bench.stop();
    const shaking = { rule: 'shaking', meows: 20, withinMinutes: 10 } as const;
    await bench.start({ rules: [shaking, { ...shaking, meows: 60, cat: 'mia' }, { rule: 'battery', cat: 'Otto' }] });
    await bench.central.call('POST', 'api/v1/cats', { name: 'Mia' });
    await bench.central.call('POST', 'api/v1/cats', { name: 'Otto' });
    const page = await bench.open('#/cats/1');
    await page.locator('#cat-rules li').first().waitFor();
    expect(await page.locator('#cat-rules li').allInnerTexts()).toEqual([
      'Shakes too much: 60 meows within 10 minutes, for Mia alone',
    ]);
    expect(await page.locator('#cat-rule-yaml').innerText()).toBe(
      '- { rule: shaking, meows: 60, withinMinutes: 10, cat: "Mia" }',
    );
    await page.goto(new URL('#/cats/2', bench.central.url).href);
    await eventually(() => page.locator('#cat-rules li').allInnerTexts()).toEqual([
      'Shakes too much: 20 meows within 10 minutes',
      'The battery of its collar is low, for Otto alone',
    ]);
  });

  test('a cat that there is not is told, and central that is away too', async () => {
    const page = await bench.open('#/cats/9');
    await page.getByRole('heading', { name: 'There is no cat 9' }).waitFor();
    expect(await page.locator('#cat-page').isVisible()).toBe(false);
    await page.getByRole('link', { name: 'To the cats that there are' }).click();
    await page.locator('#view-home').waitFor();
    await page.route('**/api/v1/events?*', (route) => route.abort());
    await page.locator('#cats').getByRole('link', { name: 'Mia' }).click();
    const again = page.locator('#cat-more');
    await again.waitFor();
    await page.unroute('**/api/v1/events?*');
    await again.click();
    await page.locator('#cat-events').getByText('Mia joined').waitFor();
    expect(await again.isVisible()).toBe(false);
    expect(bench.complaints.splice(0)).toContainEqual(expect.stringContaining('ERR_FAILED'));
  });

  test('what happened while central was away is there when it is back', async () => {
    const page = await bench.open('#/cats/1');
    await page.locator('#cat-events').getByText('Mia joined').waitFor();
    await bench.central.stopServer();
    await page.locator('#offline').waitFor({ state: 'visible' });
    await bench.sender.send('cat.moved', 'collar/C1', { from: null, to: 'garden' });
    await bench.central.restart();
    await page.locator('#cat-events').getByText('Mia is in garden').waitFor();
    bench.complaints.splice(0);
  });

  test.each([
    ['light', 1_280],
    ['dark', 1_280],
    ['light', 390],
    ['dark', 390],
  ] as const)(
    'axe finds nothing wrong, and nothing is wider than the screen: %s, %d px',
    async (colorScheme, width) => {
      const { central, sender } = bench;
      await central.call('PATCH', 'api/v1/cats/1', { name: `Ö${'w'.repeat(63)}`, collar: 'Z'.repeat(64) });
      const { epoch, seq } = await sender.send('cat.moved', 'collar/C1', { from: null, to: 'y'.repeat(60) });
      await sender.send('meow.started', `collar/${'Z'.repeat(64)}`, { level: 1 });
      await central.call('POST', 'api/v1/events/reassign', { epoch, seq, cat: 2, reason: 'x'.repeat(200) });
      const page = await bench.open('#/cats/1', { colorScheme, viewport: { width, height: 844 } });
      await page.locator('#cat-rules li').first().waitFor();
      await page.locator('.wearing').first().waitFor();
      await page.locator('#cat-collar').fill('C2');
      expect(await axeFaults(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    },
  );
});
