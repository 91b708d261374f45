/** The power cut of a real file system: ext4 and xfs are shut down under the appending program, and mounted again. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { checkControl } from './control-oracle.ts';
import { below, type Context, createTally, mulberry32, type Row, type Scenario, type Verdict } from './frame.ts';
import { checkLog } from './oracle.ts';
import { controlChild, type Heard, nothingHeard, realChild, startChild } from './run-child.ts';
import { type FileSystem, openSmallDisk, type SmallDisk, whyNoSmallDisk } from './small-disk.ts';
import { truthOf } from './workload.ts';

const DISK_MB = { ext4: 96, xfs: 320 } as const;
/** Both work side by side; one cut of xfs counts as so many. */
const XFS_EVERY = 5;
/** Cuts of one log before the next one is begun on the same file system. */
const CUTS_A_LOG = 10;
/** One cut of the control to so many of the real log. */
const CONTROL_EVERY = 6;
/** Some cuts fall right behind a checkpoint and lose nothing: so often more, at most, until one has lost. */
const CONTROL_TRIES = 10;

export const godown: Scenario = {
  name: 'godown',
  weight: 2,
  recovery: 'until the log is open again',
  full: 500,
  missing: () => whyNoSmallDisk('ext4'),
  async run(context): Promise<readonly Row[]> {
    const systems = (['ext4', 'xfs'] as const).filter((system) => {
      const why = whyNoSmallDisk(system);
      if (why !== null) context.tell(`${system} is left out: ${why}`);
      return why === null;
    });
    const runs = systems.map((system) =>
      runSystem(
        { ...context, more: (injected) => context.more(injected * (system === 'xfs' ? XFS_EVERY : 1)) },
        system,
      ),
    );
    // Both have unmounted their disk before one of them may end this.
    const ends = await Promise.allSettled(runs);
    return ends.flatMap((end) => {
      if (end.status === 'rejected') throw end.reason;
      return end.value;
    });
  },
};

async function runSystem(context: Context, system: FileSystem): Promise<readonly Row[]> {
  const real = createTally(`power cut of ${system} (shutdown ioctl)`);
  const control = createTally(`synchronous=NORMAL on ${system}`, true);
  const disk = openSmallDisk(context.folder, system, DISK_MB[system]);
  try {
    for (let no = 0; context.more(real.injected); no += 1) {
      const seed = (context.seed + no) >>> 0;
      const random = mulberry32(seed);
      const log = { seed, truth: truthOf(seed), heard: nothingHeard() };
      const folder = join(disk.folder, 'log');
      const path = join(folder, 'events.db');
      for (let cut = 0; cut < CUTS_A_LOG && context.more(real.injected); cut += 1) {
        const plan = { path, seed, groups: null, reopenEvery: 20 + below(random, 200), keepBytes: 300_000 };
        await cutOnce(disk, realChild, plan, log.heard, random);
        real.add(await checkLog(path, log), `${system}, seed ${seed}, cut ${cut}`);
        if (real.injected % CONTROL_EVERY === 1)
          control.add(await controlOnce(disk, seed, random), `${system}, seed ${seed}`);
      }
      rmSync(folder, { recursive: true, force: true });
    }
    const random = mulberry32(context.seed);
    for (let i = 0; i < CONTROL_TRIES && control.losing === 0; i += 1)
      control.add(await controlOnce(disk, context.seed, random), `${system}, once more`);
  } finally {
    disk.close();
  }
  return [real.row(), control.row()];
}

async function controlOnce(disk: SmallDisk, seed: number, random: () => number): Promise<Verdict> {
  const path = join(disk.folder, 'control.db');
  const heard = nothingHeard();
  await cutOnce(
    disk,
    controlChild,
    { path, seed, synchronous: 'NORMAL', powersafeOverwrite: false, commits: null },
    heard,
    random,
  );
  const verdict = checkControl(path, seed, heard.acked);
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  return verdict;
}

/** Lets the program work for a moment, cuts the power, and brings the file system back. */
async function cutOnce(
  disk: SmallDisk,
  program: string,
  plan: object,
  heard: Heard,
  random: () => number,
): Promise<void> {
  const before = heard.acked;
  const child = startChild(plan, { program, heard: { ...heard, acked: 0 } });
  await child.acking;
  await pause(random() * 300);
  disk.shutDown();
  child.process.kill('SIGKILL');
  const { stderr } = await child.ended;
  // No acknowledgement at all: then it had not begun to work, and the cut proves little.
  if (child.heard.acked === 0) throw new Error(`the program acknowledged nothing: ${child.heard.errors} ${stderr}`);
  heard.acked = Math.max(before, child.heard.acked);
  heard.marked = Math.max(heard.marked, child.heard.marked);
  disk.unmount();
  disk.mount();
}
