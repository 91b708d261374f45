/** A pair of pseudo-terminals through Debian's socat: what is written to `far` is read from `path`, as from a real port. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { requireServer, socatPath } from '../../servers.ts';

/** Without socat a developer's machine skips these tests; CI must have it. */
export const skipPty = !requireServer('socat', socatPath);

export interface Pty {
  readonly path: string;
  readonly far: string;
  /** Both ends go away, as when the receiver is pulled out. */
  unplug(): Promise<void>;
}

export async function openPty(folder: string): Promise<Pty> {
  if (socatPath === null) throw new Error('socat is missing: sudo apt-get install socat');
  const path = join(folder, 'ttyA');
  const far = join(folder, 'ttyB');
  const child = spawn(socatPath, [`pty,raw,echo=0,link=${path}`, `pty,raw,echo=0,link=${far}`], { stdio: 'ignore' });
  const closed = once(child, 'close');
  const unplug = async () => {
    child.kill('SIGTERM');
    await closed;
  };
  onTestFinished(unplug);
  for (let i = 0; i < 200 && !(existsSync(path) && existsSync(far)); i += 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  return { path, far, unplug };
}
