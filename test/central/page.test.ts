import { rmSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openAlertLog } from '../../src/central/cats/alert-log.ts';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { encodePublicKey } from '../../src/contract/signature.ts';
import { newKey } from '../contract/signing.ts';
import { chromiumArgs } from '../e2e/browser.ts';
import { chromiumPath, requireServer } from '../servers.ts';
import { buildPage } from './api/page/bench.ts';
import { startProxy } from './api/page/proxy.ts';
import { createSender, type Sender, type Serving, startServing } from './api/serving.ts';
import { createWriter, epochId } from './store/events.ts';
import { saveHealth, saveState } from './store/said.ts';

describe.skipIf(!requireServer('chromium', chromiumPath))('page in a real browser', { timeout: 40_000 }, () => {
  let pageDir: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let central: Serving;
  let sender: Sender;
  let complaints: string[];

  beforeAll(async () => {
    pageDir = buildPage();
    browser = await chromium.launch({ executablePath: chromiumPath ?? '', args: chromiumArgs });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(pageDir, { recursive: true, force: true });
  });
  const start = async (simulated = false) => {
    central = await startServing({ pageDir, simulated });
    sender = createSender(central);
  };
  const open = async (options: Parameters<Browser['newContext']>[0] = {}, path = '') => {
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(new URL(path, central.url).href);
    await page.locator('#live[data-state=live]').waitFor();
  };
  beforeEach(async () => {
    complaints = [];
    await start();
  });
  afterEach(async () => {
    await context.close();
    await central.stop();
    // Nothing may be written to the console: no fault of a script, no breach of the policy, no missing file.
    expect(complaints).toEqual([]);
  });

  test('without cats and events it says what to do', async () => {
    await open();
    const empty = page.locator('#empty');
    await empty.waitFor();
    expect(await empty.innerText()).toContain('collard agent --config agent.yaml');
    expect(await empty.innerText()).toContain('collard cat add Mia --collar C0FFEE01');
    expect(await page.locator('#no-events').isVisible()).toBe(true);
    expect(await page.locator('#simulated').isVisible()).toBe(false);
    expect(await page.locator('#offline').isVisible()).toBe(false);
  });

  test('a meow appears without reload, on the card and in the timeline', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await open();
    const card = page.locator('.cat', { hasText: 'Mia' });
    await card.waitFor();
    expect(await card.locator('.shaking').isVisible()).toBe(false);
    await sender.send('cat.moved', 'collar/C1', { from: 'kitchen', to: 'hall' });
    await sender.send('meow.started', 'collar/C1', { level: 1.2 });
    await page.locator('.event', { hasText: 'Mia is shaking' }).waitFor();
    await page.locator('.event', { hasText: 'Mia moved kitchen → hall' }).waitFor();
    await card.locator('.shaking').waitFor({ state: 'visible' });
    expect(await card.locator('.place').innerText()).toContain('hall');
    expect(await card.locator('.meows').innerText()).toBe('1');
    await sender.send('meow.ended', 'collar/C1', { durationMs: 430, peakG: 1.8, readings: 17, place: 'hall' });
    await card.locator('.shaking').waitFor({ state: 'hidden' });
    const first = await page.locator('.event .sentence').first().innerText();
    expect(first).toBe('Mia shook for 0.4 s in the hall');
  });

  test('the time since a cat was seen ticks', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await open();
    await sender.send('collar.heard', 'collar/C1', { lastSeen: new Date().toISOString() });
    const seen = page.locator('.cat .facts time');
    for (const text of ['1 s ago', '2 s ago', '3 s ago']) await seen.getByText(text).waitFor();
  });

  test('a cat that lies still is seen as long as its collar is heard, and a collar without events can be given', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await open();
    await page.locator('.cat .facts time').getByText('never').waitFor();
    const lastHeard = new Date().toISOString();
    const collars = ['C1', 'NEW'].map((collar) => ({ collar, lastHeard }));
    await saveHealth(central.store, 'porch', { collars }, lastHeard);
    // As the receive loop does.
    central.changes.announce();
    for (const text of ['1 s ago', '2 s ago']) await page.locator('.cat .facts time').getByText(text).waitFor();
    await page.locator('.collar', { hasText: 'NEW' }).getByText('heard by porch').waitFor();
  });

  test('a name is text, whatever it holds', async () => {
    const name = '<img src=x onerror=alert(1)><script>alert(2)</script>';
    await central.call('POST', 'api/v1/cats', { name: name.slice(0, 64), collar: '"><svg onload=alert(3)>' });
    await sender.send('cat.moved', 'collar/"><svg onload=alert(3)>', { from: null, to: '<b>hall</b>' });
    await sender.send('sensor.failed', null, { source: '<i>s</i>', reason: '<script>alert(4)</script>' });
    await saveHealth(central.store, 'porch', { sources: [{ source: '<u>x</u>' }] }, new Date().toISOString());
    let dialogs = 0;
    await open();
    page.on('dialog', () => {
      dialogs += 1;
    });
    await page.locator('.event', { hasText: '<script>alert(4)</script>' }).waitFor();
    expect(await page.locator('.cat h3').innerText()).toBe(name.slice(0, 64));
    expect(await page.locator('.cat .place').innerText()).toContain('<b>hall</b>');
    expect(await page.locator('main img, main script, main b, main i, main u, main svg').count()).toBe(0);
    expect(dialogs).toBe(0);
  });

  test('it goes on after central was away, with what happened meanwhile, once', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await open();
    await sender.send('meow.started', 'collar/C1', { level: 1 });
    await page.locator('.event', { hasText: 'Mia is shaking' }).waitFor();
    await central.stopServer();
    await page.locator('#offline').waitFor({ state: 'visible' });
    await sender.send('cat.moved', 'collar/C1', { from: null, to: 'garden' });
    await central.restart();
    await page.locator('#live[data-state=live]').waitFor();
    await page.locator('.event', { hasText: 'Mia is in garden' }).waitFor();
    expect(await page.locator('#offline').isVisible()).toBe(false);
    expect(await page.locator('.event', { hasText: 'garden' }).count()).toBe(1);
    expect(await page.locator('.event', { hasText: 'Mia is shaking' }).count()).toBe(1);
    // That central was away is told by the browser too.
    complaints = complaints.filter((text) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING/.test(text));
  });

  test('a flood of events leaves a bounded page', async () => {
    await open();
    for (let part = 0; part < 10; part += 1) {
      await sender.sendAll(
        Array.from({ length: 100 }, (_, i) => [
          'meow.started',
          'collar/C1',
          { level: 1 },
          new Date(Date.now() + part * 100 + i),
        ]),
      );
    }
    const last = page.locator('.event').first();
    await expect.poll(() => last.getAttribute('data-event'), { timeout: 15_000 }).toMatch(/\/1000$/);
    expect(await page.locator('.event').count()).toBeLessThanOrEqual(80);
  });

  test('cats are added and collars given on the page, in the words of central where it refuses', async () => {
    await sender.send('meow.started', 'collar/STRAY', { level: 1 });
    await open();
    const form = page.locator('#add-cat');
    await form.locator('[name=name]').fill('Mia');
    await form.locator('[name=name]').press('Enter');
    await page.locator('.cat', { hasText: 'Mia' }).waitFor();
    await form.locator('[name=name]').fill('MIA');
    await form.locator('button').click();
    await form.getByText('cat already exists').waitFor();
    const stray = page.locator('#collars li', { hasText: 'STRAY' });
    await stray.locator('select').selectOption({ label: 'Mia' });
    await stray.locator('button').click();
    await page.locator('.event', { hasText: 'Mia wears collar STRAY' }).waitFor();
    await stray.waitFor({ state: 'detached' });
    // What was known under the collar's id has the cat's name now.
    await page.locator('.event', { hasText: 'Mia is shaking' }).waitFor();
    // The refusal stands in the console as a failed request.
    complaints = complaints.filter((text) => !text.includes('409'));
  });

  test('a new cat takes a stray collar in one step', async () => {
    await sender.send('meow.started', 'collar/STRAY', { level: 1 });
    await open();
    const stray = page.locator('#collars li', { hasText: 'STRAY' });
    await stray.locator('input').fill('Otto');
    await stray.locator('button').click();
    await page.locator('.cat', { hasText: 'Otto' }).waitFor();
    await stray.waitFor({ state: 'detached' });
  });

  test('what is corrected says so at once, and as it was again after an undo', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await central.call('POST', 'api/v1/cats', { name: 'Otto' });
    await open();
    const { epoch, seq } = await sender.send('cat.moved', 'collar/C1', { from: null, to: 'attic' });
    const row = page.locator(`.event[data-event="${epoch}/${seq}"]`);
    await row.getByText('Mia is in attic').waitFor();
    const correct = async (how: string, body: object) =>
      (await central.call('POST', `api/v1/events/${how}`, { epoch, seq, ...body })).body;
    await correct('reassign', { cat: 2, reason: 'his collar' });
    await row.getByText('Otto is in attic').waitFor();
    expect(await row.locator('.correction').innerText()).toBe('corrected, not Mia: his collar');
    await page.locator('.event', { hasText: '“Mia is in attic” was Otto: his collar' }).waitFor();
    await page.locator('.cat', { hasText: 'Otto' }).getByText('attic').waitFor();
    const line = () => row.locator('.sentence').evaluate((node) => getComputedStyle(node).textDecorationLine);
    expect(await line()).toBe('none');
    await correct('revoke', { reason: 'a bird' });
    await row.getByText('taken back: a bird').waitFor();
    expect(await line()).toBe('line-through');
    const by = await central.call('GET', `api/v1/events/${epoch}/${seq}`);
    const [byEpoch, bySeq] = by.body.correctedby.split('/');
    await correct('revoke', { epoch: byEpoch, seq: Number(bySeq), reason: 'no bird' });
    await row.getByText('corrected, not Mia: his collar').waitFor();
    expect(await line()).toBe('none');
    const revoked = page.locator(`.event[data-event="${by.body.correctedby}"]`);
    await revoked.getByText('undone: no bird').waitFor();
    await page.locator('.event', { hasText: 'A correction was undone: no bird' }).waitFor();
    // As after a reload: the page has it from the list then.
    await page.reload();
    await row.getByText('corrected, not Mia: his collar').waitFor();
    await central.call('PUT', 'api/v1/cats/1/location', { location: 'hall' });
    await page.locator('.event', { hasText: 'Mia is in hall, corrected by hand' }).waitFor();
  });

  test('a person takes back, gives to another cat and undoes, by keyboard, and central says what it refuses', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await central.call('POST', 'api/v1/cats', { name: 'Otto' });
    await open();
    const { epoch, seq } = await sender.send('cat.moved', 'collar/C1', { from: null, to: 'attic' });
    const row = page.locator(`.event[data-event="${epoch}/${seq}"]`);
    const [fix, dialog] = [row.locator('.fix'), page.locator('#correct')];
    await row.getByText('Mia is in attic').waitFor();
    await fix.focus();
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    expect(await dialog.locator('#correct-what').innerText()).toBe('Mia is in attic');
    expect(await dialog.locator('option').allInnerTexts()).toEqual(['It did not happen', 'It was Otto']);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(await fix.evaluate((node) => node === document.activeElement)).toBe(true);
    // Nothing is sent without a reason.
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await page.locator('#correct-choice').selectOption('It was Otto');
    await page.locator('#correct-reason').press('Enter');
    expect(await dialog.isVisible()).toBe(true);
    await page.locator('#correct-reason').fill('his <collar>');
    await page.locator('#correct-reason').press('Enter');
    await row.getByText('corrected, not Mia: his <collar>').waitFor();
    await dialog.waitFor({ state: 'hidden' });
    expect([await fix.innerText(), await fix.evaluate((node) => node === document.activeElement)]).toEqual([
      'Undo',
      true,
    ]);
    await page.keyboard.press('Enter');
    await row.getByText('Mia is in attic').waitFor();
    await fix.getByText('Correct').waitFor();
    await fix.click();
    await page.locator('#correct-reason').fill('a bird');
    await page.locator('#correct-save').click();
    await row.getByText('taken back: a bird').waitFor();
    await fix.click();
    await fix.getByText('Correct').waitFor();
    expect(await page.locator('.event', { hasText: 'A correction was undone' }).count()).toBe(2);
    expect(await page.locator('.event', { hasText: 'joined' }).first().locator('.fix').count()).toBe(0);
    await fix.click();
    await central.call('POST', 'api/v1/events/revoke', { epoch, seq, reason: 'somebody was faster' });
    await page.locator('#correct-choice').selectOption('It was Otto');
    await page.locator('#correct-reason').fill('late');
    await page.locator('#correct-save').click();
    await dialog.getByText('the event is taken back: undo that before you give it to a cat').waitFor();
    await page.locator('#correct-cancel').click();
    await dialog.waitFor({ state: 'hidden' });
    expect(complaints.splice(0)).toEqual([expect.stringContaining('409')]);
  });

  test('a person says where a cat is, and takes that back', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await open();
    await sender.send('cat.moved', 'collar/C1', { from: null, to: 'attic' });
    const card = page.locator('.cat', { hasText: 'Mia' });
    await card.getByText('attic').waitFor();
    await card.getByRole('button', { name: 'Correct where Mia is' }).click();
    expect(await page.locator('#correct-title').innerText()).toBe('Where is Mia?');
    expect(await page.locator('#correct-reason').isVisible()).toBe(false);
    await page.locator('#correct-place').fill('hall');
    await page.keyboard.press('Enter');
    await card.getByText('hall').waitFor();
    const row = page.locator('.event', { hasText: /^Mia is in hall, corrected by hand/ });
    await row.locator('.fix').click();
    await page.locator('#correct-reason').fill('a shadow');
    await page.locator('#correct-save').click();
    await row.getByText('taken back: a shadow').waitFor();
    await card.getByText('attic').waitFor();
  });

  test('it says what the cats are made without, and where they stand still', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await open();
    expect(await page.locator('#left-out').isVisible()).toBe(false);
    const shed = createWriter('shed', epochId(2));
    const purr = shed.add('meow.started', 'collar/C1', { level: 1 }, 0);
    shed.events[0] = { ...purr, type: 'collard.cat.purred' };
    await central.store.ingest(shed.batch(1, 1), new Date().toISOString());
    await central.store.project(10);
    central.changes.announce();
    const sum = page.locator('#left-out-sum');
    await sum.getByText('1 event that this collard cannot read', { exact: true }).waitFor();
    await sender.send('cat.moved', 'collar/C1', { from: null, to: 7 as unknown as string });
    await sum.getByText('2 events that this collard cannot read, 1 of which the cats lack').waitFor();
    await sum.click();
    const types = await page.locator('#left-out-types').innerText();
    expect(types).toContain('collard.cat.purred v1 × 1: type collard.cat.purred is not known');
    expect(types).toContain('collard.cat.moved v1 × 1: data of collard.cat.moved has another shape');
    await page.locator('.event', { hasText: 'Mia said collard.cat.purred' }).waitFor();
    expect(await page.locator('#stopped').isVisible()).toBe(false);
    await context.close();
    await central.stop();
    central = await startServing({ pageDir, fold: 'stop' });
    sender = createSender(central);
    await open();
    const { epoch, seq } = await sender.send('cat.moved', 'collar/C1', { from: null, to: 7 as unknown as string });
    await page.locator('#stopped').waitFor({ state: 'visible' });
    expect(await page.locator('#stopped').innerText()).toContain(`${epoch}/${seq} of porch: data of collard.cat.moved`);
    await central.call('POST', 'api/v1/events/revoke', { epoch, seq, reason: 'broken' });
    await page.locator('#stopped').waitFor({ state: 'hidden' });
  });

  test('alerts that no webhook has answered to are told, until they are', async () => {
    await open();
    expect(await page.locator('#untold').isVisible()).toBe(false);
    const alert = { rule: 'battery', key: 'battery', since: '', text: '' } as const;
    const now = new Date();
    const cat = await openCatService(central.store, () => now).addCat('Otto');
    await openAlertLog(
      central.store,
      () => now,
      () => ['a'],
    ).write('raised', cat.id, alert);
    const [notice = expect.unreachable('a notice')] = await central.store.claimNotices(
      ['a'],
      Date.now(),
      Date.now(),
      1,
    );
    await central.store.noticeFailed(notice, null, 'answers 500');
    central.changes.announce();
    await page.locator('#untold').waitFor({ state: 'visible' });
    expect(await page.locator('#untold').innerText()).toContain('No webhook has answered to 1 alert.');
    await central.store.noticeTold(notice);
    central.changes.announce();
    await page.locator('#untold').waitFor({ state: 'hidden' });
  });

  test('agents show their queue, what ails them, and that they are simulated', async () => {
    const health = {
      simulated: true,
      queue: 1284,
      stalled: true,
      conflicting: true,
      oversize: 2,
      lastError: 'the broker acknowledges nothing',
      lastConfirmed: new Date(Date.now() - 125_000).toISOString(),
      sources: [
        {
          source: '/dev/ttyUSB0',
          state: 'open',
          readings: 10,
          lostSamples: 7,
          discarded: { 'bad-crc': 3, comment: 9 },
        },
      ],
    };
    await saveHealth(central.store, 'porch', health, new Date().toISOString());
    await saveState(central.store, 'porch', { state: 'online', session: 1, version: '1' }, new Date().toISOString());
    await open();
    const agent = page.locator('.agent', { hasText: 'porch' });
    await agent.waitFor();
    const text = await agent.innerText();
    for (const words of ['online', '1,284 events', '2 min ago', 'SIMULATED', '7 lost', '3 bad: bad-crc 3']) {
      expect(text).toContain(words);
    }
    const red = await agent.locator('.state').evaluate(() => {
      const probe = document.body.appendChild(document.createElement('p'));
      probe.style.color = 'var(--bad)';
      return getComputedStyle(probe).color;
    });
    for (const words of ['stalled', 'histories differ', '2 too large to send', 'the broker acknowledges nothing']) {
      const color = await agent.getByText(words).evaluate((node) => getComputedStyle(node).color);
      expect([words, color]).toEqual([words, red]);
    }
    expect(await page.locator('#simulated').isVisible()).toBe(true);
    expect(await page.title()).toContain('SIMULATED');
  });

  test('agents show whether they sign, from the moment on when a key is enrolled or revoked', async () => {
    const now = new Date().toISOString();
    const { publicKey } = newKey();
    await saveState(central.store, 'porch', { state: 'online', session: 1, version: '1' }, now);
    await open();
    const badges = page.locator('.agent', { hasText: 'porch' }).locator('.badges');
    await page.locator('.agent', { hasText: 'porch' }).waitFor();
    expect(await badges.innerText()).toBe('');
    await central.store.enrollKey('porch', publicKey, 'first-use', now);
    central.changes.announce();
    await badges.getByText('first-use key').waitFor();
    const key = encodePublicKey(publicKey);
    await central.call('POST', 'api/v1/agents/porch/keys', { key });
    await badges.getByText('signed', { exact: true }).waitFor();
    await central.call('DELETE', 'api/v1/agents/porch/keys');
    await badges.getByText('key revoked').waitFor();
    expect(await badges.innerText()).toBe('key revoked');
  });

  test.each(['light', 'dark'] as const)('it fits a phone of 360 px, %s', async (colorScheme) => {
    await central.call('POST', 'api/v1/cats', { name: `Ö${'w'.repeat(63)}`, collar: 'C1' });
    await sender.send('cat.moved', 'collar/C1', { from: 'x'.repeat(60), to: 'y'.repeat(60) });
    await sender.send('meow.started', `collar/${'Z'.repeat(60)}`, { level: 1 });
    await open({ viewport: { width: 360, height: 740 }, colorScheme });
    await page.locator('.cat').waitFor();
    await page.locator('.event').first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [red = 0] = background.match(/\d+/g)?.map(Number) ?? [];
    expect(red < 128).toBe(colorScheme === 'dark');
  });

  test('it works under a path of a proxy', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    const proxy = await startProxy(central.url, '/home/collard');
    await open({}, proxy.url);
    await sender.send('meow.started', 'collar/C1', { level: 1 });
    await page.locator('.event', { hasText: 'Mia is shaking' }).waitFor();
    await context.close();
    proxy.stop();
  });

  test('who wants no motion gets none', async () => {
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await sender.send('meow.started', 'collar/C1', { level: 1 });
    const animation = () =>
      page.evaluate(() => getComputedStyle(document.querySelector('.avatar') as Element).animationName);
    await open({ reducedMotion: 'reduce' });
    await page.locator('.cat.is-shaking').waitFor();
    expect(await animation()).toBe('none');
    await context.close();
    await open({ reducedMotion: 'no-preference' });
    await page.locator('.cat.is-shaking').waitFor();
    expect(await animation()).toBe('shake');
  });

  test('it can be used with the keyboard and read aloud', async () => {
    await open();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.className)).toBe('skip');
    expect(await page.locator('#said').getAttribute('aria-live')).toBe('polite');
    const unnamed = await page.evaluate(
      () =>
        [...document.querySelectorAll('input, select, button')].filter((node) => {
          const field = node as HTMLInputElement;
          const isNamed = node.hasAttribute('aria-label') || node.hasAttribute('aria-labelledby');
          return (field.labels?.length ?? 0) === 0 && !isNamed && node.textContent?.trim() === '';
        }).length,
    );
    expect(unnamed).toBe(0);
  });
});
