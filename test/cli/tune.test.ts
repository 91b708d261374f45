/** `collard tune` as a person runs it: on a real terminal beside a real agent with a simulated collar, and over the agent's socket. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import type { Reading } from '../../src/agent/decoder/reading.ts';
import { openPty } from '../../src/simulator/pty.ts';
import { accelerated } from '../agent/detector/motion.ts';
import { live } from '../agent/kept/live.ts';
import { collard } from './run.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
const SLOW = { timeout: 60_000, interval: 100 };

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-tune-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

function configIn(home: string, serial = '/dev/x'): string {
  const path = join(home, 'agent.yaml');
  const lines = [
    'agent: porch',
    `sources: [{ serial: ${serial}, format: frame }]`,
    `log: { path: ${join(home, 'events.db')} }`,
    'mqtt: { url: "mqtt://127.0.0.1:1" }',
  ];
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

function start(args: readonly string[], stdio: 'ignore' | 'pipe' | number): ChildProcess {
  const env = { PATH: process.env.PATH ?? '', NO_COLOR: '1', TERM: 'xterm' };
  const child = spawn(process.execPath, [BIN, ...args], {
    env,
    stdio: [stdio, stdio, stdio === 'pipe' ? 'ignore' : stdio],
  });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  return child;
}

/** A terminal, and what is on it: the last screen that was drawn. */
function openScreen() {
  const pty = openPty();
  const slave = openSync(pty.path, 'r+');
  let text = '';
  const master = new ReadStream(pty.fd);
  // The other side has gone.
  master.on('error', () => undefined);
  master.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  onTestFinished(() => void master.destroy());
  return {
    slave,
    all: () => text,
    screen: () => text.split('\u001b[H').at(-1) ?? '',
    press: (key: string) => pty.write(Buffer.from(key)),
  };
}

test('on a terminal it shows level, certainty and meows of a collar beside its agent, and leaves the terminal as it was', {
  timeout: 180_000,
}, async () => {
  const home = tempFolder();
  const port = openPty();
  onTestFinished(() => port.close());
  const config = configIn(home, port.path);
  const simulator = start(['simulate', '--collars', '1', '--rate', '50', '--seconds', '0', '--realtime'], 'pipe');
  simulator.stdout?.on('data', (bytes: Buffer) => void port.write(bytes));
  const agent = start(['agent', '--config', config, '--log-level', 'error'], 'ignore');
  const socket = join(home, 'events.db.live');
  await expect.poll(() => existsSync(socket), SLOW).toBe(true);
  await expect.poll(() => statSync(socket).mode & 0o777, SLOW).toBe(0o600);
  const terminal = openScreen();
  const tune = start(['tune', '--collar', 'C0FFEE01', '--config', config], terminal.slave);
  const ended = once(tune, 'close');
  await expect.poll(terminal.screen, SLOW).toMatch(/level \d\.\d\d {3}sure -?\d\.\d {3}\d\d\.\d Hz/);
  expect(terminal.screen()).toContain('C0FFEE01 by porch   sensitivity 1 ');
  expect(terminal.screen()).toMatch(/┄/);
  await expect.poll(terminal.screen, { ...SLOW, timeout: 120_000 }).toMatch(/[1-9]\d* meows?[\s\S]*meow.*█/);
  await terminal.press('+');
  await expect.poll(terminal.screen, SLOW).toContain('sensitivity 1.25');
  await terminal.press('w');
  await expect.poll(terminal.screen, SLOW).toMatch(/Let the collar lie still: [1-5] s/);
  expect(terminal.screen().split('\r\n').length).toBeLessThanOrEqual(24);
  await terminal.press('q');
  expect(await ended).toEqual([0, null]);
  expect(terminal.all().endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  agent.kill('SIGTERM');
  await once(agent, 'close');
  expect(existsSync(socket)).toBe(false);
});

/** An agent that says these readings to who asks for their collar. */
async function fakeAgent(home: string, readings: readonly Reading[], asked: string[] = []): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').once('data', (line: string) => {
      asked.push(line);
      const lines = [{ live: 1, agent: 'porch', collar: 'C0FFEE01' }, ...readings].map(
        (one) => `${JSON.stringify(one)}\n`,
      );
      socket.write(lines.join(''));
    });
  });
  server.listen(join(home, 'events.db.live'));
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return configIn(home);
}

