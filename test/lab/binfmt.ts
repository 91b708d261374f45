/** Programs of arm64 run on this machine for a while, by qemu-user-static: the scripts of Debian's packages are such programs. Needs root. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';

const FOLDER = '/proc/sys/fs/binfmt_misc';
const NAME = 'qemu-aarch64';
/** A 64-bit ELF of AArch64, little endian, executable or shared. The program is opened now (F), so it is found in another root too. */
const REGISTRATION = [
  `:${NAME}:M::`,
  '\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:',
  '\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:',
  '/usr/bin/qemu-aarch64-static:OCF',
].join('');

export async function withArm64<T>(work: () => Promise<T>): Promise<T> {
  const isMounted = existsSync(`${FOLDER}/register`);
  if (!isMounted) sh('mount', ['-t', 'binfmt_misc', 'none', FOLDER]);
  const isThere = existsSync(`${FOLDER}/${NAME}`);
  if (!isThere) writeFileSync(`${FOLDER}/register`, REGISTRATION);
  try {
    return await work();
  } finally {
    if (!isThere) writeFileSync(`${FOLDER}/${NAME}`, '-1');
    if (!isMounted) sh('umount', [FOLDER]);
  }
}

function sh(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
}
