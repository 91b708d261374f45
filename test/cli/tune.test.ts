/** `collard tune` as a person runs it: on a real terminal beside a real agent with a simulated collar, and over the agent's socket. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import type { Reading } from '../../src/agent/decoder/reading.ts';
import { weighByKept } from '../../src/cli/tune-kept.ts';
import { openPty } from '../../src/simulator/pty.ts';
import { accelerated } from '../agent/detector/motion.ts';
import { live, WALL } from '../agent/kept/live.ts';
import { BARE_ENV, collard } from './run.ts';
import { COLLAR, QUICK, SLOW, shakenAcceleration, shakenReadings, shakesIn } from './shaken.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
const PATIENT = { timeout: 60_000, interval: 100 };

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
  const env = { ...BARE_ENV, NO_COLOR: '1', TERM: 'xterm' };
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
  await expect.poll(() => existsSync(socket), PATIENT).toBe(true);
  await expect.poll(() => statSync(socket).mode & 0o777, PATIENT).toBe(0o600);
  const terminal = openScreen();
  const tune = start(['tune', '--collar', 'C0FFEE01', '--config', config], terminal.slave);
  const ended = once(tune, 'close');
  await expect.poll(terminal.screen, PATIENT).toMatch(/level \d\.\d\d {3}sure -?\d\.\d {3}\d\d\.\d Hz/);
  expect(terminal.screen()).toContain('C0FFEE01 by porch   sensitivity 1 ');
  expect(terminal.screen()).toMatch(/┄/);
  await expect.poll(terminal.screen, { ...PATIENT, timeout: 120_000 }).toMatch(/[1-9]\d* meows?[\s\S]*meow.*█/);
  await terminal.press('+');
  await expect.poll(terminal.screen, PATIENT).toContain('sensitivity 1.25');
  await terminal.press('w');
  await expect.poll(terminal.screen, PATIENT).toMatch(/Let the collar lie still: [1-5] s/);
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

const detect = agentSchema.shape.detect.parse({});

interface Told {
  readonly changes: { readonly [knob: string]: number };
  readonly found: number;
  readonly inPieces: number;
  readonly besides: number;
  readonly perHour: number | null;
}

/** Runs the wizard to its end: what it says at last, and all meows on the way. */
async function wizard(config: string, ...more: string[]) {
  const command = ['tune', '--collar', COLLAR, '--config', config, '--wizard', '--json', ...more];
  const { status, stdout, stderr } = await collard(command);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const last = lines.at(-1) as { readonly now: Told; readonly proposed: Told | null; readonly trials: readonly Told[] };
  return { status, stderr, lines, last };
}

test('what finds all ten stays, and is weighed by what is kept beside what would do as well', async () => {
  const home = tempFolder();
  const asked: string[] = [];
  const config = await fakeAgent(home, shakenAcceleration(QUICK), asked);
  const walks = Array.from({ length: 20 }, (_, i) => ({
    fromMs: 3_000 + 4_000 * i,
    forMs: 900,
    hz: 5,
    amplitudeG: 0.5,
  }));
  await live(join(home, 'kept'), accelerated(walks, 90_000), detect);
  const { status, stderr, lines, last } = await wizard(config);
  expect([status, stderr]).toEqual([0, '']);
  expect(asked).toEqual(['{"collar":"C0FFEE01"}\n']);
  expect(lines.filter(({ type }) => type === 'meow.ended')).toHaveLength(10);
  expect(last).toMatchObject({
    ...{ type: 'proposal', collar: COLLAR, measure: 'acceleration', made: 10, seen: 10, fits: true, untried: 0 },
    ...{ keptHours: expect.closeTo(0.025, 2), proposed: null, settings: null },
    now: { changes: {}, found: 10, inPieces: 0, joined: 0, besides: 0, perHour: 0 },
  });
  const perHour = last.trials.map((one) => one.perHour ?? 0);
  // The walks are meows to more sensitive ones.
  expect([Math.min(...perHour), Math.max(...perHour) > 100]).toEqual([0, true]);
});

test('what finds all ten and half of the world besides is proposed to be less sensitive', async () => {
  const home = tempFolder();
  const config = await fakeAgent(home, shakenAcceleration(QUICK, 3));
  const play = Array.from({ length: 20 }, (_, i) => ({
    fromMs: 3_000 + 4_000 * i,
    forMs: 900,
    hz: 5,
    amplitudeG: 0.9,
  }));
  await live(join(home, 'kept'), accelerated(play, 90_000), detect);
  const { status, last } = await wizard(config);
  expect(status).toBe(0);
  expect(last.now).toMatchObject({ found: 10, perHour: expect.closeTo(800, -2) });
  expect(last.proposed).toMatchObject({ found: 10, inPieces: 0, perHour: 0 });
  expect(last.proposed?.changes.sensitivity).toBeLessThan(1);
});

const slowly = shakenReadings(SLOW, 2_000, (passedMs) => ({ shake: passedMs === undefined ? 0.03 : 0.8 }));

