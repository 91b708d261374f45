/** The tier before a release: a whole machine by QEMU, with Debian's kernel, a USB socket, a clock that stands wrong and a power cord. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { tryArm64 } from './arm64.ts';
import { type Checks, inFolder } from './checks.ts';
import { type ClockParts, tryClock } from './clock.ts';
import { type Lane, tryControl, tryCuts } from './cuts.ts';
import { makeRoot } from './debian.ts';
import { AGENT, tryDevice } from './device.ts';
import { makeDisk } from './disk.ts';
import { startGuest } from './guest.ts';
import { makeKernel } from './kernel.ts';
import { type Outside, openOutside } from './outside.ts';

/** With systemd 257, which hands services a socket to it. */
const SUITE = 'trixie';
const CONTROL_CUTS = 3;

/** Where one boots, the other waits for its events; more would wait for a processor. */
const LANES = ['a', 'b'];

export interface ReleaseOptions {
  readonly deb: string;
  /** The package for arm64, where its part is tried. */
  readonly arm64: string | null;
  readonly cache: string;
  readonly cuts: number;
  readonly only: readonly string[];
}

export function tryRelease(checks: Checks, options: ReleaseOptions): Promise<void> {
  return inFolder('/var/tmp/collard-release-', (folder) => all(checks, options, folder));
}

async function all(checks: Checks, options: ReleaseOptions, folder: string): Promise<void> {
  const { deb, cache, cuts, only } = options;
  const has = (part: string) => only.length === 0 || only.includes(part);
  if (['device', 'clock', 'cuts'].some(has)) {
    const [kernel, disk] = [await makeKernel(cache), join(folder, 'disk')];
    makeDisk({ root: await makeRoot(SUITE, cache), kernels: [kernel], disk, deb });
    // Before the others have written to it.
    const lanes = LANES.map((lane) => copyOf(disk, lane));
    const controls = copyOf(disk, 'control');
    if (has('device')) await apart((outside) => device({ checks, kernel, disk, outside }));
    if (has('clock')) await apart((outside) => tryClock({ checks, kernel, disk, outside }));
    if (has('cuts')) {
      await sideBySide(lanes, (each) => tryCuts({ checks, kernel, lanes: each, cuts }));
      await sideBySide([controls], (each) =>
        tryControl({ checks, kernel, lanes: each, cuts: Math.min(cuts, CONTROL_CUTS) }),
      );
    }
  }
  if (has('arm64') && options.arm64 !== null) await arm64(checks, options.arm64, cache, join(folder, 'arm64'));
}

function copyOf(disk: string, name: string): string {
  execFileSync('cp', ['--sparse=always', disk, `${disk}-${name}`]);
  return `${disk}-${name}`;
}

async function arm64(checks: Checks, deb: string, cache: string, disk: string): Promise<void> {
  const kernels = [await makeKernel(cache, 'arm64'), await makeKernel(cache, 'arm64-16k')] as const;
  const root = await makeRoot(SUITE, cache, 'arm64');
  makeDisk({ root, kernels, disk, deb, isInstalled: false });
  await apart((outside) => tryArm64({ checks, kernels, disk, outside }));
}

async function sideBySide(disks: readonly string[], work: (lanes: Lane[]) => Promise<void>): Promise<void> {
  const outsides: Outside[] = [];
  try {
    for (const _ of disks) outsides.push(await openOutside(AGENT));
    await work(disks.map((disk, at) => ({ disk, outside: outsides[at] as Outside })));
  } finally {
    await Promise.all(outsides.map((outside) => outside.stop()));
  }
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
      await guest.until('systemd runs', 'systemctl is-system-running', (out) => /running|degraded/.test(out), 900_000);
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
