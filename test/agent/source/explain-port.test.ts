import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { explainPort, lookAtPort, SYSTEM } from '../../../src/agent/source/explain-port.ts';
import { openPty } from '../../../src/simulator/pty.ts';

const PID = 4_194_300;

/** A /proc in which a program has a lock on that inode of that device. */
async function explained(device: string, ino: number, comm = 'radio', words: string[] = ['radio']): Promise<string> {
  const proc = mkdtempSync(join(tmpdir(), 'collard-proc-'));
  try {
    mkdirSync(join(proc, String(PID)));
    writeFileSync(join(proc, String(PID), 'comm'), `${comm}\n`);
    writeFileSync(join(proc, String(PID), 'cmdline'), words.map((word) => `${word}\0`).join(''));
    writeFileSync(join(proc, 'locks'), `1: FLOCK  ADVISORY  WRITE ${PID} ${device}:${ino} 0 EOF\n`);
    return await explainPort('/dev/full', 'busy', { ...SYSTEM, proc });
  } finally {
    rmSync(proc, { recursive: true, force: true });
  }
}

function fullDevice(): { own: string; ino: number } {
  const { dev, ino } = statSync('/dev/full');
  const hex = (part: number) => part.toString(16).padStart(2, '0');
  return { own: `${hex((dev >>> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >>> 12) & 0xfff00))}`, ino };
}

test('a port that this user may not open is told with the group that may', async () => {
  const denied = { ...SYSTEM, mayOpen: async () => false };
  expect(await explainPort('/dev/full', 'EACCES', denied)).toBe(
    "no permission for /dev/full: it is root's alone, and needs a udev rule that gives it a group",
  );
  const pty = openPty();
  // Ours by right only where root made it.
  if (statSync(pty.path).gid === 0) chownSync(pty.path, 0, 20);
  const home = mkdtempSync(join(tmpdir(), 'collard-groups-'));
  writeFileSync(join(home, 'group'), `root:x:0:\ndialers:x:${statSync(pty.path).gid}:\n`);
  const text = await explainPort(pty.path, 'EACCES', { ...denied, groups: join(home, 'group') });
  await pty.close();
  rmSync(home, { recursive: true, force: true });
  expect(text).toMatch(/^no permission for \/dev\/pts\/\d+: sudo usermod -aG dialers \S+, then log in again$/);
});

test('who holds a port is told by its lock, not by one on another file system with that inode', async () => {
  const { own, ino } = fullDevice();
  expect(await explained(own, ino)).toBe(`/dev/full is held by radio (pid ${PID}): stop it`);
  expect(await explained('fe:1f', ino)).toBe('/dev/full: busy');
  expect(await explained(own, ino + 1)).toBe('/dev/full: busy');
});

test.each([
  [
    'MainThread',
    ['/opt/node/bin/node', '/usr/lib/collard/dist/cli/bin.js', 'agent', '--config', 'a.yaml'],
    'collard agent',
  ],
  ['MainThread', ['node', '/usr/bin/collard'], 'collard'],
  ['MainThread', ['node', '--no-warnings', '/home/me/zigbee2mqtt/index.js', 'SECRET'], 'node zigbee2mqtt/index.js'],
  ['python3', ['/usr/bin/python3.11', '-m', 'serial.tools.miniterm'], 'python3.11'],
  ['MainThread', ['node', '-e', 'login("SECRET")'], 'node'],
  ['MainThread', ['npm start'], 'npm start'],
  ['MainThread', [], 'another program'],
  ['minicom', ['minicom', '-D', '/dev/ttyUSB0'], 'minicom'],
])('a holder of which the system says %s and the line %j is %s', async (comm, words, program) => {
  const { own, ino } = fullDevice();
  expect(await explained(own, ino, comm, words)).toBe(`/dev/full is held by ${program} (pid ${PID}): stop it`);
});

test('what is wrong with a port comes apart: reason, fix and holder; nothing where nothing is', async () => {
  expect(await lookAtPort('/dev/full')).toBeNull();
  const missing = await lookAtPort('/dev/ttyNONE0');
  expect(missing).toMatchObject({ reason: '/dev/ttyNONE0 is not there', holder: null });
  expect(missing?.fix).toMatch(/^plug/);
});
