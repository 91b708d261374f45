import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { centralSchema } from '../../src/central/config.ts';
import { runCentral } from '../../src/central/service.ts';
import { agentText, centralText } from '../../src/cli/status-text.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { openPty } from '../../src/simulator/pty.ts';
import { freePort, startAedes, until } from '../servers.ts';
import { collard } from './run.ts';
import { openTerminal } from './terminal.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'collard-status-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));

describe('in words', () => {
  const nowMs = Date.parse('2026-11-26T12:00:00Z');
  const health = {
    version: '1',
    simulated: false,
    epoch: 'e',
    lastSeq: 120,
    storedSeq: 100,
    queue: 20,
    oldestUnstored: '2026-11-26T11:00:00Z',
    lastConfirmed: '2026-11-26T11:59:10Z',
    stalled: true,
    conflicting: false,
    oversize: 0,
    lastError: 'broker is \u001b[31m away',
    logBytes: 5e6,
    disk: 'ok',
    walBytes: 0,
    diskFreeBytes: 9e9,
    rssBytes: 80e6,
    clock: 'unsynced',
    protocol: '5',
    sources: [
      {
        source: '/dev/a',
        state: 'open',
        reason: null,
        readings: 10,
        discarded: { noise: 2, 'bad-crc': 1 },
        lostSamples: 0,
        lastReading: '2026-11-26T11:59:59Z',
      },
      {
        source: '/dev/b',
        state: 'failed',
        reason: 'it is not there',
        readings: 0,
        discarded: {},
        lostSamples: 0,
        lastReading: null,
      },
    ],
    collars: [
      { collar: 'C0FFEE01', lastHeard: '2026-11-26T11:40:00Z', place: 'hall', rssiDbm: -60, batteryPercent: 80 },
    ],
  } as const;
  const loops = [
    { loop: 'ingest', idleMs: 400, limitMs: 60_000 },
    { loop: 'forward', idleMs: 400_000, limitMs: 300_000 },
  ] as const;

  test('an agent: what stands still and what waits is said, and no text of a stranger reaches the terminal as it is', () => {
    const text = agentText({ state: 'running', agent: 'porch', link: 'connecting', loops, health }, () => 50, nowMs);
    expect(text).toContain('STALLED, no link to the broker, clock not set');
    expect(text).toContain('queue: 20 of 120 events, the oldest 60 min ago; last confirmed: 50 s ago');
    expect(text).not.toContain('not written');
    const held = { ...health, unwritten: 230 };
    expect(
      agentText({ state: 'running', agent: 'porch', link: 'online', loops, health: held }, () => 50, nowMs),
    ).toContain('not written yet: 230 events wait for the log');
    expect(text).toContain('loops: ingest 0 s, forward STANDS STILL');
    expect(text).toMatch(/\/dev\/a +open +50\.0 +10 +3 +1 s ago/);
    expect(text).toMatch(/C0FFEE01 +hall +-60 dBm +80 % +20 min ago/);
    expect(text).not.toContain('\u001b');
    expect(text).not.toContain('holds the log');
    const report = { state: 'running', agent: 'porch', link: 'online', loops } as const;
    const locked = { ...health, walBytes: 20e6, walHeld: true } as const;
    expect(agentText({ ...report, health: locked }, () => 50, nowMs)).toContain(
      'another program holds the log (20 MB)',
    );
  });

  test('a central: agents with what is wrong, cats with where they are', () => {
    const agents = [
      { agent: 'porch', state: 'online', lastStored: '2026-11-26T11:59:00Z', gaps: 2, conflicts: 0, health },
      { agent: 'shed', state: 'offline', lastStored: null, gaps: 0, conflicts: 0, health: null },
      {
        ...{ agent: 'attic', state: 'online', lastStored: null, gaps: 0, conflicts: 0 },
        health: { queue: 0, walHeld: true },
      },
    ];
    const cats = [
      { name: 'Mia', isMeowed: true, location: 'hall', collar: 'C0FFEE01', lastHeard: null, meowsToday: 3 },
    ];
    const text = centralText({ agents, cats }, nowMs);
    expect(text).toMatch(/porch +online +20 +0\.0 +unsynced +60 s ago +STALLED, 2 gaps/);
    expect(text).toMatch(/shed +offline +- +- +- +never +fine/);
    expect(text).toMatch(/attic +online +0 +- +- +never +log held by another program/);
    expect(text).toMatch(/Mia +SHAKING +hall +3 +C0FFEE01 +never/);
    expect(centralText({ agents: [], cats: [] }, nowMs)).toBe('no agent has been heard\n\nthere are no cats');
  });
});