/** Five seconds of rest, then so many shakes. */
function story(shakes: number, amplitudeG = 1.5, restG = 1): Reading[] {
  const motions = Array.from({ length: shakes }, (_, i) => ({
    fromMs: 6_500 + 3_000 * i,
    forMs: 900,
    hz: 5,
    amplitudeG,
  }));
  return accelerated(motions, 12_000 + 3_000 * shakes, 50, 'C0FFEE01', restG);
}

test('the wizard proposes a sensitivity, and tells what it would have made of what is kept', async () => {
  const home = tempFolder();
  const asked: string[] = [];
  const config = await fakeAgent(home, story(10), asked);
  const walks = Array.from({ length: 20 }, (_, i) => ({
    fromMs: 3_000 + 4_000 * i,
    forMs: 900,
    hz: 5,
    amplitudeG: 0.5,
  }));
  await live(join(home, 'kept'), accelerated(walks, 90_000), agentSchema.shape.detect.parse({}));
  const { status, stdout, stderr } = await collard([
    'tune',
    '--collar',
    'C0FFEE01',
    '--config',
    config,
    '--wizard',
    '--json',
  ]);
  expect([status, stderr]).toEqual([0, '']);
  expect(asked).toEqual(['{"collar":"C0FFEE01"}\n']);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.filter(({ type }) => type === 'meow.ended')).toHaveLength(10);
  const told = lines.at(-1) as {
    sensitivity: number;
    trials: { sensitivity: number; found: number; perHour: number | null }[];
  };
  expect(told).toMatchObject({
    type: 'proposal',
    collar: 'C0FFEE01',
    made: 10,
    best: 10,
    keptHours: expect.closeTo(0.025, 2),
  });
  const chosen = told.trials.find(({ sensitivity }) => sensitivity === told.sensitivity);
  const most = told.trials.find(({ sensitivity }) => sensitivity === 5);
  expect(chosen).toMatchObject({ found: 10 });
  // The walks are found by the most sensitive only, and so it is not the one.
  expect(chosen?.perHour).toBe(0);
  expect(most?.found !== 10 || (most.perHour ?? 0) > 100).toBe(true);
});

test('for people it is a table, and lines for the configuration', async () => {
  const home = tempFolder();
  const config = await fakeAgent(home, story(10));
  const { status, stdout } = await collard(['tune', '--collar', 'C0FFEE01', '--config', config, '--wizard']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^1 \* +10 of 10 +0 +-$/m);
  expect(stdout).toContain('No readings are kept');
  expect(stdout).toMatch(/detect:\n {2}shake:\n {4}sensitivity: 1\n$/);
});

test('too few shakes are no base, whoever ends it', async () => {
  const home = tempFolder();
  // It goes on until three minutes are over.
  const config = await fakeAgent(home, [...story(4), ...accelerated([], 200_000).filter(({ atMs }) => atMs > 30_000)]);
  const { status, stdout } = await collard(['tune', '--collar', 'C0FFEE01', '--config', config, '--wizard']);
  expect(status).toBe(1);
  expect(stdout).toContain('At most 4 of 10 were found: no setting fits.');
});

test('what is wrong is told: the unit, the rate, a collar that restarts', async () => {
  const home = tempFolder();
  const slow = accelerated([], 20_000, 12.5, 'C0FFEE01', 9.81).map((one, i) => ({
    ...one,
    counter: i < 100 ? 9_000 + i : i,
  }));
  const config = await fakeAgent(home, slow);
  const tune = start(['tune', '--collar', 'C0FFEE01', '--config', config], 'pipe');
  let told = '';
  tune.stdout?.setEncoding('utf8').on('data', (more: string) => {
    told += more;
  });
  const wanted = [
    '! at rest it weighs 9.81 g, not 1: set unit: m/s2 for its source',
    '! 12.5 readings a second: a shake needs 25 and more',
    '! its counter has begun again once: the collar restarts',
  ];
  await expect.poll(() => wanted.filter((line) => told.includes(line)), SLOW).toEqual(wanted);
  tune.kill('SIGTERM');
  expect(await once(tune, 'close')).toEqual([0, null]);
});

test('without an agent it says so, and how to go on', async () => {
  const config = configIn(tempFolder());
  const { status, stdout, stderr } = await collard(['tune', '--collar', 'A', '--config', config]);
  expect([status, stdout]).toEqual([69, '']);
  expect(stderr).toMatch(/no agent runs there: .*events\.db\.live[\s\S]*fix: .*--port/);
});

test('of nobody nothing can be heard', async () => {
  const { status, stderr } = await collard(['tune', '--collar', 'A']);
  expect(status).toBe(64);
  expect(stderr).toContain('--config agent.yaml, or --port');
});
