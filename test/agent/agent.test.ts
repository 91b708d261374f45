import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type AgentDeps, runAgent, runTrim } from '../../src/agent/agent.ts';
import { agentSchema } from '../../src/agent/config.ts';
import { readKept } from '../../src/agent/kept/read-kept.ts';
import type { DiskHealth } from '../../src/agent/log/event-log.ts';
import { openLogReader } from '../../src/agent/log/open-log-reader.ts';
import { openLogWorker } from '../../src/agent/log/open-log-worker.ts';
import { startLogThread } from '../../src/agent/log/start-log-thread.ts';
import { centralSchema } from '../../src/central/config.ts';
import { openStore } from '../../src/central/open-store.ts';
import { runCentral } from '../../src/central/service.ts';
import { asFailure } from '../../src/cli/serve-agent.ts';
import { chainHex } from '../../src/contract/chain.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { startAedes } from '../servers.ts';

const logger = pino({ level: 'silent' });

function tempFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'collard-whole-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}

/** Runs until the test is over, or until stopped. */
function run(loop: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
  const stop = new AbortController();
  const done = loop(stop.signal);
  const end = async () => {
    stop.abort();
    await done;
  };
  onTestFinished(end);
  return end;
}

/** One shake of 8 Hz for 0.6 s, then rest. */
function capture(): string {
  let lines = '';
  for (let t = 0; t < 1_600; t += 20) {
    const ax = t < 600 ? 3 * Math.sin((2 * Math.PI * 8 * t) / 1_000) : 0;
    lines += `${JSON.stringify({ collar: 'A', t, ax, ay: 0, az: 1, place: 'kitchen', rssi: -50, battery: 7 })}\n`;
  }
  return lines;
}

it('what a source gives reaches the store of central once, confirmed, with the same chain', async () => {
  const home = tempFolder();
  const broker = await startAedes();
  onTestFinished(() => broker.stop());
  const mqtt = { url: broker.url, retryFirstMs: 20, retryMaxMs: 100 };
  const path = join(home, 'events.db');
  const file = join(home, 'capture.ndjson');
  writeFileSync(file, capture());
  const url = `sqlite:${join(home, 'central.db')}`;
  const agentConfig = agentSchema.parse({
    agent: 'porch',
    simulated: true,
    sources: [{ file, format: 'json' }],
    log: { path },
    mqtt,
    health: { everyMs: 100 },
    readings: { keep: '1h / 10 MB' },
  });
  const centralConfig = centralSchema.parse({ store: { url }, mqtt, http: { port: 0 } });
  const told: { msg?: string; sources?: unknown }[] = [];
  const listening = pino({}, { write: (line) => void told.push(JSON.parse(line)) });
  const deps = { openLink: openMqttLink, logger: listening, version: '0' };
  const stopCentral = run((signal) => runCentral(centralConfig, deps, signal));
  const stopAgent = run((signal) => runAgent(agentConfig, deps, signal));
  await expect.poll(() => typesIn(path)).toContain('collard.meow.ended');
  const reader = openLogReader(path);
  onTestFinished(() => reader.close());
  const head = () => reader.epochs()[0] ?? { epoch: '', lastSeq: 0, storedSeq: -1 };
  const store = await openStore({ url });
  onTestFinished(() => store.close());
  const atCentral = async () => (await store.agents()).find((row) => row.agent === 'porch')?.health;
  await expect.poll(atCentral).toMatchObject({
    simulated: true,
    queue: 0,
    unwritten: 0,
    oldestUnstored: null,
    sources: [{ source: file, readings: 80, state: 'ended', lostSamples: 0 }],
    collars: [{ collar: 'A', rssiDbm: -50, batteryPercent: 7, place: 'kitchen' }],
    conflicting: false,
    oversize: 0,
    lastError: null,
    diskTotalBytes: expect.any(Number),
    uptimeMs: expect.any(Number),
    readings: { state: 'kept', reason: null, lostBlocks: 0 },
  });
  if (process.platform === 'linux') expect(await atCentral()).toMatchObject({ writtenBytes: expect.any(Number) });
  // What the agent logs besides comes with the next report.
  const reported = async () => {
    const health = await atCentral();
    return [health?.lastSeq, health?.storedSeq].map((seq) => seq === head().lastSeq);
  };
  await expect.poll(reported).toEqual([true, true]);
  await stopAgent();
  const kept: string[] = [];
  for await (const { entries } of readKept(join(home, 'kept'), () => kept.push('damaged')))
    for (const { input, detections } of entries)
      kept.push(...(input.type === 'reading' ? detections.map(({ type }) => `collard.${type}`) : []));
  expect(kept).toEqual((await typesIn(path)).filter((type) => kept.includes(type)));
  expect(kept).toContain('collard.meow.started');
  expect(told.find(({ msg }) => msg === 'sources are closed')?.sources).toEqual([
    { source: file, readings: 80, overrunBytes: 0, discarded: {}, lostSamples: 0 },
  ]);
  await stopCentral();
  expect(head().storedSeq).toBe(head().lastSeq);
  const chain = await store.chainAt(head().epoch, head().lastSeq);
  const own = await reader.chainAt(head().epoch, head().lastSeq);
  expect(chain && chainHex(chain)).toBe(own && chainHex(own));
  expect((await store.counts()).events).toBe(head().lastSeq);
});

