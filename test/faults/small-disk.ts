/** A small file system of its own on a loop device: to be cut, filled, mounted again. Needs root. */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';

export type FileSystem = 'ext4' | 'xfs';

export interface SmallDisk {
  /** Where it is mounted. */
  readonly folder: string;
  /** Power off for this file system: what is not on the device is gone. It answers nothing until it is mounted again. */
  shutDown(): void;
  unmount(): void;
  mount(): void;
  /** Unmounts and removes it. */
  close(): void;
}

/** EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN: _IOR('X', 125, u32). */
const IOC_SHUTDOWN = 0x8004_587d;
/** Without flushing the journal first. */
const NO_LOG_FLUSH = 2;
const MEGABYTE = 1024 * 1024;

/** What this machine lacks to mount small disks, or null. */
export function whyNoSmallDisk(system: FileSystem): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
  if (!existsSync('/dev/loop-control')) return 'needs loop devices';
  const make = `mkfs.${system}`;
  if (!['/usr/sbin', '/sbin', '/usr/bin'].some((folder) => existsSync(join(folder, make))))
    return `needs ${make}: apt-get install ${system === 'xfs' ? 'xfsprogs' : 'e2fsprogs'}`;
  return null;
}

/** ext4 has blocks of `blockBytes`: mkfs would take 1 KiB on a disk as small as this, cards have 4 KiB. */
export function openSmallDisk(parent: string, system: FileSystem, megabytes: number, blockBytes = 4_096): SmallDisk {
  const image = join(parent, `${system}.img`);
  const folder = join(parent, `${system}-mount`);
  mkdirSync(folder, { recursive: true });
  rmSync(image, { force: true });
  writeFileSync(image, '');
  truncateSync(image, megabytes * MEGABYTE);
  run(
    `mkfs.${system}`,
    system === 'ext4' ? ['-q', '-F', '-m', '0', '-b', String(blockBytes), image] : ['-q', '-f', image],
  );
  let mounted = false;
  const mount = () => {
    run('mount', ['-o', 'loop', image, folder]);
    mounted = true;
  };
  const unmount = () => {
    if (!mounted) return;
    run('umount', [folder]);
    mounted = false;
  };
  const cleanUp = () => {
    if (mounted) run('umount', ['-l', folder]);
  };
  process.once('exit', cleanUp);
  mount();
  return {
    folder,
    mount,
    unmount,
    shutDown: () => shutDown(folder),
    close() {
      unmount();
      process.removeListener('exit', cleanUp);
      rmSync(image, { force: true });
    },
  };
}

function shutDown(folder: string): void {
  const libc = koffi.load('libc.so.6');
  const ioctl = libc.func('int ioctl(int fd, unsigned long request, _In_ uint32_t *argument)');
  const fd = openSync(folder, 'r');
  try {
    const result = ioctl(fd, IOC_SHUTDOWN, [NO_LOG_FLUSH]) as number;
    if (result !== 0) throw new Error(`ioctl shutdown failed on ${folder}, errno ${koffi.errno()}`);
  } finally {
    closeSync(fd);
  }
}

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: 'pipe', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
}
