import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { agentTopic } from '../../../../src/contract/topic.ts';
import { chromiumPath, requireServer } from '../../../servers.ts';
import { epochId, meowing } from '../../store/events.ts';
import { quarantine, saveHealth, saveState } from '../../store/said.ts';
import { axeFaults, type Bench, openBench } from './bench.ts';
import { eventually } from './eventually.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();

const sick = () => ({
  queue: 1_284,
  oldestUnstored: ago(5 * HOUR_MS + 1_000),
  lastConfirmed: ago(5 * HOUR_MS + 1_000),
  stalled: true,
  lastError: 'the broker acknowledges nothing',
  logBytes: 92e6,
  disk: 'thinning',
  walBytes: 20e6,
  walHeld: true,
  diskFreeBytes: 4e9,
  diskTotalBytes: 32e9,
  writtenBytes: 3e9,
  uptimeMs: 3 * DAY_MS,
  rssBytes: 81e6,
  clock: 'unsynced',
  protocol: '5',
  sources: [
    {
      ...{ source: '/dev/ttyUSB0', state: 'open', readings: 9_967, perSecond: 399.2, lostSamples: 120 },
      ...{ discarded: { 'bad-crc': 31, 'too-long': 2, comment: 4 }, lastReading: ago(2_000) },
    },
    { source: 'gpio', state: 'failed', reason: 'GPIO 17 is held', readings: 0, discarded: {}, lostSamples: 0 },
  ],
});