it('events go their way where readings cannot be kept', async () => {
  const home = tempFolder();
  const [path, file, folder] = ['events.db', 'capture.ndjson', 'kept'].map((name) => join(home, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(file, capture());
  writeFileSync(folder, 'not a folder');
  const told: { msg?: string; reason?: string }[] = [];
  const listening = pino({}, { write: (line) => void told.push(JSON.parse(line)) });
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ file, format: 'json' }],
    log: { path },
    mqtt: { url: 'mqtt://127.0.0.1:1' },
    readings: { keep: '1h', folder },
  });
  const stop = run((signal) => runAgent(config, { openLink: openMqttLink, logger: listening, version: '0' }, signal));
  await expect.poll(() => typesIn(path), { timeout: 30_000 }).toContain('collard.meow.ended');
  await stop();
  expect(told.filter(({ msg }) => msg === 'readings are not kept; events are')).toEqual([
    expect.objectContaining({ reason: expect.stringContaining('EEXIST') }),
  ]);
});

it('what is logged while stopping is confirmed before the link is closed', async () => {
  const home = tempFolder();
  const broker = await startAedes();
  onTestFinished(() => broker.stop());
  const mqtt = { url: broker.url, retryFirstMs: 20, retryMaxMs: 100 };
  const path = join(home, 'events.db');
  const file = join(home, 'capture.ndjson');
  // A shake without an end.
  writeFileSync(file, capture().split('\n').slice(0, 25).join('\n'));
  const config = { agent: 'porch', sources: [{ file, format: 'json' }], log: { path }, mqtt };
  const centralConfig = centralSchema.parse({
    store: { url: `sqlite:${join(home, 'central.db')}` },
    mqtt,
    http: { port: 0 },
  });
  const deps = { openLink: openMqttLink, logger, version: '0' };
  run((signal) => runCentral(centralConfig, deps, signal));
  const stopAgent = run((signal) => runAgent(agentSchema.parse(config), deps, signal));
  const head = () => {
    const reader = openLogReader(path);
    const first = reader.epochs()[0];
    reader.close();
    return first;
  };
  await expect.poll(() => typesIn(path), { interval: 10 }).toContain('collard.meow.started');
  expect(await typesIn(path)).not.toContain('collard.meow.ended');
  await expect.poll(() => (head()?.storedSeq ?? 0) > 0, { interval: 10 }).toBe(true);
  await stopAgent();
  expect(await typesIn(path)).toContain('collard.meow.ended');
  expect(head()?.storedSeq).toBe(head()?.lastSeq);
});

