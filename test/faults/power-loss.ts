/** Power cuts at any file operation of a recorded run, under crash models. The controls must lose under the same models. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlPlan } from './control-child.ts';
import { checkControl } from './control-oracle.ts';
import { CRASH_MODELS, type CrashModel, createDisk } from './disk-model.ts';
import {
  below,
  type Context,
  createTally,
  mulberry32,
  type Row,
  type Scenario,
  type Tally,
  type Verdict,
} from './frame.ts';
import { checkLog, type Expectation } from './oracle.ts';
import { buildRecorder, findCompiler, type Operation, recordRun } from './recording.ts';
import { controlChild, type Heard, hear, nothingHeard, realChild } from './run-child.ts';
import { checkTold } from './told-loss.ts';
import { truthOf } from './workload.ts';

/** Cuts of one recording, each under every model. */
const CUTS = 60;
const CONTROL_CUTS = 40;
const TOLD_CUTS = 20;
/** A file that nobody but us removes. */
const STILL_HERE = 'still-here';

export const powerLoss: Scenario = {
  name: 'power-loss',
  weight: 4,
  recovery: 'until the log is open again',
  full: 120_000,
  missing: () => (findCompiler() === null ? 'no C compiler: apt-get install gcc libc6-dev' : null),
  async run(context): Promise<readonly Row[]> {
    const library = buildRecorder(context.folder);
    const folder = replayFolder();
    try {
      const controls = await runControls(context, library, folder);
      return [...(await runModels(context, library, folder)), ...controls];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Replays need no disk: in memory where the system has such a folder. */
export function replayFolder(): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'collard-replay-'));
  writeFileSync(join(folder, STILL_HERE), '');
  return folder;
}

/** What somebody cleans up in the middle of a check looks like a loss. Throws where that may have been. */
export function assertStillHere(folder: string): void {
  if (existsSync(join(folder, STILL_HERE))) return;
  throw new Error(`${folder} was removed by another program: what was found last says nothing`);
}

export interface Replay {
  readonly operations: readonly Operation[];
  readonly models: readonly CrashModel[];
  readonly cuts: number;
  /** The operation before which nothing is cut; the first by default. */
  readonly from?: number;
  readonly random: () => number;
  readonly folder: string;
  readonly lies?: boolean;
  readonly check: (path: string, heard: Heard) => Promise<Verdict>;
  /** Returns false to stop. */
  readonly found: (model: CrashModel, verdict: Verdict, cut: number) => boolean;
}

/** Cuts the power at random operations, in their order, under every model. */
export async function replay(run: Replay): Promise<void> {
  const { operations, random, from = 0 } = run;
  const cuts = new Set(Array.from({ length: run.cuts }, () => from + 1 + below(random, operations.length - from)));
  const disk = createDisk(run.lies);
  const heard = nothingHeard();
  const files = join(run.folder, 'files');
  for (const [i, operation] of operations.entries()) {
    if (operation.op === 'said') for (const line of operation.lines) hear(heard, line);
    else disk.apply(operation);
    if (!cuts.has(i + 1)) continue;
    for (const model of run.models) {
      const spoilt = disk.cut(model, random, files);
      // A cut at which everything had been flushed takes nothing: it is no injection.
      if (model !== 'process' && spoilt === 0) continue;
      const verdict = await run.check(join(files, 'events.db'), heard);
      assertStillHere(run.folder);
      if (!run.found(model, verdict, i + 1)) return;
    }
  }
}

async function runModels(context: Context, library: string, folder: string): Promise<readonly Row[]> {
  const tallies = new Map(CRASH_MODELS.map((model) => [model, createTally(`power loss: ${model}`)]));
  const checks = () => [...tallies.values()].reduce((sum, { injected }) => sum + injected, 0);
  const early = createTally('acknowledged before the commit', true);
  const lying = createTally('a card that lies about fsync', true);
  const told = toldRows();
  const began = performance.now();
  let recordings = 0;
  while (context.more(checks())) {
    const seed = (context.seed + recordings) >>> 0;
    const random = mulberry32(seed);
    const plan = planOf(seed, random);
    const operations = await recordRun(library, join(folder, 'recorded'), realChild, plan);
    recordings += 1;
    const truth = truthOf(seed);
    const check = (path: string, heard: Heard) => checkLog(path, { seed, truth, heard });
    const into = (tally: Tally | undefined, model: CrashModel, verdict: Verdict, cut: number) =>
      tally?.add(verdict, `seed ${seed}, ${model} after operation ${cut} of ${operations.length}`);
    const found = (model: CrashModel, verdict: Verdict, cut: number) => {
      into(tallies.get(model), model, verdict, cut);
      return context.more(checks());
    };
    await replay({ operations, models: CRASH_MODELS, cuts: CUTS, random, folder, check, found });
    await told.replay({ operations, random, folder }, { seed, truth }, recordings);
    // Two bent recordings of the first run: what the oracle must not let pass, through the real log.
    if (recordings > 1) continue;
    const bent = { models: ['strict'] as const, cuts: CONTROL_CUTS, random, folder, check };
    const into2 = (tally: Tally) => (model: CrashModel, verdict: Verdict, cut: number) => {
      into(tally, model, verdict, cut);
      return true;
    };
    await replay({ ...bent, operations: ackEarly(operations), found: into2(early) });
    await replay({ ...bent, operations, lies: true, found: into2(lying) });
  }
  const perSecond = Math.round((checks() * 1_000) / (performance.now() - began));
  const rows = [...[...tallies.values()].map((tally) => tally.row()), ...told.rows(), early.row(), lying.row()];
  const [first, ...others] = rows;
  if (first === undefined) return rows;
  return [{ ...first, notes: [`${recordings} recordings, ${perSecond} checks a second`] }, ...others];
}

