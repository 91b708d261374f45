/** Where a log would be gone with the power: file systems in memory, and a card that is hidden below one (an overlay root). */
import { readFile } from 'node:fs/promises';

/** Squashfs only reads: what is written there lies elsewhere. */
const FORGETFUL = ['tmpfs', 'ramfs', 'overlay', 'squashfs'];

export const isForgetful = (kind: string) => FORGETFUL.includes(kind);

/** The type of the mount that holds `folder`: the longest path above it. Null where the system does not tell. */
export async function filesystemOf(folder: string, mounts = '/proc/self/mounts'): Promise<string | null> {
  const lines = (await readFile(mounts, 'utf8').catch(() => '')).split('\n').map((line) => line.split(' '));
  const above = lines.filter(([, at = '']) => at !== '' && `${folder}/`.startsWith(at === '/' ? '/' : `${at}/`));
  // Of two at one place, the later hides the earlier.
  return (
    above.reduce<string[]>((best, one) => ((one[1] ?? '').length >= (best[1] ?? '').length ? one : best), [])[2] ?? null
  );
}