test('an agent is asked as it runs, without a broker; watched on a terminal; and its log once it has gone', async () => {
  const pty = openPty();
  const writing = setInterval(
    () => void pty.write(Buffer.from('{"collar":"C0FFEE01","rssi":-50,"place":"hall","battery":5}\n')),
    50,
  );
  onTestFinished(async () => {
    clearInterval(writing);
    await pty.close();
  });
  const file = join(home, 'agent.yaml');
  const mqtt = { url: `mqtt://127.0.0.1:${await freePort()}` };
  const log = { path: join(home, 'events.db') };
  writeFileSync(file, JSON.stringify({ agent: 'porch', sources: [{ serial: pty.path }], log, mqtt }));
  expect(await collard(['status', '--config', file])).toMatchObject({
    status: 69,
    stderr: expect.stringMatching(/the agent does not run[\s\S]*fix: start it/),
  });
  const agent = spawn(process.execPath, [BIN, 'agent', '--config', file], { stdio: 'ignore' });
  onTestFinished(() => void agent.kill('SIGKILL'));
  const ask = async () => JSON.parse((await collard(['status', '--config', file, '--json'])).stdout || '{}');
  await until('it reads, and has an event', async () => (await ask()).health?.lastSeq > 0, 60_000);
  expect(await ask()).toMatchObject({
    state: 'running',
    agent: 'porch',
    loops: [{ loop: 'ingest' }, { loop: 'forward' }, { loop: 'log' }],
    health: { sources: [{ source: pty.path, state: 'open' }], collars: [{ collar: 'C0FFEE01', place: 'hall' }] },
  });
  const terminal = openTerminal(['status', '--config', file, '--watch', '--every', '0.3'], { screen: true });
  await terminal.waitFor(/agent porch .*no link to the broker/);
  await terminal.waitFor(/agent porch [\s\S]*C0FFEE01 +hall +-50 dBm/);
  agent.kill('SIGKILL');
  await once(agent, 'exit');
  await terminal.waitFor(/the agent does not run/);
  await terminal.type('\u0003');
  const gone = await collard(['status', '--config', file]);
  expect(gone.status).toBe(1);
  expect(gone.stdout).toMatch(
    /^agent porch: the agent does not run\nlog: \d+ events, the last .*; \d+ wait for central\n$/,
  );
}, 120_000);

test('a central is asked for all of its agents and cats; one that does not answer is unavailable', async () => {
  const broker = await startAedes();
  onTestFinished(() => broker.stop());
  const listening = Promise.withResolvers<string>();
  const stop = new AbortController();
  const store = { url: `sqlite:${join(home, 'central.db')}` };
  const config = centralSchema.parse({ store, mqtt: { url: broker.url }, http: { port: 0 } });
  const deps = {
    openLink: openMqttLink,
    logger: pino({ level: 'silent' }),
    version: '0',
    onListening: listening.resolve,
  };
  const done = runCentral(config, deps, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
  const url = await listening.promise;
  const { status, stdout } = await collard(['status', '--url', url, '--json']);
  expect({ status, told: JSON.parse(stdout) }).toEqual({ status: 0, told: { agents: [], cats: [] } });
  expect((await collard(['status', '--url', url])).stdout).toContain('there are no cats');
  expect((await collard(['status', '--url', `http://127.0.0.1:${await freePort()}`])).status).toBe(69);
}, 60_000);