/** Faults that no log withstands: every loss must be told. Without the witness it is not. */
function toldRows() {
  const faults = [
    {
      tally: createTally('an erase block of 64 KiB destroyed: every loss is told'),
      models: ['destroyed-65536'],
      lies: false,
      blind: false,
    },
    {
      tally: createTally('a card that lies about fsync: every loss is told'),
      models: ['reorder', 'torn'],
      lies: true,
      blind: false,
    },
    {
      tally: createTally('a card that lies about fsync, and the witness is taken away', true),
      models: ['reorder'],
      lies: true,
      blind: true,
    },
  ] as const;
  const sums = faults.map(() => ({ told: 0, beyond: 0, blind: 0 }));
  return {
    async replay(run: Pick<Replay, 'operations' | 'random' | 'folder'>, known: Omit<Expectation, 'heard'>, no: number) {
      for (const [i, { tally, models, lies, blind }] of faults.entries()) {
        const check = async (path: string, heard: Heard) => {
          const { told, beyond, blind: unseen, ...verdict } = await checkTold(path, { ...known, heard }, blind);
          const sum = sums[i] ?? { told: 0, beyond: 0, blind: 0 };
          sum.told += told;
          sum.beyond += beyond;
          sum.blind += unseen;
          return verdict;
        };
        const found = (model: CrashModel, verdict: Verdict, cut: number) => {
          tally.add(verdict, `recording ${no}, seed ${known.seed}, ${model} after operation ${cut}`);
          return true;
        };
        await replay({ ...run, models, lies, cuts: TOLD_CUTS, check, found });
      }
    },
    rows: () =>
      faults.map(({ tally }, i) => {
        const { told, beyond, blind } = sums[i] ?? { told: 0, beyond: 0, blind: 0 };
        if (!faults[i]?.blind)
          tally.note(
            `${told} events were gone and told; ${beyond} had been acknowledged after the last record of the witness that the fault ` +
              `left, and ${blind} where it left none: these only central can miss`,
          );
        return tally.row();
      }),
  };
}

/** Short runs and long ones, with and without trimming and reopening: so that cuts fall into each of these too. */
function planOf(seed: number, random: () => number): object {
  return {
    seed,
    groups: 40 + below(random, 360),
    reopenEvery: random() < 0.5 ? null : 5 + below(random, 120),
    keepBytes: random() < 0.5 ? null : 60_000 + below(random, 200_000),
    groupEvents: random() < 0.2 ? 60 : 5,
  };
}

/** Every acknowledgement moves before the flush that it waited for. */
function ackEarly(operations: readonly Operation[]): readonly Operation[] {
  const bent: Operation[] = [];
  for (const operation of operations) {
    const flush = bent.findLastIndex((before) => before.op === 'sync');
    if (operation.op === 'said' && flush >= 0) bent.splice(flush, 0, operation);
    else bent.push(operation);
  }
  return bent;
}

/** Plain SQLite with settings that promise too much. */
async function runControls(context: Context, library: string, folder: string): Promise<readonly Row[]> {
  const torn: readonly CrashModel[] = ['strict', 'reorder', 'torn'];
  const destroyed: readonly CrashModel[] = ['destroyed-512', 'destroyed-4096'];
  const controls: readonly [string, Partial<ControlPlan>, readonly CrashModel[]][] = [
    ['synchronous=NORMAL', { synchronous: 'NORMAL', powersafeOverwrite: false }, torn],
    ['synchronous=OFF', { synchronous: 'OFF', powersafeOverwrite: false }, torn],
    ['psow=1, sector destroyed', { synchronous: 'FULL', powersafeOverwrite: true }, destroyed],
  ];
  const rows: Row[] = [];
  for (const [name, settings, models] of controls) {
    const tally = createTally(name, true);
    const { seed } = context;
    const plan = { seed, commits: 120, ...settings };
    const operations = await recordRun(library, join(folder, 'recorded'), controlChild, plan);
    const random = mulberry32(seed);
    const check = async (path: string, heard: Heard) => checkControl(path, seed, heard.acked);
    const found = (model: CrashModel, verdict: Verdict, cut: number) => {
      tally.add(verdict, `seed ${seed}, ${model} after operation ${cut}`);
      return true;
    };
    await replay({ operations, models, cuts: CONTROL_CUTS, random, folder, check, found });
    rows.push(tally.row());
  }
  return rows;
}
