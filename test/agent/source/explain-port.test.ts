import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { explainPort, lookAtPort, SYSTEM } from '../../../src/agent/source/explain-port.ts';
import { openPty } from '../../../src/simulator/pty.ts';

const PID = 4_194_300;

/** A /proc in which program `radio` has a lock on that inode of that device. */
async function explained(device: string, ino: number): Promise<string> {
  const proc = mkdtempSync(join(tmpdir(), 'collard-proc-'));
  try {
    mkdirSync(join(proc, String(PID)));
    writeFileSync(join(proc, String(PID), 'comm'), 'radio\n');
    writeFileSync(join(proc, 'locks'), `1: FLOCK  ADVISORY  WRITE ${PID} ${device}:${ino} 0 EOF\n`);
    return await explainPort('/dev/full', 'busy', { ...SYSTEM, proc });
  } finally {
    rmSync(proc, { recursive: true, force: true });
  }
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
  const { dev, ino } = statSync('/dev/full');
  const hex = (part: number) => part.toString(16).padStart(2, '0');
  const own = `${hex((dev >>> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >>> 12) & 0xfff00))}`;
  expect(await explained(own, ino)).toBe(`/dev/full is held by radio (pid ${PID}): stop it`);
  expect(await explained('fe:1f', ino)).toBe('/dev/full: busy');
  expect(await explained(own, ino + 1)).toBe('/dev/full: busy');
});

test('what is wrong with a port comes apart: reason, fix and holder; nothing where nothing is', async () => {
  expect(await lookAtPort('/dev/full')).toBeNull();
  const missing = await lookAtPort('/dev/ttyNONE0');
  expect(missing).toMatchObject({ reason: '/dev/ttyNONE0 is not there', holder: null });
  expect(missing?.fix).toMatch(/^plug/);
});
