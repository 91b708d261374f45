import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { openServiceManager } from '../../src/cli/systemd.ts';
import { requireServer, socatPath, until } from '../servers.ts';
import { listen } from './notify-socket.ts';

describe.skipIf(!requireServer('socat', socatPath))('a service manager', () => {
  it.each(['UNIX-RECV', 'ABSTRACT-RECV'] as const)('is told over its socket (%s)', async (kind) => {
    const { address, heard } = await listen(kind);
    const manager = await openServiceManager({ NOTIFY_SOCKET: address, WATCHDOG_USEC: '30000000' });
    expect(manager.watchdogMs).toBe(30_000);
    manager.notify({ READY: '1', STATUS: 'two\nlines' });
    manager.notify({ WATCHDOG: '1' });
    await until('both came', () => heard().includes('WATCHDOG'));
    expect(heard()).toBe('READY=1\nSTATUS=two lines\nWATCHDOG=1\n');
  });

  it('that is gone is an error with its address', async () => {
    const manager = await openServiceManager({ NOTIFY_SOCKET: '/nowhere/notify' });
    expect(() => manager.notify({ READY: '1' })).toThrow(/\/nowhere\/notify was not told/);
  });
});

it('is told through the descriptor that systemd passes', async () => {
  const script = `
    const { openServiceManager } = await import(${JSON.stringify(new URL('../../src/cli/systemd.ts', import.meta.url).href)});
    const env = { NOTIFY_SOCKET: '/nowhere', LISTEN_PID: String(process.pid), LISTEN_FDNAMES: 'other:notify' };
    (await openServiceManager(env)).notify({ READY: '1' });
    const stranger = await openServiceManager({ ...env, LISTEN_PID: '1', WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' });
    try { stranger.notify({ READY: '1' }); } catch (error) { console.log(error.code, stranger.watchdogMs); }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit', 'ignore', 'pipe'],
  });
  const texts = ['', ''];
  child.stdout?.on('data', (part) => {
    texts[0] += part;
  });
  child.stdio[4]?.on('data', (part) => {
    texts[1] += part;
  });
  await once(child, 'close');
  expect(texts).toEqual(['NOTIFY null\n', 'READY=1\n']);
});

it('nobody is told where nobody listens', async () => {
  const manager = await openServiceManager({ WATCHDOG_USEC: '1000000' });
  expect(manager.watchdogMs).toBeNull();
  manager.notify({ READY: '1' });
});
