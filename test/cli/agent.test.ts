import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openLogReader } from '../../src/agent/log/open-log-reader.ts';
import { asFailure } from '../../src/cli/serve-agent.ts';
import { openPty, skipPty } from '../agent/source/pty.ts';
import { freePort, requireServer, socatPath } from '../servers.ts';
import { listen } from './notify-socket.ts';

const bin = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));

function tempFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'collard-agent-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A configuration whose broker nobody has started. */
async function writeConfig(
  home: string,
  changes: { readonly port?: string; readonly log?: string } = {},
): Promise<string> {
  const config = join(home, 'agent.yaml');
  const { port = join(home, 'ttyA'), log = join(home, 'events.db') } = changes;
  writeFileSync(
    config,
    `agent: porch\nsources: [{ serial: ${port}, format: json }]\nlog: { path: ${log} }\n` +
      `mqtt: { url: "mqtt://127.0.0.1:${await freePort()}" }\n`,
  );
  return config;
}

function start(config: string, env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [bin, 'agent', '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const text = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text.out += part;
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    text.err += part;
  });
  const done = once(child, 'close').then(([code]) => ({ code: code as number | null, ...text }));
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return { child, text, done };
}

/** Written every 20 ms until the test is over: a shake of 8 Hz. */
function shakeInto(far: string): void {
  let t = 0;
  const timer = setInterval(() => {
    t += 20;
    const ax = 3 * Math.sin((2 * Math.PI * 8 * t) / 1_000);
    writeFileSync(far, `${JSON.stringify({ collar: 'A', ax, ay: 0, az: 1 })}\n`);
  }, 20);
  onTestFinished(() => clearInterval(timer));
}

async function typesIn(path: string): Promise<readonly string[]> {
  const reader = openLogReader(path);
  const head = reader.epochs()[0];
  const events = head === undefined ? [] : await reader.read(head.epoch, 1, head.lastSeq, 1_000, 1e9);
  reader.close();
  return events.map((event) => event.type);
}

describe('collard agent', () => {
  it.skipIf(skipPty)('logs the meows of a real port without a broker, and ends an open one at SIGTERM', async () => {
    const home = tempFolder();
    const pty = await openPty(home);
    const config = await writeConfig(home, { port: pty.path });
    const { child, text, done } = start(config);
    await expect.poll(() => text.err).toContain('source is open');
    shakeInto(pty.far);
    const log = join(home, 'events.db');
    await expect.poll(() => typesIn(log)).toContain('collard.meow.started');
    const before = performance.now();
    child.kill('SIGTERM');
    expect(await done).toMatchObject({ code: 0, out: '' });
    expect(performance.now() - before).toBeLessThan(5_000);
    expect((await typesIn(log)).at(-1)).toBe('collard.meow.ended');
  });

  it('runs on without its port, and says once what is missing and how to mend it', async () => {
    const home = tempFolder();
    const { child, text, done } = start(await writeConfig(home));
    await expect.poll(() => text.err).toContain('ttyA is not there: ');
    child.kill('SIGINT');
    const { code, err } = await done;
    expect(code).toBe(130);
    expect(err.split('is not there').length).toBe(2);
    expect(await typesIn(join(home, 'events.db'))).toEqual(['collard.sensor.failed']);
  });

  it('refuses a log that another agent writes', async () => {
    const home = tempFolder();
    const config = await writeConfig(home);
    const first = start(config);
    await expect.poll(() => first.text.err).toContain('agent is running');
    const { code, err } = await start(config).done;
    expect(code).toBe(69);
    expect(err).toContain('in use by another agent: stop that one');
  });

  it('names path and fix where the log cannot be written', async () => {
    const home = tempFolder();
    writeFileSync(join(home, 'file'), '');
    const { code, err } = await start(await writeConfig(home, { log: join(home, 'file', 'events.db') })).done;
    expect(code).toBe(74);
    expect(err).toContain(join(home, 'file'));
    expect(err).toContain('log.path');
  });

  it('refuses a configuration that is wrong', async () => {
    const home = tempFolder();
    const config = join(home, 'agent.yaml');
    writeFileSync(config, 'agent: porch\nsorces: []\n');
    const { code, err } = await start(config).done;
    expect(code).toBe(78);
    expect(err).toContain('agent.yaml:2');
  });
});

describe('how it ends', () => {
  it.each([
    ['SQLITE_IOERR_FSYNC', 74],
    ['SQLITE_FULL', 74],
    ['SQLITE_READONLY', 74],
    ['SQLITE_BUSY', 74],
    ['ENOSPC', 74],
    ['EROFS', 74],
    ['LOG_FAILED', 74],
    ['LOG_IN_USE', 69],
    ['LOG_UNSAFE', 78],
    ['PLACES_UNREADABLE', 78],
    ['PLACES_INVALID', 78],
  ])('%s is exit code %i, with the words of the part', (code, exitCode) => {
    const failure = asFailure(Object.assign(new Error('what to do'), { code }));
    expect(failure).toMatchObject({ exitCode, message: 'what to do' });
  });

  it('after a failing disk, so that systemd starts it again, and not after a configuration that is wrong', () => {
    const unit = readFileSync(new URL('../../systemd/collard-agent.service', import.meta.url), 'utf8');
    expect(unit).toMatch(/^Restart=on-failure$/m);
    const never = /^RestartPreventExitStatus=(.*)$/m.exec(unit)?.[1]?.split(' ');
    expect(never).toContain('78');
    expect(never).not.toContain('74');
  });
});

describe.skipIf(!requireServer('socat', socatPath))('collard agent as a service', () => {
  it('says when it is ready, loads a sound configuration anew at SIGHUP, and keeps to the old one otherwise', async () => {
    const home = tempFolder();
    const { address, heard } = await listen();
    const config = await writeConfig(home, { port: join(home, 'first') });
    const { child, text, done } = start(config, { NOTIFY_SOCKET: address, WATCHDOG_USEC: '6000000' });
    await expect.poll(heard).toContain('READY=1');
    await expect.poll(heard).toMatch(/STATUS=no link to the broker, .*NOT READ: .*first/);
    expect(heard()).toContain('WATCHDOG=1');

    writeFileSync(config, 'agent: 7 8\n');
    child.kill('SIGHUP');
    await expect.poll(() => text.err).toContain('not loaded anew');
    expect(heard()).not.toContain('RELOADING=1');

    await writeConfig(home, { port: join(home, 'second') });
    child.kill('SIGHUP');
    await expect.poll(heard).toMatch(/RELOADING=1\nMONOTONIC_USEC=\d+\nREADY=1/);
    await expect.poll(heard).toMatch(/NOT READ: .*second/);

    child.kill('SIGTERM');
    expect((await done).code).toBe(0);
    expect(heard()).toContain('STOPPING=1');
  });
});
