import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mountOf, READ_ONLY_DISK, whyReadOnly } from '../../../src/agent/log/mount.ts';

function tempFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'collard-mount-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** The lines of `/proc/self/mountinfo`, in a file. */
function mountinfo(...lines: readonly string[]): string {
  const path = join(tempFolder(), 'mountinfo');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

const line = (at: string, kind: string, { here = 'rw', disk = 'rw', more = '' } = {}) =>
  `41 26 7:0 / ${at} ${here},relatime${more} - ${kind} /dev/x ${disk}`;

describe('the mount of a folder', () => {
  it.each([
    ['a disk that takes writes', line('/', 'ext4', { disk: 'rw,errors=remount-ro' }), null],
    ['one that is mounted read-only', line('/', 'ext4', { here: 'ro', disk: 'ro' }), 'disk'],
    [
      'one that the kernel has made read-only',
      line('/', 'ext4', { disk: 'rw,errors=remount-ro,emergency_ro' }),
      'disk',
    ],
    ['one that a unit may only read', line('/', 'ext4', { here: 'ro', more: ' shared:1 master:2' }), 'here'],
  ])('%s', (_, text, readOnly) => {
    expect(mountOf('/var/lib/collard', mountinfo(text))).toEqual({ kind: 'ext4', readOnly });
  });

  it('is the longest above it, and of two at one place the later', () => {
    const mounts = mountinfo(
      line('/', 'ext4'),
      line('/data/cats', 'xfs'),
      line('/data/cats', 'f2fs', { disk: 'ro' }),
      line('/data', 'ext4'),
      line('/data/cat', 'tmpfs'),
    );
    expect(mountOf('/data/cats/log', mounts)).toEqual({ kind: 'f2fs', readOnly: 'disk' });
    expect(mountOf('/data/dogs', mounts)).toEqual({ kind: 'ext4', readOnly: null });
    expect(mountOf('/', mounts)).toEqual({ kind: 'ext4', readOnly: null });
  });

  it('has a name with blanks', () => {
    const mounts = mountinfo(line('/', 'ext4'), line('/my\\040card', 'f2fs'));
    expect(mountOf('/my card/log', mounts)?.kind).toBe('f2fs');
  });

  it('is found behind a link, also for a folder that is not there yet', () => {
    const folder = tempFolder();
    mkdirSync(join(folder, 'card'));
    symlinkSync(join(folder, 'card'), join(folder, 'link'));
    const mounts = mountinfo(line('/', 'ext4'), line(join(folder, 'card'), 'f2fs'));
    expect(mountOf(join(folder, 'link', 'not', 'there'), mounts)?.kind).toBe('f2fs');
  });

  it('is not known where the system does not tell', () => {
    expect(mountOf('/', join(tempFolder(), 'none'))).toBeNull();
    expect(mountOf('/', mountinfo('', 'what is this'))).toBeNull();
    expect(whyReadOnly('/', join(tempFolder(), 'none'))).toBeNull();
  });
});

describe('what is said of it', () => {
  it('is nothing where it takes writes', () => {
    expect(whyReadOnly('/x', mountinfo(line('/', 'ext4')))).toBeNull();
  });

  it('is the end of a card where nobody can write', () => {
    expect(whyReadOnly('/x', mountinfo(line('/', 'ext4', { here: 'ro', disk: 'ro' })))).toBe(READ_ONLY_DISK);
  });

  it('is the unit or the container where others can', () => {
    expect(whyReadOnly('/x', mountinfo(line('/', 'ext4', { here: 'ro' })))).toEqual({
      what: 'this program may not write below its mount',
      fix: expect.stringContaining('ReadWritePaths=/x '),
    });
  });
});
