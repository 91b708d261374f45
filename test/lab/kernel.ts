/** Debian's kernels for the machine of guest.ts, that for amd64 with simulated GPIO lines. Made once and kept. Needs root and mmdebstrap. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runHooks } from './debian.ts';

const SUITE = 'trixie';
const RECIPE = fileURLToPath(new URL('kernel.sh', import.meta.url));
const TOOLS = 'cpio,xz-utils,kmod';
/** The compiler is that of the kernel. */
const COMPILER = 'gcc-14,make,libelf1t64,libssl3t64,pahole';

/** As Debian names them. That with pages of 16 KiB is what a Raspberry Pi 5 has. */
export type Flavour = 'amd64' | 'arm64' | 'arm64-16k';

export interface Kernel {
  readonly flavour: Flavour;
  readonly version: string;
  readonly image: string;
  readonly initrd: string;
  /** A tree with lib/modules below it. */
  readonly modules: string;
  /** Null where it was not built. */
  readonly gpioSim: string | null;
}

export async function makeKernel(cache: string, flavour: Flavour = 'amd64'): Promise<Kernel> {
  const folder = join(cache, `kernel-${SUITE}${flavour === 'amd64' ? '' : `-${flavour}`}`);
  const part = (name: string) => join(folder, name);
  if (!existsSync(part('version'))) {
    const made = `${folder}.${process.pid}`;
    mkdirSync(made, { recursive: true });
    try {
      copyFileSync(RECIPE, join(made, 'kernel.sh'));
      await runHooks(SUITE, flavour === 'amd64' ? `${TOOLS},${COMPILER}` : TOOLS, [
        `copy-in ${join(made, 'kernel.sh')} /opt`,
        `chroot "$1" sh /opt/kernel.sh ${flavour}`,
        `sync-out /out ${made}`,
      ]);
      rmSync(folder, { recursive: true, force: true });
      renameSync(made, folder);
    } finally {
      rmSync(made, { recursive: true, force: true });
    }
  }
  return {
    flavour,
    version: readFileSync(part('version'), 'utf8').trim(),
    image: part('vmlinuz'),
    initrd: part('initrd'),
    modules: part('modules'),
    gpioSim: existsSync(part('gpio-sim-lab.ko')) ? part('gpio-sim-lab.ko') : null,
  };
}
