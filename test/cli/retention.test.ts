import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { catModel } from '../../src/central/models/cat-model.ts';
import { openStore } from '../../src/central/open-store.ts';
import { pastCats } from '../../src/central/past-cats.ts';
import { openSqlReplay } from '../../src/central/store/open-replay.ts';
import type { Store } from '../../src/central/store/store.ts';
import { eventsCommand } from '../../src/cli/events.ts';
import { retentionCommand } from '../../src/cli/retention.ts';
import { stateCommand } from '../../src/cli/state.ts';
import { statsCommand } from '../../src/cli/stats.ts';
import { createWriter, epochId, NOW } from '../central/store/events.ts';

let home: string;
let dir: string;
let config: string;
let store: Store;

/** Two days of events that are long gone, and two that are new. */
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'collard-retention-'));
  dir = join(home, 'segments');
  config = join(home, 'central.yaml');
  const url = `sqlite:${join(home, 'central.db')}`;
  const broker = 'mqtt: { url: "mqtt://127.0.0.1" }';
  writeFileSync(config, `store: { url: "${url}" }\n${broker}\nretention: { keepDays: 30, segments: ${dir} }\n`);
  store = await openStore({ url });
  const porch = createWriter('porch', epochId(1));
  const ago = (days: number) => (Date.now() - days * 86_400_000 - Date.parse(NOW)) / 1_000;
  porch.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }, ago(60));
  porch.add('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, ago(60));
  porch.add('cat.moved', 'collar/A', { from: null, to: 'roof' }, ago(50));
  porch.add('cat.moved', 'collar/A', { from: 'roof', to: 'hall' }, ago(40));
  porch.add('cat.moved', 'collar/A', { from: 'hall', to: 'attic' }, ago(1));
  await store.ingest(porch.batch(1, 5), NOW);
  while ((await store.project(1_000)).events > 0);
});

afterEach(async () => {
  process.exitCode = 0;
  vi.restoreAllMocks();
  await store.close();
  rmSync(home, { recursive: true });
});

async function run(...args: string[]): Promise<string> {
  let out = '';
  const take = (text: string | Uint8Array) => {
    out += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
  try {
    await retentionCommand()
      .exitOverride()
      .parseAsync([args[0] ?? '', '--config', config, ...args.slice(1)], { from: 'user' });
  } finally {
    vi.restoreAllMocks();
  }
  return out;
}

async function told(command: Command, ...args: string[]) {
  let [out, err] = ['', ''];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  await command.exitOverride().parseAsync(['--config', config, '--json', ...args], { from: 'user' });
  vi.restoreAllMocks();
  return {
    rows: out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    err,
  };
}

it('moves what is old, shows and verifies it', async () => {
  expect(await run('run')).toMatch(/\.jsonl\.gz: 4 events so far\n4 events are in 1 new segments\n$/);
  expect(await run('run', '--json')).toBe('{"segments":0,"events":0,"waiting":null}\n');
  expect(await run('status')).toMatch(/porch +1 to 4 +4 +sealed +01a2/);
  expect(JSON.parse(await run('status', '--json'))).toMatchObject({ agent: 'porch', fromSeq: 1, toSeq: 4, done: true });
  expect(await run('verify')).toBe('1 of 1 segments are sound\n');
  const [{ file = '' } = {}] = await store.segments();
  const path = join(dir, file);
  writeFileSync(path, readFileSync(path).subarray(0, 50));
  expect(await run('verify')).toContain(`segment ${path} cannot be read: put it back from a backup, with its manifest`);
  expect(process.exitCode).toBe(1);
  rmSync(path);
  expect(JSON.parse(await run('verify', '--json'))).toMatchObject({ status: 'damaged', file });
});

it('a past state is folded from segments too', async () => {
  const day = (days: number) => new Date(Date.now() - days * 86_400_000);
  const then = async (days: number) => pastCats(store, day(days), dir);
  const before = [await then(55), await then(45), await then(35), await then(0)];
  expect(before.map(([cat]) => cat?.location)).toEqual([null, 'roof', 'hall', 'attic']);
  await run('run');
  expect((await store.oldest({ limit: 9 })).events.map(({ seq }) => seq)).toEqual([1, 2, 5]);
  expect([await then(55), await then(45), await then(35), await then(0)]).toEqual(before);
  await expect(pastCats(store, day(45), undefined)).rejects.toMatchObject({ code: 'EXPIRED' });
  const { rows } = await told(stateCommand(), '--at', day(45).toISOString());
  expect(rows).toEqual(before[1]);
});

it('events and stats say where old events are, and read them', async () => {
  await run('run');
  const rows = await told(eventsCommand());
  expect(rows.rows.map(({ seq }) => seq)).toEqual([1, 2, 5]);
  expect(rows.err).toContain('--sealed prints these, too');
  const sealed = await told(eventsCommand(), '--sealed', '--type', 'cat.moved');
  expect([sealed.rows.map(({ seq }) => seq), sealed.err]).toEqual([[3, 4, 5], '']);
  const from = new Date(Date.now() - 90 * 86_400_000).toISOString();
  const counted = await told(statsCommand(), '--from', from, '--tz', 'UTC');
  expect(counted.rows.map(({ types }) => types)).toEqual([
    { 'cat.named': 1, 'collar.assigned': 1 },
    { 'cat.moved': 1 },
    { 'cat.moved': 1 },
    { 'cat.moved': 1 },
  ]);
  expect(counted.err).toContain('are in segments: they are read, too');
});

it('retention waits for a replay that folds, and a replay reads what it has moved', async () => {
  const options = { to: null, accept: false, program: 'test' };
  const place = { url: `sqlite:${join(home, 'central.db')}`, model: catModel };
  const replay = await openSqlReplay({ ...place, segments: dir });
  const build = await replay.build(options);
  expect(await run('run')).toBe('nothing was done: models are being rebuilt\n');
  expect(process.exitCode).toBe(75);
  while (!(await build.step()).finished);
  while (!(await build.swap())) await build.catchUp();
  await run('run');
  expect((await store.segments()).length).toBe(1);
  expect(await replay.verifyModels(() => undefined)).toMatchObject({ equal: true, events: 5 });
  await replay.close();
});

it('runs once at a time, and says what is missing', async () => {
  await run('run');
  writeFileSync(join(dir, 'lock'), `${process.pid}\n`);
  await expect(run('run')).rejects.toMatchObject({ exitCode: 75 });
  // Of a process that died.
  writeFileSync(join(dir, 'lock'), '4194305\n');
  await run('run');
  writeFileSync(config, readFileSync(config, 'utf8').replace(/^retention.*$/m, ''));
  await expect(run('status')).rejects.toMatchObject({ exitCode: 78 });
});
