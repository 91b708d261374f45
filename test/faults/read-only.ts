/** A disk that is read-only at the start, or turns so later: clear words, the exit code, nothing acknowledged that is not there. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createTally, mulberry32, type Row, type Scenario, type Verdict } from './frame.ts';
import { checkLog } from './oracle.ts';
import { nothingHeard, startChild } from './run-child.ts';
import { openSmallDisk, type SmallDisk, whyNoSmallDisk } from './small-disk.ts';
import { truthOf } from './workload.ts';

const DISK_MB = 24;
const EXIT_IO = 74;
const READ_ONLY = /^(EROFS|EACCES|SQLITE_(READONLY.*|CANTOPEN.*))$/;
const WRITE_FAILED = /^(EIO|EROFS|SQLITE_(IOERR.*|READONLY.*|FULL|CANTOPEN.*))$/;

export const readOnly: Scenario = {
  name: 'read-only',
  weight: 1,
  recovery: 'until the log is open again',
  full: 20,
  missing: () => whyNoSmallDisk('ext4'),
  async run(context): Promise<readonly Row[]> {
    const tally = createTally('disk read-only at a start, gone under the program');
    const met = new Map<string, number>();
    const disk = openSmallDisk(context.folder, 'ext4', DISK_MB);
    try {
      for (let no = 0; context.more(tally.injected); no += 1) {
        const seed = (context.seed + no) >>> 0;
        const { verdict, codes } = await once(disk, seed);
        for (const code of codes) met.set(code, (met.get(code) ?? 0) + 1);
        tally.add(verdict, `seed ${seed}`);
      }
    } finally {
      disk.close();
    }
    for (const [code, count] of [...met].sort()) tally.note(`${code}, ${count} times`);
    return [tally.row()];
  },
};

async function once(disk: SmallDisk, seed: number): Promise<{ verdict: Verdict; codes: readonly string[] }> {
  const random = mulberry32(seed);
  const folder = join(disk.folder, 'log');
  const path = join(folder, 'events.db');
  const heard = nothingHeard();
  const plan = { path, seed, groups: null, reopenEvery: null, keepBytes: null };
  const running = startChild(plan, { heard });
  await running.acking;
  await pause(random() * 200);
  // Every write fails from here on, as on a card that the kernel has given up.
  disk.shutDown();
  const later = await running.ended;
  disk.unmount();
  disk.mount();
  remount(disk, 'ro');
  const atStart = startChild({ ...plan, groups: 1 });
  const start = await atStart.ended;
  remount(disk, 'rw');
  let breach: string | null = null;
  if (later.code !== EXIT_IO)
    breach = `a disk that was gone ended it with ${later.code ?? later.signal}: ${later.stderr}`;
  if (heard.errors.some((code) => !WRITE_FAILED.test(code))) breach ??= `met ${heard.errors}`;
  if (heard.afterError > 0) breach ??= 'acknowledged an append after an error';
  if (start.code !== EXIT_IO || !READ_ONLY.test(atStart.heard.errors[0] ?? ''))
    breach ??= `a start on a read-only disk ended with ${start.code ?? start.signal}: ${atStart.heard.errors}`;
  if (atStart.heard.acked > 0) breach ??= 'acknowledged on a read-only disk';
  const verdict = await checkLog(path, { seed, truth: truthOf(seed), heard });
  const again = startChild({ ...plan, groups: 5 }, { heard });
  const { code } = await again.ended;
  if (code !== 0) breach ??= `did not go on once the disk could be written: ${code}, ${heard.errors}`;
  rmSync(folder, { recursive: true });
  const codes = [`later: ${heard.errors[0] ?? 'none'}`, `at the start: ${atStart.heard.errors[0] ?? 'none'}`];
  return { verdict: { ...verdict, breach: breach ?? verdict.breach }, codes };
}

function remount(disk: SmallDisk, mode: 'ro' | 'rw'): void {
  execFileSync('mount', ['-o', `remount,${mode}`, disk.folder], { stdio: 'pipe' });
}
