import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { openStore } from '../../src/central/open-store.ts';
import { exportCommand } from '../../src/cli/export.ts';
import { openOutput } from '../../src/cli/out-file.ts';
import { newEvent } from '../../src/contract/event.ts';
import { until } from '../central/broker.ts';

const bin = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
const EPOCH = '01a20867-068a-70da-b9ee-759f41bde6a8';
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'collard-export-'));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(home, { recursive: true });
});

const meow = (second: number, subject = 'collar/A') => {
  const time = new Date(1_700_000_000_000 + second * 1_000).toISOString();
  return newEvent('meow.started', subject, { level: second }, { time, clock: 'synced', boot: null, monoMs: null });
};

/** A store with `count` events, and one above a gap. */
async function centralHome(count: number): Promise<string> {
  const config = join(home, 'central.yaml');
  const url = `sqlite:${join(home, 'central.db')}`;
  writeFileSync(config, `store: { url: "${url}" }\nmqtt: { url: "mqtt://127.0.0.1" }\n`);
  const store = await openStore({ url });
  const events = Array.from({ length: count }, (_, i) => ({ ...meow(i), epoch: EPOCH, seq: i + 1 }));
  for (let i = 0; i < count; i += 500) {
    await store.ingest({ agent: 'porch', events: events.slice(i, i + 500), chain: null }, '2026-11-23T12:00:00.000Z');
  }
  const above = { ...meow(count), epoch: EPOCH, seq: count + 9 };
  await store.ingest({ agent: 'porch', events: [above], chain: null }, '2026-11-23T12:00:00.000Z');
  await store.close();
  return config;
}

async function run(...args: string[]): Promise<string> {
  let told = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    told += String(text);
    return true;
  });
  try {
    await exportCommand().exitOverride().parseAsync(args, { from: 'user' });
  } finally {
    vi.restoreAllMocks();
  }
  return told;
}

it('writes all events of a store into a file, also those above a gap', async () => {
  const config = await centralHome(2_500);
  const out = join(home, 'events.ndjson');
  writeFileSync(out, 'what was there before');
  const told = await run('--config', config, '--format', 'ndjson', '--out', out);
  expect(told).toBe(`2501 events in ${out}\n`);
  const seqs = readFileSync(out, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).seq);
  expect(seqs).toEqual([...Array.from({ length: 2_500 }, (_, i) => i + 1), 2_509]);
  expect(readdirSync(home).filter((name) => name.endsWith('.part'))).toEqual([]);
  const some = ['--from', new Date(1_700_000_001_000).toISOString(), '--to', new Date(1_700_000_003_000).toISOString()];
  await run('--config', config, '--format', 'cloudevents', '--out', out, '--agent', 'porch', ...some);
  expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject([{ seq: 2 }, { seq: 3 }]);
});

it('writes the log of an agent the same way', async () => {
  const config = join(home, 'agent.yaml');
  const path = join(home, 'events.db');
  writeFileSync(
    config,
    `agent: porch\nsources: [{ serial: /dev/x }]\nlog: { path: ${path} }\nmqtt: { url: "mqtt://127.0.0.1" }\n`,
  );
  const { time, clock, boot, monoMs } = meow(0);
  const log = await openEventLog(
    { path, agent: 'porch', keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 },
    { when: () => ({ time, clock, boot, monoMs }) },
  );
  await log.append([meow(1), meow(2, '=1+1')]);
  await log.close();
  const out = join(home, 'events.csv');
  const told = await run('--config', config, '--format', 'csv', '--out', out);
  expect(told).toMatch(/^1 cells that a spreadsheet would run .*\n2 events in/);
  expect(readFileSync(out, 'utf8').split('\r\n')).toHaveLength(4);
  await run(
    '--config',
    config,
    '--format',
    'influx',
    '--out',
    out,
    '--type',
    'meow.started',
    '--collar',
    'A',
    '--quiet',
  );
  expect(readFileSync(out, 'utf8')).toMatch(/^collard\.meow\.started,agent=porch,collar=A.* 1700000001000000000\n$/);
});

it('says where it cannot write, and what it cannot be asked', async () => {
  const config = await centralHome(1);
  const base = ['--config', config, '--format', 'csv'];
  await expect(run(...base, '--out', join(home, 'no', 'file'))).rejects.toMatchObject({ exitCode: 74 });
  await expect(run('--config', config, '--format', 'xml')).rejects.toMatchObject({ code: 'commander.invalidArgument' });
});

it('a file that is not finished is never seen', async () => {
  const stop = new AbortController();
  const path = join(home, 'out');
  const out = await openOutput(path, stop.signal);
  await out.write('half');
  expect(readdirSync(home)).toHaveLength(1);
  expect(readdirSync(home)).not.toContain('out');
  stop.abort();
  await out.write(' more');
  await out.discard();
  expect(readdirSync(home)).toEqual([]);
});

