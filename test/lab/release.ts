/** The tier before a release: a whole machine by QEMU, with Debian's kernel, a USB socket, a clock that stands wrong and a power cord. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Checks, inFolder } from './checks.ts';
import { type ClockParts, tryClock } from './clock.ts';
import { tryControl, tryCuts } from './cuts.ts';
import { makeRoot } from './debian.ts';
import { AGENT, tryDevice } from './device.ts';
import { makeDisk } from './disk.ts';
import { startGuest } from './guest.ts';
import { makeKernel } from './kernel.ts';
import { type Outside, openOutside } from './outside.ts';

/** With systemd 257, which hands services a socket to it. */
const SUITE = 'trixie';
const CONTROL_CUTS = 3;

export interface ReleaseOptions {
  readonly deb: string;
  readonly cache: string;
  readonly cuts: number;
  readonly only: readonly string[];
}

export function tryRelease(checks: Checks, options: ReleaseOptions): Promise<void> {
  return inFolder('/var/tmp/collard-release-', (folder) => all(checks, options, folder));
}

async function all(checks: Checks, { deb, cache, cuts, only }: ReleaseOptions, folder: string): Promise<void> {
  const has = (part: string) => only.length === 0 || only.includes(part);
  const [kernel, disk] = [await makeKernel(cache), join(folder, 'disk')];
  makeDisk({ root: await makeRoot(SUITE, cache), kernel, disk, deb });
  if (has('device')) await apart((outside) => device({ checks, kernel, disk, outside }));
  if (has('clock')) await apart((outside) => tryClock({ checks, kernel, disk, outside }));
  if (!has('cuts')) return;
  const control = `${disk}-control`;
  execFileSync('cp', ['--sparse=always', disk, control]);
  await apart((outside) => tryCuts({ checks, kernel, disk, outside, cuts }));
  await apart((outside) => tryControl({ checks, kernel, disk: control, outside, cuts: Math.min(cuts, CONTROL_CUTS) }));
}

async function device({ checks, kernel, disk, outside }: ClockParts): Promise<void> {
  // Another keeps the time there: it is that of the clock of this machine.
  const guest = await startGuest({
    kernel,
    disk,
    withReceiver: false,
    append: 'systemd.mask=systemd-timesyncd.service',
  });
  try {
    await checks.check(`a machine with Debian's kernel ${kernel.version} boots`, async () => {
      await guest.until('systemd runs', 'systemctl is-system-running', (out) => /running|degraded/.test(out), 300_000);
      return (await guest.run('systemctl --version | head -1; systemd-analyze | head -1')).trim().replace('\n', ', ');
    });
    await tryDevice({ checks, guest, outside });
    await guest.run('systemctl stop collard-agent; sync');
  } finally {
    await guest.cut();
  }
}

/** With a broker and a central of its own. */
async function apart(work: (outside: Outside) => Promise<void>): Promise<void> {
  const outside = await openOutside(AGENT);
  try {
    await work(outside);
  } finally {
    await outside.stop();
  }
}
