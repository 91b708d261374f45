/** Debian's kernel for the machine of guest.ts, with simulated GPIO lines. Made once and kept. Needs root and mmdebstrap. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runHooks } from './debian.ts';

const SUITE = 'trixie';
const RECIPE = fileURLToPath(new URL('kernel.sh', import.meta.url));
/** The compiler is that of the kernel. */
const BUILD = 'gcc-14,make,libelf1t64,libssl3t64,pahole,cpio,busybox-static,xz-utils,kmod';

export interface Kernel {
  readonly version: string;
  readonly image: string;
  readonly initrd: string;
  /** A tree with lib/modules below it. */
  readonly modules: string;
  readonly gpioSim: string;
}

export async function makeKernel(cache: string): Promise<Kernel> {
  const folder = join(cache, `kernel-${SUITE}`);
  const part = (name: string) => join(folder, name);
  if (!existsSync(part('version'))) {
    const made = `${folder}.${process.pid}`;
    mkdirSync(made, { recursive: true });
    try {
      copyFileSync(RECIPE, join(made, 'kernel.sh'));
      await runHooks(SUITE, BUILD, [
        `copy-in ${join(made, 'kernel.sh')} /opt`,
        'chroot "$1" sh /opt/kernel.sh',
        `sync-out /out ${made}`,
      ]);
      rmSync(folder, { recursive: true, force: true });
      renameSync(made, folder);
    } finally {
      rmSync(made, { recursive: true, force: true });
    }
  }
  return {
    version: readFileSync(part('version'), 'utf8').trim(),
    image: part('vmlinuz'),
    initrd: part('initrd'),
    modules: part('modules'),
    gpioSim: part('gpio-sim-lab.ko'),
  };
}