test('of a collar that sends each two seconds each shake is in pieces; what is proposed can be pasted, and then it fits', async () => {
  const home = tempFolder();
  const config = await fakeAgent(home, slowly);
  await live(join(home, 'kept'), slowly, detect);
  const { status, stdout, stderr } = await collard(['tune', '--collar', COLLAR, '--config', config, '--wizard']);
  expect([status, stderr]).toEqual([0, 'looking through what is kept …\n']);
  expect(stdout).toContain('10 shakes were seen, by levels, a reading each 2.0 s.');
  const [, before = '', after = ''] = /^as it is +(.*)\nproposed +(.*)$/m.exec(stdout) ?? [];
  const [ofBefore, ofAfter] = [before.split(/ {2,}/), after.split(/ {2,}/)];
  expect(ofBefore.slice(0, -1)).toEqual(['10 of 10', '10', '0', '0']);
  expect(ofAfter.slice(0, -1)).toEqual(['10 of 10', '0', '0', '0']);
  expect(Number(ofBefore.at(-1)) / Number(ofAfter.at(-1))).toBeCloseTo(2, 1);
  expect(stdout).toMatch(/^quietMs: 4000 instead of 700$/m);
  expect(stdout).toMatch(/^Kept of it are 2\.\d min besides these shakes\./m);
  const [snippet = ''] = /^detect:\n[\s\S]*$/m.exec(stdout) ?? [];
  expect(snippet).toBe('detect:\n  shake:\n    collars:\n      "C0FFEE01": { quietMs: 4000 }\n');
  appendFileSync(config, snippet);
  const { last } = await wizard(config);
  expect(last).toMatchObject({ proposed: null, now: { found: 10, inPieces: 0 } });
});

test('shakes that the agent kept of the wizard itself are no false alarms', async () => {
  const home = tempFolder();
  await live(join(home, 'kept'), slowly, detect);
  const weigh = (span: { fromMs: number; toMs: number }) =>
    weighByKept({ folder: join(home, 'kept'), settings: detect }, COLLAR, [{}, { quietMs: 4_000 }], 4_000, span);
  const whole = await weigh({ fromMs: 0, toMs: 0 });
  expect(whole.hours).toBeCloseTo((slowly.at(-1)?.atMs ?? 0) / 3_600_000, 3);
  expect(whole.perHour.map((one) => Math.round((one ?? 0) * whole.hours))).toEqual([20, 10]);
  // Nobody wins by joining them alone.
  expect(whole.spellsPerHour.map((one) => Math.round((one ?? 0) * whole.hours))).toEqual([10, 10]);
  const [, second] = shakesIn(SLOW);
  const rest = await weigh({ fromMs: WALL, toMs: WALL + (second?.toMs ?? 0) });
  expect(rest.perHour.map((one) => Math.round((one ?? 0) * rest.hours))).toEqual([16, 8]);
  expect(rest.hours).toBeLessThan(whole.hours);
  expect(await weigh({ fromMs: 0, toMs: 9e15 })).toEqual({
    perHour: [null, null],
    spellsPerHour: [null, null],
    hours: 0,
  });
});

test('without kept readings it says so, and which settings fit', async () => {
  const home = tempFolder();
  const config = await fakeAgent(home, shakenAcceleration(QUICK, 0.35));
  const { status, stdout } = await collard(['tune', '--collar', COLLAR, '--config', config, '--wizard']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^as it is +0 of 10 +0 +0 +0 +-\nproposed +10 of 10 +0 +0 +0 +-$/m);
  expect(stdout).toContain('No readings are kept, so false alarms cannot be told');
  expect(stdout).toMatch(/ {6}"C0FFEE01": \{ sensitivity: [\d.]+ \}\n$/);
});

test('of readings that are kept from now on, or that cannot be read, the wizard says so', async () => {
  const home = tempFolder();
  const config = await fakeAgent(home, slowly);
  appendFileSync(config, 'readings: { keep: 1h }\n');
  const args = ['tune', '--collar', COLLAR, '--config', config, '--wizard'];
  const fresh = await collard(args);
  expect([fresh.status, fresh.stderr]).toEqual([0, '']);
  expect(fresh.stdout).toContain('Nothing of this collar is kept yet');
  writeFileSync(join(home, 'kept'), 'no folder');
  const broken = await collard(args);
  expect(broken.status).toBe(0);
  expect(broken.stderr).toContain('cannot read kept readings in');
  expect(broken.stdout).toContain('What is kept cannot be read');
  expect(broken.stdout).toContain('"C0FFEE01": { quietMs: 4000 }');
});

test('too few shakes are no base, whoever ends it', async () => {
  const home = tempFolder();
  // It goes on until three minutes are over.
  const still = accelerated([], 200_000, 50, COLLAR, 1).filter(({ atMs }) => atMs > 30_000);
  const config = await fakeAgent(home, [...shakenAcceleration({ ...QUICK, times: 4 }), ...still]);
  const { status, stdout } = await collard(['tune', '--collar', COLLAR, '--config', config, '--wizard']);
  expect(status).toBe(1);
  expect(stdout).toContain('Only 4 of 10 can be told apart: too few to go by.');
  expect(stdout).not.toContain('proposed');
});

test('acceleration that comes too seldom shows no shake, and that is what is said', async () => {
  const home = tempFolder();
  const slow = shakenAcceleration({ ...QUICK, times: 12 }, 2, 4);
  const still = accelerated([], 260_000, 4, COLLAR, 1).filter(({ atMs }) => atMs > (slow.at(-1)?.atMs ?? 0));
  const config = await fakeAgent(home, [...slow, ...still]);
  const { status, stdout } = await collard(['tune', '--collar', COLLAR, '--config', config, '--wizard']);
  expect(status).toBe(1);
  expect(stdout).toMatch(/^At most \d of 10 were found: no setting fits\.$/m);
  expect(stdout).toContain('Acceleration of 4.0 readings a second shows no shake: it needs 25.');
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
  await expect.poll(() => wanted.filter((line) => told.includes(line)), PATIENT).toEqual(wanted);
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
