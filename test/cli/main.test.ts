import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { collard } from './run.ts';

const COMMANDS =
  'demo agent central simulate detect events export stats state cat retention verify config ports doctor'.split(' ');

test('the help lists every command with one line', async () => {
  const { status, stdout, stderr } = await collard(['--help']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} +[a-z]`, 'm'));
  expect(stdout).not.toContain('\u001b');
});

test.each(COMMANDS)('%s has a help of its own', async (command) => {
  const { status, stdout } = await collard([command, '--help']);
  expect(status).toBe(0);
  expect(stdout).toContain(`collard ${command}`);
});

test('the version is that of the package', async () => {
  expect((await collard(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each([
  [['agnt'], 'Did you mean agent?'],
  [['config', 'chek'], 'Did you mean check?'],
  [['ports', '--jsn'], 'Did you mean --json?'],
  [['config', 'check'], "missing required argument 'file'"],
  [['doctor', 'extra'], 'too many arguments'],
])('%j is an error of usage', async (args, message) => {
  const { status, stdout, stderr } = await collard(args);
  expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
  expect(stderr).toContain(message);
  expect(stderr).toContain('--help tells more');
});

test('without a command it shows the help on stderr and exits with 64', async () => {
  const { status, stdout, stderr } = await collard([]);
  expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
  expect(stderr).toContain('Usage: collard');
});

test('a missing configuration names the fix', async () => {
  const { status, stderr } = await collard(['config', 'check', '/nowhere/agent.yaml']);
  expect(status).toBe(78);
  expect(stderr).toBe(
    [
      '/nowhere/agent.yaml  cannot be read: there is no such file',
      'fix: name the file with --config, or make one: collard config show --example agent > agent.yaml (or central)',
      '',
    ].join('\n'),
  );
});

test('stack traces come with --debug only', async () => {
  const args = ['config', 'check', '/nowhere/agent.yaml'];
  expect((await collard(args)).stderr).not.toContain('at loadConfig');
  expect((await collard(['--debug', ...args])).stderr).toContain('at loadConfig');
  expect((await collard(args, { COLLARD_DEBUG: '1' })).stderr).toContain('at loadConfig');
});

test.skipIf(!existsSync('/dev/full'))('a full disk behind stdout is an error of I/O', async () => {
  const bin = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [bin, 'config', 'show', '--example', 'agent'], {
    stdio: ['ignore', full, 'pipe'],
  });
  closeSync(full);
  if (child.stderr === null) throw new Error('no pipe');
  const [told, [status]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect(status).toBe(74);
  expect(told).toContain('cannot write to stdout');
});

test('a reader that goes away ends the program quietly', async () => {
  const bin = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
  const child = spawn(process.execPath, [bin, 'config', 'show', '--example', 'agent'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  const told: string[] = [];
  child.stderr.on('data', (bytes) => told.push(String(bytes)));
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(told).toEqual([]);
});
