/** A service manager's socket, held by socat: Node.js has no datagram sockets of Unix. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { socatPath, until } from '../servers.ts';

/** A real datagram socket, and what came through it. */
export async function listen(
  kind: 'UNIX-RECV' | 'ABSTRACT-RECV' = 'UNIX-RECV',
): Promise<{ address: string; heard: () => string }> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-notify-'));
  const name = join(folder, 'notify');
  const child = spawn(socatPath ?? 'socat', ['-d', '-d', '-u', `${kind}:${name}`, 'STDOUT']);
  let text = '';
  let told = '';
  child.stdout.on('data', (part) => {
    text += part;
  });
  child.stderr.on('data', (part) => {
    told += part;
  });
  onTestFinished(async () => {
    child.kill();
    await once(child, 'close');
    rmSync(folder, { recursive: true, force: true });
  });
  await until('socat listens', () => told.includes('starting data transfer loop'));
  return { address: kind === 'UNIX-RECV' ? name : `@${name}`, heard: () => text };
}
