/** The package for a Raspberry Pi on a booted kernel of its architecture, and on one with pages of 16 KiB, as a Pi 5 has them. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Checks, expect } from './checks.ts';
import { agentYaml, agreed, configure, inSandbox, kept, mark, pace, RECEIVER, simulate } from './device.ts';
import { DOCTOR, readDoctor } from './duty.ts';
import { type Guest, startGuest } from './guest.ts';
import type { Kernel } from './kernel.ts';
import type { Outside } from './outside.ts';

/** An emulated processor on a machine that is full of other work. */
const SLOW_MS = 1_800_000;
/** Line 3 of the board's chip is its power button; no driver of keys is on the disk. */
const GPIO = `  - gpio: 9030000.pl061
    lines:
      - { line: 3, kind: motion, place: hall, collar: C0FFEE01, debounceMs: 5, mergeMs: 500 }
`;
/** The button is held for 100 ms. */
const PULSE_MS = 1_000;
const EVENTS = 30;
const PER_SECOND = 20;
/** The time there is that of this machine's clock. */
const APPEND = 'systemd.mask=systemd-timesyncd.service systemd.tpm2_wait=0';

export interface Arm64Parts {
  readonly checks: Checks;
  /** With pages of 4 KiB and of 16 KiB; the modules of both are on the disk. */
  readonly kernels: readonly [Kernel, Kernel];
  /** With the package in /opt. */
  readonly disk: string;
  readonly outside: Outside;
}

export async function tryArm64({ checks, kernels: [small, large], disk, outside }: Arm64Parts): Promise<void> {
  const first = await startGuest({ kernel: small, disk, cores: 1, append: APPEND });
  try {
    await booted(checks, first, small);
    await working(checks, first, outside);
    await busy(first, outside);
  } finally {
    await first.cut();
  }
  const second = await startGuest({ kernel: large, disk, cores: 1, append: APPEND });
  try {
    await booted(checks, second, large);
    await checks.check('arm64: a power cut took nothing, and with pages of 16 KiB it goes on', async () => {
      const told = await inSandbox(second);
      const had = outside.heard.size;
      await busy(second, outside);
      return `${outside.heard.size - had} events more, ${await kept(second, outside)}; ${await agreed(outside)}; ${told}`;
    });
  } finally {
    await second.cut();
  }
}

async function booted({ check }: Checks, guest: Guest, kernel: Kernel): Promise<void> {
  await check(`arm64: a machine with Debian's kernel ${kernel.version} boots`, async () => {
    await guest.until('systemd runs', 'systemctl is-system-running', (out) => /running|degraded/.test(out), SLOW_MS);
    const facts = await guest.run(
      'uname -m; getconf PAGESIZE; sed -n "s/^CPU part.*: //p" /proc/cpuinfo | head -1; systemd-analyze | head -1',
    );
    const [machine, page, part, time] = facts.split('\n');
    return `${machine}, pages of ${page} bytes, CPU part ${part}; ${time}; ${guest.cpuSeconds().toFixed(0)} s of a core`;
  });
}

async function working({ check }: Checks, guest: Guest, outside: Outside): Promise<void> {
  await check('arm64: the package is installed there, and its service runs in its sandbox', async () => {
    const [from, spent] = [performance.now(), guest.cpuSeconds()];
    await guest.run('apt-get install -y --no-install-recommends /opt/collard.deb', SLOW_MS);
    const took = `installed in ${((performance.now() - from) / 1_000).toFixed(0)} s, ${(guest.cpuSeconds() - spent).toFixed(0)} s of a core`;
    await configure(guest, agentYaml(outside.port, RECEIVER, GPIO));
    return `${took}; ${await inSandbox(guest)}`;
  });
  await check('arm64: readings of its USB receiver become events, at broker and central', async () => {
    const from = mark(outside);
    const collars = simulate();
    try {
      collars.stdout.pipe(guest.line, { end: false });
      await outside.until('meows', () => from('meow.ended') >= 3, SLOW_MS);
    } finally {
      collars.stdout.unpipe(guest.line);
      collars.kill();
    }
    return `${from('meow.ended')} meows; ${await agreed(outside)}`;
  });
  await check('arm64: edges of a GPIO line become an event, by the kernel’s own interface', async () => {
    const from = mark(outside);
    const pressed = async () => {
      await guest.press();
      await pause(PULSE_MS);
      return from('cat.moved', 'hall') > 0;
    };
    await outside.until('the movement in the hall', pressed, SLOW_MS);
    return (await guest.run('ls -l /dev/gpiochip0')).trim();
  });
  await check('arm64: the doctor finds nothing that fails', async () => {
    const { status, findings } = readDoctor(await guest.run(DOCTOR, SLOW_MS));
    expect(status === 0, JSON.stringify(findings));
    return findings.map((finding) => `${finding.check} ${finding.result}`).join(', ');
  });
}

/** Resolves while events are still on their way. */
async function busy(guest: Guest, outside: Outside): Promise<void> {
  const from = mark(outside);
  const stop = pace(guest.line, PER_SECOND);
  try {
    await outside.until('fresh events', () => from('cat.moved') >= EVENTS, SLOW_MS);
  } finally {
    stop();
  }
}