it('waits for a slow reader, and ends at Ctrl-C with 130', { timeout: 60_000 }, async () => {
  const config = await centralHome(5_000);
  const child = spawn(process.execPath, [bin, 'export', '--config', config, '--format', 'ndjson'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    told += text;
  });
  // One piece, and then nothing is read.
  const [first] = await once(child.stdout, 'data');
  child.stdout.pause();
  child.kill('SIGINT');
  const [code] = await once(child, 'exit');
  expect(code).toBe(130);
  expect(String(first)).toMatch(/^\{"position":1,/);
  child.stdout.resume();
  await once(child, 'close');
  expect(Number(/^stopped after (\d+) events\n/m.exec(told)?.[1])).toBeLessThan(5_001);
});

/** All that is old goes from the store into segments. */
async function expireAll(): Promise<string> {
  const dir = join(home, 'segments');
  const store = await openStore({ url: `sqlite:${join(home, 'central.db')}` });
  while ((await store.project(2_000)).events > 0);
  await store.expire({ dir, before: new Date().toISOString(), signal: new AbortController().signal });
  await store.close();
  return dir;
}

const withSegments = (config: string) =>
  writeFileSync(
    config,
    `${readFileSync(config, 'utf8')}retention: { keepDays: 30, segments: ${join(home, 'segments')} }\n`,
  );

it('writes what lies in segments, too, and without them where that is asked for', async () => {
  const config = await centralHome(1_200);
  const out = join(home, 'events.csv');
  const args = ['--config', config, '--format', 'csv', '--out', out];
  await run(...args);
  const before = readFileSync(out, 'utf8').split('\r\n').sort();
  await expireAll();
  await expect(run(...args)).rejects.toMatchObject({
    exitCode: 69,
    message: expect.stringContaining('retention.segments'),
  });
  expect(await run(...args, '--no-sealed')).toBe(`1 events in ${out}\n`);
  withSegments(config);
  expect(await run(...args)).toBe(`1201 events in ${out}\n`);
  expect(readFileSync(out, 'utf8').split('\r\n').sort()).toEqual(before);
  const [file = ''] = readdirSync(join(home, 'segments')).filter((name) => name.endsWith('.gz'));
  writeFileSync(join(home, 'segments', file), 'no segment');
  await expect(run(...args)).rejects.toMatchObject({ exitCode: 65, message: expect.stringContaining(file) });
  expect(readFileSync(out, 'utf8').split('\r\n').sort()).toEqual(before);
});

it.each(['csv', 'cloudevents'])('has one head in %s, though it was broken off right behind that', async (format) => {
  const config = await centralHome(3);
  const [whole, out] = [join(home, 'whole'), join(home, 'out')];
  await run('--config', config, '--format', format, '--out', whole, '--quiet');
  const args = ['--config', config, '--format', format, '--out', out, '--resume'];
  const { exitCode } = process;
  onTestFinished(() => {
    process.exitCode = exitCode;
  });
  const before = process.listeners('SIGINT');
  const stopped = run(...args);
  // As soon as it listens: nothing of the store is read by then. Those of earlier runs would take it for their second one.
  while (process.listenerCount('SIGINT') === before.length) await null;
  for (const listener of process.listeners('SIGINT')) if (!before.includes(listener)) listener('SIGINT');
  expect(await stopped).toContain('stopped after 0 events');
  expect(await run(...args)).toBe(`4 events in ${out}\n`);
  expect(readFileSync(out, 'utf8')).toBe(readFileSync(whole, 'utf8'));
});

it.each(['csv', 'cloudevents'])(
  'goes on after Ctrl-C in %s, each event once, though retention came between',
  { timeout: 120_000 },
  async (format) => {
    const config = await centralHome(20_000);
    withSegments(config);
    const [whole, out] = [join(home, 'whole'), join(home, 'out')];
    await run('--config', config, '--format', format, '--out', whole, '--quiet');
    const args = ['--config', config, '--format', format, '--out', out, '--resume'];
    const stopped = async () => {
      rmSync(out, { force: true });
      const child = spawn(process.execPath, [bin, 'export', ...args, '--quiet'], { stdio: 'ignore' });
      const ended = once(child, 'exit');
      const size = (name: string) => statSync(name, { throwIfNoEntry: false })?.size ?? 0;
      await until('it writes', async () => size(`${out}.part`) > 0 || size(out) > 0);
      child.kill('SIGINT');
      return ended;
    };
    // One that was done before it heard of it has to be asked again.
    let end = await stopped();
    for (let tries = 1; tries < 10 && end[0] === 0; tries += 1) end = await stopped();
    expect(end).toEqual([130, null]);
    expect(readdirSync(home)).toEqual(expect.arrayContaining(['out.part', 'out.place']));
    // What was written beyond the place does not count: as after a kill.
    writeFileSync(`${out}.part`, 'half a line', { flag: 'a' });
    await expect(run(...args, '--type', 'meow.ended')).rejects.toMatchObject({ exitCode: 64 });
    await expireAll();
    expect(await run(...args)).toBe(`20001 events in ${out}\n`);
    expect(readdirSync(home).filter((name) => name.startsWith('out'))).toEqual(['out']);
    const text = (path: string) => readFileSync(path, 'utf8');
    const lines = (path: string) =>
      text(path)
        .replaceAll(/,?\r?\n/g, '\n')
        .split('\n')
        .sort();
    expect(lines(out)).toEqual(lines(whole));
    if (format === 'cloudevents') expect(JSON.parse(text(out))).toHaveLength(20_001);
  },
);
