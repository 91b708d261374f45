/** Where a log would be gone with the power: file systems in memory, and a card that is hidden below one (an overlay root). */
import { mountOf } from './log/mount.ts';

/** Squashfs only reads: what is written there lies elsewhere. */
const FORGETFUL = ['tmpfs', 'ramfs', 'overlay', 'squashfs'];

export const isForgetful = (kind: string) => FORGETFUL.includes(kind);

/** The type of the mount that holds `folder`. Null where the system does not tell. */
export async function filesystemOf(folder: string, mountinfo?: string): Promise<string | null> {
  return mountOf(folder, mountinfo)?.kind ?? null;
}