it('warns of a log that is locked, and ends with the failure of the log when its thread ends by itself', async () => {
  const home = tempFolder();
  const config = agentSchema.parse({
    agent: 'short-lived',
    sources: [{ serial: join(home, 'nothing') }],
    log: { path: join(home, 'events.db') },
    mqtt: { url: 'mqtt://127.0.0.1:1' },
  });
  const program = new URL('./log/dying-worker.ts', import.meta.url);
  const openLog: AgentDeps['openLog'] = (options, ports) =>
    openLogWorker(options, { ...ports, thread: () => startLogThread(program) });
  const told: { msg?: string }[] = [];
  const listening = pino({}, { write: (line) => void told.push(JSON.parse(line)) });
  const deps = { openLink: openMqttLink, logger: listening, version: '0', openLog };
  const failure = await runAgent(config, deps, new AbortController().signal).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'LOG_THREAD', message: expect.stringContaining('exit code 3') });
  expect(told.filter(({ msg }) => msg === 'events wait to be written: it is locked')).toHaveLength(1);
  expect(asFailure(failure)).toMatchObject({ exitCode: 74 });
});

it('stops at once while its log is still being opened, as a damaged one is for long', async () => {
  const home = tempFolder();
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ serial: join(home, 'nothing') }],
    log: { path: join(home, 'events.db') },
    mqtt: { url: 'mqtt://127.0.0.1:1' },
  });
  const program = new URL('data:text/javascript,setInterval(() => {}, 1000)');
  const stop = new AbortController();
  const openLog: AgentDeps['openLog'] = (options, ports, signal) => {
    setImmediate(() => stop.abort());
    return openLogWorker(options, { ...ports, thread: () => startLogThread(program) }, signal);
  };
  const onRunning = () => {
    throw new Error('it must not run');
  };
  const deps = { openLink: openMqttLink, logger, version: '0', openLog, onRunning };
  expect(await runAgent(config, deps, stop.signal)).toBeUndefined();
  expect(await runAgent(config, deps, stop.signal)).toBeUndefined();
});

async function typesIn(path: string): Promise<readonly string[]> {
  try {
    const reader = openLogReader(path);
    const { epoch = '', lastSeq = 0 } = reader.epochs()[0] ?? {};
    const events = await reader.read(epoch, 1, lastSeq, 1_000, 1e9);
    reader.close();
    return events.map((event) => event.type);
  } catch (error) {
    // The agent is still making the file.
    return [String(error)];
  }
}

it('places that cannot be read stop it before it opens its log', async () => {
  const home = tempFolder();
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ file: join(home, 'none.ndjson'), format: 'json' }],
    log: { path: join(home, 'events.db') },
    mqtt: { url: 'mqtt://127.0.0.1:9' },
    places: join(home, 'places.json'),
  });
  const running = runAgent(config, { openLink: openMqttLink, logger, version: '1' }, new AbortController().signal);
  await expect(running).rejects.toMatchObject({ code: 'PLACES_UNREADABLE' });
  expect(readdirSync(home)).toEqual([]);
});

it('that another program holds the log is told once, and that it does no more', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const disk: DiskHealth = { state: 'ok', walBytes: 0, walHeld: false };
  const seen = [20e6, 30e6, 1e6, 1e6].map((walBytes) => ({ state: 'ok', walBytes, walHeld: walBytes > 16e6 }) as const);
  const trim = async () => ({ deleted: 0, lost: 0, disk: seen.shift() ?? disk });
  const told: { readonly msg: string }[] = [];
  const stop = new AbortController();
  const listening = pino({}, { write: (line) => void told.push(JSON.parse(line)) });
  const clock = { wallNow: () => 0 };
  const done = runTrim({ log: { trim }, clock, disk, logger: listening, moved: () => undefined }, stop.signal);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(disk).toEqual({ state: 'ok', walBytes: 20e6, walHeld: true });
  await vi.advanceTimersByTimeAsync(180_000);
  expect(told.map(({ msg }) => msg)).toEqual([
    expect.stringContaining('another program reads the log without an end'),
    'nobody holds the log any more',
  ]);
  stop.abort();
  await done;
});
