/** The disk of the machine of guest.ts: a Debian, the modules of its kernel, the lab's way in, and the package. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Kernel } from './kernel.ts';

const SIZE = '1500M';
const here = (name: string) => fileURLToPath(new URL(`guest/${name}`, import.meta.url));

export interface DiskOptions {
  /** From makeRoot. */
  readonly root: string;
  /** Those that are booted with it. */
  readonly kernels: readonly Kernel[];
  readonly disk: string;
  readonly deb: string;
  /** Before the first boot; left in /opt where not. */
  readonly isInstalled?: boolean;
}

export function makeDisk({ root, kernels, disk, deb, isInstalled = true }: DiskOptions): void {
  const tree = mkdtempSync('/var/tmp/collard-disk-');
  const at = (path: string) => join(tree, path);
  try {
    execFileSync('tar', ['-C', tree, '-xf', root]);
    for (const { modules, gpioSim } of kernels) {
      cpSync(join(modules, 'lib/modules'), at('usr/lib/modules'), { recursive: true });
      if (gpioSim !== null) copyFileSync(gpioSim, at('opt/gpio-sim.ko'));
    }
    copyFileSync(deb, at('opt/collard.deb'));
    copyFileSync(here('shell.sh'), at('usr/local/sbin/lab-shell'));
    copyFileSync(here('init.sh'), at('usr/local/sbin/lab-init'));
    copyFileSync(here('lab.service'), at('etc/systemd/system/lab.service'));
    mkdirSync(at('etc/systemd/system/sysinit.target.wants'), { recursive: true });
    symlinkSync('../lab.service', at('etc/systemd/system/sysinit.target.wants/lab.service'));
    writeFileSync(at('etc/hostname'), 'lab\n');
    writeFileSync(at('etc/machine-id'), '');
    writeFileSync(at('etc/fstab'), '/dev/vda / ext4 defaults,noatime 0 1\n');
    // The console is for the kernel: a login there waits for a device of udev, a minute and a half on a slow machine.
    for (const name of ['ttyS0', 'ttyAMA0'])
      symlinkSync('/dev/null', at(`etc/systemd/system/serial-getty@${name}.service`));
    if (isInstalled) install(tree);
    execFileSync('truncate', ['-s', SIZE, disk]);
    execFileSync('mkfs.ext4', ['-q', '-F', '-d', tree, disk], {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    });
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** As the maker of an image does: its scripts see no running system, and the service is there at the first boot. */
function install(tree: string): void {
  const nspawn = ['-q', '-D', tree, '--register=no', '--keep-unit', '--private-network', '--pipe'];
  execFileSync('systemd-nspawn', [...nspawn, 'dpkg', '-i', '/opt/collard.deb'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
  });
  rmSync(join(tree, 'opt/collard.deb'));
}