describe.skipIf(!requireServer('chromium', chromiumPath))('the devices on the page', { timeout: 120_000 }, () => {
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

  const tell = async (agent: string, health: Record<string, unknown>, state: 'online' | 'offline' = 'online') => {
    const { store, changes } = bench.central;
    await saveState(store, agent, { state, session: 1, version: '1.2.3' }, new Date().toISOString());
    await saveHealth(store, agent, health, new Date().toISOString());
    changes.announce();
  };
  const fact = (page: Page, label: string) => page.locator('.fact', { has: page.getByText(label, { exact: true }) });
  const red = (page: Page) =>
    page.evaluate(() => {
      const probe = document.body.appendChild(document.createElement('p'));
      probe.style.color = 'var(--bad)';
      return getComputedStyle(probe).color;
    });

  test('without agents it says how to start one', async () => {
    const page = await bench.open('#/devices');
    await page.locator('#no-devices').waitFor();
    expect(await page.locator('#no-devices').innerText()).toContain('collard agent --config agent.yaml');
    expect(await page.locator('#devices-reading').isVisible()).toBe(false);
    expect(await axeFaults(page)).toEqual([]);
  });

  test('an agent tells queue, ages, clock, disk, wear and version, and what ails it in red', async () => {
    await tell('porch', sick());
    const page = await bench.open('#/devices');
    const card = page.locator('.device', { hasText: 'porch' });
    await card.waitFor();
    expect(await page.locator('#devices-sum').innerText()).toBe('1 agent, all online, 1 stalled, 1,284 events wait');
    const value = async (label: string) => (await fact(page, label).locator('dd').innerText()).split('\n');
    expect(await value('queue')).toEqual(['1,284 events']);
    expect(await value('oldest unconfirmed')).toEqual(['5 h ago']);
    expect(await value('last confirmed')).toEqual(['5 h ago']);
    expect((await value('clock'))[0]).toBe('not synced');
    expect(await value('running for')).toEqual(['3 d']);
    expect(await value('disk')).toEqual(['4.0\u00a0GB free', 'full: events of little worth are given up']);
    expect(await fact(page, 'disk').locator('meter').getAttribute('value')).toBe('0.875');
    expect(await value('write-ahead log')).toEqual(['20.0\u00a0MB', 'another program reads the log without an end']);
    expect(await value('card wear')).toEqual(['1.0\u00a0GB a day', 'a card lasts about 5.5 years']);
    expect(await value('version')).toEqual(['1.2.3', 'MQTT 5, 81.0\u00a0MB memory']);
    const alarm = card.locator('.alarm');
    expect(await alarm.innerText()).toContain('Stalled');
    expect(await alarm.innerText()).toContain('the broker acknowledges nothing');
    for (const node of [alarm, fact(page, 'queue').locator('.value'), fact(page, 'disk').locator('.value')]) {
      expect(await node.evaluate((one) => getComputedStyle(one).color)).toBe(await red(page));
    }
    await tell('porch', {
      ...sick(),
      stalled: false,
      queue: 0,
      oldestUnstored: null,
      lastError: null,
      clock: 'synced',
      walBytes: 4e6,
      walHeld: false,
    });
    await fact(page, 'oldest unconfirmed').getByText('nothing waits').waitFor();
    expect(await alarm.isVisible()).toBe(false);
    expect(await value('clock')).toEqual(['synced']);
    expect(await value('write-ahead log')).toEqual(['4.0\u00a0MB']);
    await tell('porch', {}, 'offline');
    await card.locator('.state[data-state=offline]').waitFor();
    expect(await value('queue')).toEqual(['not told']);
  });

  test('its sources tell rate, bad frames with their reasons, what was lost, and why one is not read', async () => {
    await tell('porch', sick());
    const page = await bench.open('#/devices');
    const row = (name: string) => page.locator('.device tbody tr', { hasText: name });
    await row('ttyUSB0').waitFor();
    const cells = (await row('ttyUSB0').locator('th, td').allInnerTexts()).map((text) => text.replaceAll('\n', ' '));
    expect(cells.slice(0, -1).map((text) => text.trim())).toEqual([
      ...['/dev/ttyUSB0', 'open', '399.2', '9,967', '33 (0.3 %) bad-crc 31, too-long 2', '120'],
    ]);
    expect(cells.at(-1)).toMatch(/ ago$/);
    expect(await row('gpio').innerText()).toContain('GPIO 17 is held');
    expect(await row('gpio').innerText()).toContain('failed');
  });

  test('an agent may say anything: the page stays', async () => {
    const health = {
      queue: '<b>1</b>',
      sources: [null, 7, { source: { a: 1 }, discarded: 'x', usb: 3 }],
      uptimeMs: -1,
    };
    await tell('porch', { ...health, oldestUnstored: 'soon', disk: {}, diskFreeBytes: '1', clock: 4 });
    const page = await bench.open('#/devices');
    await page.locator('.device', { hasText: 'porch' }).waitFor();
    expect(await fact(page, 'queue').innerText()).toContain('not told');
    expect(await page.locator('.device tbody tr').count()).toBe(1);
    expect(await page.locator('main b').count()).toBe(0);
  });

  test('gaps stand there range by range, and follow what comes', async () => {
    const shed = meowing('shed', epochId(2), 40);
    const data = { epoch: epochId(2), fromSeq: 4, toSeq: 18, count: 15, reason: 'the disk budget was spent' };
    shed.add('history.lost', null, data, 60);
    const { store, changes } = bench.central;
    const ingest = (from: number, to: number) => store.ingest(shed.batch(from, to), new Date().toISOString());
    await ingest(1, 3);
    await ingest(41, 41);
    await ingest(30, 34);
    const page = await bench.open('#/devices');
    const gaps = page.locator('.gaps');
    await gaps.getByText('Gaps: 1 range lost for ever, 17 events awaited').waitFor();
    const ranges = async () =>
      (await gaps.locator('.range').allInnerTexts()).map((text) => text.split('\n').slice(0, 4).join(' '));
    await eventually(ranges).toEqual([
      'lost 4 to 18 15 events the disk budget was spent',
      'awaited 19 to 29 11 events history …000002',
      'awaited 35 to 40 6 events history …000002',
    ]);
    await ingest(19, 29);
    await ingest(35, 40);
    changes.announce();
    await gaps.getByText('Gaps: 1 range lost for ever', { exact: true }).waitFor();
    await eventually(ranges).toEqual(['lost 4 to 18 15 events the disk budget was spent']);
  });

  test('where central does not tell which gaps there are, it can be asked again', async () => {
    const shed = meowing('shed', epochId(2), 4);
    await bench.central.store.ingest(shed.batch(1, 1), new Date().toISOString());
    await bench.central.store.ingest(shed.batch(4, 4), new Date().toISOString());
    const page = await bench.open();
    await page.route('**/gaps', (route) => route.abort());
    await page.goto(new URL('#/devices', bench.central.url).href);
    const again = page.getByRole('button', { name: 'Central did not tell which. Try again' });
    await again.waitFor();
    await page.unroute('**/gaps');
    await again.click();
    await page.locator('.range', { hasText: '2 to 3' }).waitFor();
    expect(await page.locator('.gaps button').isVisible()).toBe(false);
    expect(bench.complaints.splice(0)).toEqual([expect.stringContaining('ERR_FAILED')]);
  });

  test('quarantine, conflicts and other histories are told with what to do', async () => {
    const { store } = bench.central;
    const now = new Date().toISOString();
    await tell('shed', { conflicting: true });
    const shed = meowing('shed', epochId(2), 4);
    await store.ingest(shed.batch(1, 4), now);
    const [first] = meowing('shed', epochId(2), 1, 'OTHER').events;
    await store.ingest({ agent: 'shed', events: first === undefined ? [] : [first], chain: null }, now);
    const topic = agentTopic('collard/v1', 'shed', 'events');
    const payload = Buffer.from('{');
    await quarantine(store, { agent: 'shed', topic, payload, kind: 'unreadable', reason: 'is no JSON' }, now);
    const page = await bench.open('#/devices');
    const advice = page.locator('.advice');
    await advice.getByText('1 message is in quarantine').waitFor();
    expect(await advice.locator('code').allInnerTexts()).toEqual([
      'collard verify --agent shed --config central.yaml',
      'collard quarantine list --conflicts --agent shed',
      'collard quarantine list --agent shed',
    ]);
    const link = (await advice.getByRole('link').last().getAttribute('href')) ?? '';
    expect((await bench.central.call('GET', link)).body.messages).toMatchObject([{ reason: 'is no JSON' }]);
  });

  test('the centrals: who is there, which shards have nobody, and how far each has come', async () => {
    const { store } = bench.central;
    const worker = { host: 'nas', pid: 7, http: 'http://nas:8321/', version: '1.2.3', startedAt: ago(HOUR_MS) };
    await store.saveWorker({ ...worker, id: 'nas-7', heardAt: ago(-HOUR_MS) });
    await store.saveWorker({ ...worker, id: 'old-8', heardAt: ago(HOUR_MS) });
    await bench.sender.send('meow.started', 'collar/C1', { level: 1 });
    const page = await bench.open('#/devices');
    const row = (name: string) => page.locator('#workers tbody tr', { hasText: name });
    await row('nas-7').waitFor();
    expect(await row('nas-7').locator('td').first().innerText()).toBe('there');
    expect(await row('old-8').locator('td').first().innerText()).toBe('gone');
    expect(await page.locator('#central-sum').innerText()).toBe('1 of 2 workers there, all that is stored is folded');
    await page.locator('#central-concerns').getByText('64 of 64 shards have no worker').waitFor();
    await page.locator('#shards-sum').click();
    expect(await page.locator('#shards tbody tr').innerText()).toMatch(/s\d\d\s+–\s+porch\s+1\s+1\s+1\s+0/);
  });

  test.each([
    ['light', 1_280],
    ['dark', 1_280],
    ['light', 390],
    ['dark', 390],
  ] as const)(
    'axe finds nothing wrong, and nothing is wider than the screen: %s, %d px',
    async (colorScheme, width) => {
      await tell('porch', { ...sick(), conflicting: true });
      await tell('y'.repeat(64), { sources: [{ source: 'z'.repeat(90), state: 'open', readings: 1 }] }, 'offline');
      const shed = meowing('shed', epochId(2), 4);
      await bench.central.store.ingest(shed.batch(1, 1), ago(0));
      await bench.central.store.ingest(shed.batch(4, 4), ago(0));
      const page = await bench.open('#/devices', { colorScheme, viewport: { width, height: 844 } });
      await page.locator('.range').waitFor();
      await page.locator('#shards-sum').click();
      expect(await axeFaults(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    },
  );
});
