/** The mount that holds a folder, and whether it takes writes: a card that fails is made read-only by the kernel, and no right helps then. */
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

export interface Mount {
  /** Its type: ext4, tmpfs … */
  readonly kind: string;
  /** disk: the file system takes no writes, from nobody. here: this program sees it so, others may write. */
  readonly readOnly: 'disk' | 'here' | null;
}

export interface ReadOnly {
  readonly what: string;
  readonly fix: string;
}

/** Of a disk of which an error says so. */
export const READ_ONLY_DISK: ReadOnly = {
  what: 'its disk is mounted read-only, as the kernel does with a card that fails',
  fix: 'look at dmesg, then restart the machine; where it comes back so, replace the card',
};

/** Null where the system does not tell. `folder` need not be there. */
export function mountOf(folder: string, mountinfo = '/proc/self/mountinfo'): Mount | null {
  const path = realPath(folder);
  let best: readonly string[] = [];
  for (const line of textOf(mountinfo).split('\n')) {
    // Number, parent, device, root, place, options, any more up to "-", type, source, options of the file system.
    const fields = line.split(' ');
    const at = placeOf(fields);
    if (at === '' || !`${path}/`.startsWith(at === '/' ? '/' : `${at}/`)) continue;
    // Of two at one place, the later hides the earlier.
    if (at.length >= placeOf(best).length) best = fields;
  }
  const [kind, , options = ''] = best.slice(best.indexOf('-', 6) + 1);
  if (kind === undefined) return null;
  // ext4 says emergency_ro after an error of its journal, and is still mounted rw.
  if (/(^|,)(ro|emergency_ro)(,|$)/.test(options)) return { kind, readOnly: 'disk' };
  return { kind, readOnly: /(^|,)ro(,|$)/.test(String(best[5])) ? 'here' : null };
}

/** Null where `folder` is on a file system that takes writes, or the system does not tell. */
export function whyReadOnly(folder: string, mountinfo?: string): ReadOnly | null {
  const { readOnly = null } = mountOf(folder, mountinfo) ?? {};
  if (readOnly !== 'here') return readOnly === null ? null : READ_ONLY_DISK;
  return {
    what: 'this program may not write below its mount',
    fix: `with systemd: ReadWritePaths=${folder} in the unit (systemctl edit); in a container: mount it writable`,
  };
}

function textOf(mountinfo: string): string {
  try {
    return readFileSync(mountinfo, 'utf8');
  } catch {
    return '';
  }
}

/** Blanks and the like are octal there. */
function placeOf(fields: readonly string[]): string {
  return (fields[4] ?? '').replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}

/** With the links on the way followed as far as it is there: the root always is. */
function realPath(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch {
    return join(realPath(dirname(whole)), basename(whole));
  }
}
