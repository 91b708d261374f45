import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { explainPort, SYSTEM } from '../../../src/agent/source/explain-port.ts';

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

test('who holds a port is told by its lock, not by one on another file system with that inode', async () => {
  const { dev, ino } = statSync('/dev/full');
  const hex = (part: number) => part.toString(16).padStart(2, '0');
  const own = `${hex((dev >>> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >>> 12) & 0xfff00))}`;
  expect(await explained(own, ino)).toBe(`/dev/full is held by radio (pid ${PID}): stop it`);
  expect(await explained('fe:1f', ino)).toBe('/dev/full: busy');
  expect(await explained(own, ino + 1)).toBe('/dev/full: busy');
});
