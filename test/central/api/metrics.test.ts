import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MAX_SERIES } from '../../../src/central/api/fleet-metrics.ts';
import { createMetrics, type MetricsStore } from '../../../src/central/api/metrics.ts';
import type { AgentRow, CatRow } from '../../../src/central/store/store.ts';
import { ROOT } from '../../architecture/files.ts';
import { saveHealth, saveState } from '../store/said.ts';
import { type Family, parseMetrics } from './prometheus.ts';
import { createSender, type Serving, startServing } from './serving.ts';

const HEALTH = {
  ...{ version: '1', queue: 12, oldestUnstored: '2026-11-23T12:00:00.000Z', stalled: true, clock: 'unsynced' },
  ...{ disk: 'warn', logBytes: 4096, diskFreeBytes: 1_000, diskTotalBytes: 8_000, rssBytes: 50_000_000 },
  ...{ uptimeMs: 1_500, writtenBytes: 123, walBytes: 2_048, walHeld: true },
  sources: [
    { source: 'a', state: 'open', readings: 10, discarded: { crc: 2, length: 1 }, lostSamples: 4 },
    { source: 'b', state: 'failed', readings: 5, discarded: {}, lostSamples: 0 },
    'no source',
  ],
};

/** The variable of the dashboard that says which Prometheus is asked. */
const SOURCE = '\u0024{datasource}';

let central: Serving;
let families: readonly Family[] = [];
beforeAll(async () => {
  central = await startServing();
  await central.call('POST', 'api/v1/cats', { name: 'Mia "the \\ cat"\nof us', collar: 'C1' });
  await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
  await createSender(central).send('meow.started', 'collar/C1', { level: 1 });
  const now = new Date().toISOString();
  await saveHealth(central.store, 'porch', HEALTH, now);
  await saveHealth(central.store, 'shed', { sources: 'none', queue: '7', logBytes: -1, discarded: null }, now);
  await saveState(central.store, 'porch', { state: 'online', session: 1, version: '1' }, now);
  const { text, type } = await central.call('GET', 'metrics');
  expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
  families = parseMetrics(text);
});
afterAll(() => central.stop());

const figure = (name: string, labels: object = {}) =>
  families
    .flatMap(({ samples }) => samples)
    .find((sample) => sample.name === name && Object.entries(labels).every(([k, v]) => sample.labels[k] === v))?.value;

describe('the figures', () => {
  test('of agents are what their health says', () => {
    const ofPorch = (name: string, more: object = {}) => figure(`collard_agent_${name}`, { agent: 'porch', ...more });
    expect({
      ...{ up: ofPorch('up'), queue: ofPorch('queue_events'), stalled: ofPorch('stalled') },
      ...{ oldest: ofPorch('oldest_unconfirmed_timestamp_seconds'), clock: ofPorch('clock_synced') },
      ...{ log: ofPorch('log_bytes'), free: ofPorch('disk_free_bytes'), uptime: ofPorch('uptime_seconds') },
      ...{ readings: ofPorch('readings_total'), discarded: ofPorch('discarded_frames_total') },
      ...{ lost: ofPorch('lost_samples_total'), written: ofPorch('written_bytes_total') },
      ...{ wal: ofPorch('wal_bytes'), held: ofPorch('wal_held') },
      warn: ofPorch('disk_state', { state: 'warn' }),
      ok: ofPorch('disk_state', { state: 'ok' }),
      failed: ofPorch('sources', { state: 'failed' }),
      ...{ chain: ofPorch('chain_ok'), agents: figure('collard_agents'), cats: figure('collard_cats') },
    }).toEqual({
      ...{ up: 1, queue: 12, stalled: 1, oldest: Date.parse('2026-11-23T12:00:00Z') / 1_000, clock: 0 },
      ...{ log: 4096, free: 1_000, uptime: 1.5, readings: 15, discarded: 3, lost: 4, written: 123 },
      ...{ wal: 2_048, held: 1 },
      ...{ warn: 1, ok: 0, failed: 1, chain: 1, agents: 2, cats: 1 },
    });
  });

  test('that an agent does not tell, or tells wrongly, are no series', () => {
    for (const name of ['queue_events', 'log_bytes', 'readings_total', 'stalled', 'disk_free_bytes', 'wal_held'])
      expect(figure(`collard_agent_${name}`, { agent: 'shed' }), name).toBeUndefined();
    expect(figure('collard_agent_up', { agent: 'shed' })).toBe(0);
  });

  test('of the disk of the store are there once it was looked at, and only what is known', async () => {
    const metrics = createMetrics('1');
    const read = async () =>
      parseMetrics(await metrics.text(central.store, new Date()))
        .filter(({ name }) => name.startsWith('collard_store_'))
        .map(({ name, samples }) => [name, ...samples.map(({ value }) => value)]);
    const names = ['collard_store_disk_free_bytes', 'collard_store_disk_size_bytes', 'collard_store_wal_bytes'];
    expect(await read()).toEqual(names.map((name) => [name]));
    metrics.room({ freeBytes: 40, totalBytes: 1_000, walBytes: 0 });
    expect(await read()).toEqual([40, 1_000, 0].map((value, i) => [names[i], value]));
    metrics.room({ freeBytes: null, totalBytes: null, walBytes: 7 });
    expect(await read()).toEqual([[names[0]], [names[1]], [names[2], 7]]);
  });

  test('of what had no room rise by what had to go, each by itself', async () => {
    const metrics = createMetrics('1');
    for (const [where, messages] of [
      ['incoming', 2],
      ['outbox', 3],
      ['broker', 4],
      ['incoming', 5],
    ] as const)
      metrics.dropped(where, messages);
    const found = parseMetrics(await metrics.text(central.store, new Date()));
    const of = (where: string) =>
      found.find(({ name }) => name === `collard_${where}_dropped_total`)?.samples[0]?.value;
    expect(['incoming', 'outbox', 'broker'].map(of)).toEqual([7, 3, 4]);
  });

  test('of cats bear their names', () => {
    expect(figure('collard_cat_shaking', { cat: 'Mia' })).toBe(1);
    expect(figure('collard_cat_meows_today', { cat: 'Mia' })).toBe(1);
    expect(figure('collard_cat_last_heard_timestamp_seconds', { cat: 'Mia' })).toBeGreaterThan(1.7e9);
  });

  test('are no more than MAX_SERIES of each, whoever makes up names, and forget who is gone', async () => {
    const agent = (i: number) => ({
      ...{ agent: `a${i}`, state: 'online', epochs: [], health: { sources: [] } },
      ...{ lastHeard: null, lastEvent: null, conflicts: 0, gaps: 0, quarantined: 0 },
    });
    const cat = (i: number) => ({
      ...{ id: i, name: `cat ${i}`, isMeowed: false, meowsToday: 0, lastHeard: null, silent: false, batteryLow: false },
    });
    const rows = Array.from({ length: MAX_SERIES + 5 }, (_, i) => i);
    const metrics = createMetrics('1');
    const read = async (numbers: readonly number[]) => {
      const store: MetricsStore = {
        ...central.store,
        agents: async () => numbers.map(agent) as unknown as AgentRow[],
        cats: async () => numbers.map(cat) as unknown as CatRow[],
      };
      return parseMetrics(await metrics.text(store, new Date()));
    };
    const ofMany = await read(rows);
    for (const { name, samples } of ofMany) expect(samples.length, name).toBeLessThanOrEqual(4 * MAX_SERIES);
    expect(ofMany.find(({ name }) => name === 'collard_agent_up')?.samples).toHaveLength(MAX_SERIES);
    expect(ofMany.find(({ name }) => name === 'collard_agents')?.samples[0]?.value).toBe(MAX_SERIES + 5);
    const ofOne = await read([3]);
    expect(ofOne.find(({ name }) => name === 'collard_agent_up')?.samples).toEqual([
      { name: 'collard_agent_up', labels: { agent: 'a3' }, value: 1 },
    ]);
  });
});

