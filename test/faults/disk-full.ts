/** A disk that is full: the log says so with a code, keeps what it acknowledged, and goes on once there is room. */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { below, createTally, mulberry32, type Row, type Scenario, type Verdict } from './frame.ts';
import { asideOf, checkLog } from './oracle.ts';
import { nothingHeard, startChild } from './run-child.ts';
import { openSmallDisk, type SmallDisk, whyNoSmallDisk } from './small-disk.ts';
import { truthOf } from './workload.ts';

const DISK_MB = 24;
const EXIT_IO = 74;
const FULL = /^(SQLITE_(FULL|IOERR.*|CANTOPEN)|ENOSPC)$/;

export const diskFull: Scenario = {
  name: 'disk-full',
  weight: 1,
  full: 50,
  missing: () => whyNoSmallDisk('ext4'),
  async run(context): Promise<readonly Row[]> {
    const tally = createTally('disk full (ext4)');
    const codes = new Map<string, number>();
    const disk = openSmallDisk(context.folder, 'ext4', DISK_MB);
    try {
      for (let no = 0; context.more(tally.injected); no += 1) {
        const seed = (context.seed + no) >>> 0;
        const { verdict, met } = await fillOnce(disk, seed);
        for (const code of met) codes.set(code, (codes.get(code) ?? 0) + 1);
        tally.add(verdict, `seed ${seed}`);
      }
    } finally {
      disk.close();
    }
    for (const [code, count] of [...codes].sort()) tally.note(`${code}, ${count} times`);
    return [tally.row()];
  },
};

async function fillOnce(disk: SmallDisk, seed: number): Promise<{ verdict: Verdict; met: readonly string[] }> {
  const random = mulberry32(seed);
  const folder = join(disk.folder, 'log');
  const ballast = join(disk.folder, 'ballast');
  mkdirSync(folder);
  const path = join(folder, 'events.db');
  const plan = {
    path,
    seed,
    groups: null,
    reopenEvery: 10 + below(random, 400),
    keepBytes: null,
    groupEvents: 1 + below(random, 40),
  };
  const heard = nothingHeard();
  const child = startChild(plan, { heard });
  await child.acking;
  fillDisk(ballast);
  const { code, signal, stderr } = await child.ended;
  const said = heard.errors.map((error) => `the program met ${error}`);
  let breach: string | null = null;
  if (code !== EXIT_IO) breach = `ended with ${code ?? signal}: ${stderr}`;
  if (heard.errors.some((error) => !FULL.test(error))) breach ??= `met ${heard.errors}`;
  if (heard.afterError > 0) breach ??= 'acknowledged an append after an error';
  const restart = await startOnFullDisk(path, seed);
  if (!restart.ok) breach ??= `a start on the full disk: ${restart.end}`;
  if (asideOf(path).length > 0) breach ??= 'a full disk was taken for damage';
  rmSync(ballast);
  const verdict = await checkLog(path, { seed, truth: truthOf(seed), heard });
  breach ??= verdict.breach ?? (await goesOn(path, seed));
  rmSync(folder, { recursive: true });
  return { verdict: { ...verdict, breach }, met: [...said, `a start on the full disk: ${restart.end}`] };
}

/** Takes all the room there is. */
export function fillDisk(ballast: string): void {
  const fd = openSync(ballast, 'w');
  try {
    for (let size = 1024 * 1024; size >= 512; ) {
      try {
        writeSync(fd, Buffer.alloc(size, 1));
      } catch {
        size >>= 1;
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** In a process of its own: SQLite maps a file, and a full disk could end it with SIGBUS. */
async function startOnFullDisk(path: string, seed: number): Promise<{ readonly ok: boolean; readonly end: string }> {
  const child = startChild({ path, seed, groups: 0, reopenEvery: null, keepBytes: null });
  const { code, signal } = await child.ended;
  const [error] = child.heard.errors;
  if (code === 0) return { ok: true, end: 'opens' };
  return { ok: code === EXIT_IO && FULL.test(error ?? ''), end: error ?? `ended with ${code ?? signal}` };
}

/** Appends again once there is room. Returns why it does not, or null. */
async function goesOn(path: string, seed: number): Promise<string | null> {
  const heard = nothingHeard();
  const child = startChild({ path, seed, groups: 20, reopenEvery: null, keepBytes: null }, { heard });
  const { code } = await child.ended;
  if (code !== 0) return `after the disk had room again it ended with ${code}: ${heard.errors}`;
  return (await checkLog(path, { seed, truth: truthOf(seed), heard })).breach;
}
