import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { openStore } from '../../src/central/open-store.ts';
import { newEvent } from '../../src/contract/event.ts';
import { at, createWriter, epochId, NOW } from '../central/store/events.ts';
import { collard } from './run.ts';

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-versions-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A store with a cat, and what programs of the future and of others have written. */
async function centralHome(fold: 'quarantine' | 'stop') {
  const folder = tempFolder();
  const config = join(folder, 'central.yaml');
  const path = join(folder, 'central.db');
  writeFileSync(config, `store: { url: "sqlite:${path}" }\nmqtt: { url: "mqtt://127.0.0.1" }\nfold: ${fold}\n`);
  const porch = createWriter('porch', epochId(1));
  porch.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }, 0);
  for (let second = 1; second <= 4; second += 1) {
    porch.add('cat.moved', 'cat/1', { from: null, to: `p${second}`, catId: 1 }, second);
  }
  porch.events.forEach((event, i) => {
    if (i >= 3) porch.events[i] = { ...event, version: 2 };
    if (i === 2) porch.events[i] = { ...event, type: 'org.example.purr\u001b[31m' };
  });
  const store = await openStore({ url: `sqlite:${path}`, fold });
  await store.ingest(porch.batch(1, 5), NOW);
  await store.project(100);
  await store.close();
  return config;
}

it('lists what is stored, what is read of it, and what the cats are made without', async () => {
  const config = await centralHome('quarantine');
  const { status, stdout, stderr } = await collard(['events', 'versions', '--config', config]);
  expect(status).toBe(0);
  const lines = stdout.trim().split('\n');
  expect(lines[0]).toMatch(/^type +version +events +first +last +is read +left out$/);
  expect(lines.slice(1).map((line) => line.replace(/ {2,}/g, '  ').trim())).toEqual([
    `collard.cat.moved  1  1  ${at(1)}  ${at(1)}  as it is  0`,
    `collard.cat.moved  2  2  ${at(3)}  ${at(4)}  no: upgrade collard  2`,
    `collard.cat.named  1  1  ${at(0)}  ${at(0)}  as it is  0`,
    `org.example.purr\\u001b[31m  1  1  ${at(2)}  ${at(2)}  no: unknown type  1`,
  ]);
  expect(stderr).toBe(
    'warning: 2 events collard.cat.moved version 2 are left out of the cats: version 2 of collard.cat.moved is newer\n',
  );
  const json = await collard(['events', 'versions', '--config', config, '--json']);
  expect(
    json.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { type: 'collard.cat.moved', version: 1, events: 1, readable: 'current', leftOut: 0 },
    { type: 'collard.cat.moved', version: 2, events: 2, readable: 'newer', leftOut: 2, first: at(3), last: at(4) },
    { type: 'collard.cat.named', version: 1, events: 1, readable: 'current', leftOut: 0 },
    { type: 'org.example.purr\u001b[31m', version: 1, events: 1, readable: 'unknown', leftOut: 1 },
  ]);
});

it('says where the cats stand still, as does the state', async () => {
  const config = await centralHome('stop');
  const words = `warning: the cats stand still before ${epochId(1)}/4 of porch: version 2 of collard.cat.moved is newer\n`;
  for (const args of [['events', 'versions'], ['state']]) {
    const { status, stderr } = await collard([...args, '--config', config]);
    expect([status, stderr]).toEqual([0, expect.stringContaining(words)]);
    expect(stderr).toContain('fix: upgrade collard, take the event back (collard events revoke)');
  }
});

it('looks through the log of an agent, too', async () => {
  const folder = tempFolder();
  const config = join(folder, 'agent.yaml');
  const path = join(folder, 'events.db');
  const source = 'sources: [{ serial: /dev/x }]\nmqtt: { url: "mqtt://127.0.0.1" }';
  writeFileSync(config, `agent: porch\nlog: { path: ${path} }\n${source}\n`);
  const when = { time: at(1), clock: 'synced', boot: null, monoMs: null } as const;
  const log = await openEventLog(
    { path, agent: 'porch', keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 },
    { when: () => when },
  );
  onTestFinished(() => log.close());
  await log.append([newEvent('battery.low', 'collar/A', { percent: 5 }, when)]);
  await log.append([newEvent('battery.low', 'collar/A', { percent: 4 }, { ...when, time: at(2) })]);
  const { status, stdout } = await collard(['events', 'versions', '--config', config, '--json']);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    type: 'collard.battery.low',
    version: 1,
    events: 2,
    first: at(1),
    last: at(2),
    readable: 'current',
    leftOut: 0,
  });
});