describe('what the parser would refuse', () => {
  const family = (name: string, type: string, sample = `${name} 1`, help = 'A figure of some kind') =>
    `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${sample}\n`;
  test.each([
    ['a counter without _total', family('collard_events', 'counter')],
    ['a gauge with _total', family('collard_events_total', 'gauge')],
    ['milliseconds', family('collard_took_ms', 'gauge')],
    ['upper case', family('collard_tookSeconds', 'gauge')],
    ['no help', family('collard_agents', 'gauge', 'collard_agents 1', 'x')],
    ['a name of another', family('agents', 'gauge')],
    ['labels without quotes', family('collard_agents', 'gauge', 'collard_agents{a=1} 1')],
    ['a line feed in a label', family('collard_agents', 'gauge', 'collard_agents{a="1\n"} 1')],
    ['a sample of no family', family('collard_agents', 'gauge', 'collard_cats 1')],
    ['a series twice', family('collard_agents', 'gauge', 'collard_agents 1\ncollard_agents 2')],
    ['no number', family('collard_agents', 'gauge', 'collard_agents one')],
  ])('%s', (_, text) => {
    expect(() => parseMetrics(text)).toThrow();
  });
});

/** Names of series in an expression. */
const namesIn = (expr: string) => expr.match(/\b(?:collard|process)_[a-z0-9_]+\b(?!")/g) ?? [];
const series = () =>
  new Set(
    families.flatMap(({ name, type }) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((s) => name + s) : [name],
    ),
  );

describe('the examples in config', () => {
  const dashboard = JSON.parse(readFileSync(join(ROOT, 'config/grafana/collard.json'), 'utf8'));
  const rules = parse(readFileSync(join(ROOT, 'config/prometheus/collard-alerts.yaml'), 'utf8')).groups.flatMap(
    (group: { rules: object[] }) => group.rules,
  ) as { alert: string; expr: string; annotations: { summary: string } }[];
  const panels = dashboard.panels as ({ id: number; type: string; datasource?: { uid: string } } & Record<
    string,
    never
  >)[];

  test('alert rules use figures that there are', () => {
    for (const { alert, expr, annotations } of rules) {
      expect(alert).toMatch(/^Collard[A-Z]\w+$/);
      expect(annotations.summary).not.toBe('');
      for (const name of namesIn(expr)) expect(series(), `${alert}: ${name}`).toContain(name);
    }
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect(rules.flatMap(({ expr }) => namesIn(expr)).length).toBeGreaterThan(10);
  });

  test('the dashboard uses figures that there are, and names no data source of ours', () => {
    const targets = panels.flatMap(({ targets = [] }) => targets as { expr: string; datasource: { uid: string } }[]);
    for (const { expr, datasource } of targets) {
      expect(datasource.uid).toBe(SOURCE);
      for (const name of namesIn(expr)) expect(series(), expr).toContain(name);
    }
    expect(targets.length).toBeGreaterThan(20);
    expect([dashboard.uid, dashboard.schemaVersion, 'id' in dashboard]).toEqual(['collard', 39, false]);
    const ids = panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { type, datasource } of panels) if (type !== 'row') expect(datasource?.uid).toBe(SOURCE);
  });

  test('no panel lies over another', () => {
    const taken = new Set<string>();
    for (const { gridPos } of panels as unknown as { gridPos: { x: number; y: number; w: number; h: number } }[]) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken).not.toContain(`${x} ${y}`);
          taken.add(`${x} ${y}`);
        }
    }
  });
});
