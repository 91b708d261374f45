/**
 * Power cuts at any file operation while people's commands and batches of an agent are committed into central's store. What it has
 * answered must be there. Events that it lost its agents would send again; of a command nobody else knows.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { openStore } from '../../src/central/open-store.ts';
import { CRASH_MODELS, type CrashModel } from './disk-model.ts';
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
import { unsound } from './oracle.ts';
import { replay, replayFolder } from './power-loss.ts';
import { buildRecorder, findCompiler, recordRun } from './recording.ts';
import { BATCH_EVENTS, catOf, lastSeqOf } from './store-work.ts';
import { epochOf, eventAt } from './workload.ts';

/** Of one recording, in each row. */
const CHECKS = 60;
const storeChild = fileURLToPath(new URL('./store-child.ts', import.meta.url));
const destroyed = CRASH_MODELS.filter((model) => model.startsWith('destroyed'));
const others = CRASH_MODELS.filter((model) => !model.startsWith('destroyed'));

export const storeCuts: Scenario = {
  name: 'store-cuts',
  weight: 1,
  recovery: 'until it is open again',
  full: 2_000,
  missing: () => (findCompiler() === null ? 'no C compiler: apt-get install gcc libc6-dev' : null),
  async run(context): Promise<readonly Row[]> {
    const library = buildRecorder(context.folder);
    const folder = replayFolder();
    const kinds = [
      { tally: createTally("central's store: power loss"), models: others, powersafeOverwrite: false },
      { tally: createTally("central's store: sectors destroyed"), models: destroyed, powersafeOverwrite: false },
      {
        tally: createTally("central's store with psow=1, sectors destroyed", true),
        models: destroyed,
        powersafeOverwrite: true,
      },
    ];
    const isWanted = () => context.more(Math.min(...kinds.map(({ tally }) => tally.injected)));
    try {
      for (let no = 0; isWanted(); no += 1) {
        const seed = (context.seed + no) >>> 0;
        for (const kind of kinds) await cutRun(context, { seed, library, folder, ...kind });
      }
      return kinds.map(({ tally }) => tally.row());
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

interface Run {
  readonly seed: number;
  readonly library: string;
  readonly folder: string;
  readonly tally: Tally;
  readonly models: readonly CrashModel[];
  readonly powersafeOverwrite: boolean;
}

async function cutRun(context: Context, run: Run): Promise<void> {
  const { seed, library, folder, tally, models, powersafeOverwrite } = run;
  const random = mulberry32(seed);
  const plan = { seed, works: 20 + below(random, 60), powersafeOverwrite };
  const operations = await recordRun(library, join(folder, 'recorded'), storeChild, plan);
  const check = (path: string, { acked }: { readonly acked: number }) => checkStore(path, seed, acked);
  const found = (model: CrashModel, verdict: Verdict, cut: number) => {
    tally.add(verdict, `seed ${seed}, ${model} after operation ${cut} of ${operations.length}`);
    return context.more(tally.injected);
  };
  // What comes before the first answer is cut in `schema`.
  const from = operations.findIndex(({ op }) => op === 'said');
  const cuts = CHECKS / models.length;
  await replay({ operations, models, cuts, from, random, folder, check, found });
}

/** Never rejects. */
async function checkStore(path: string, seed: number, acked: number): Promise<Verdict> {
  const began = performance.now();
  try {
    const store = await openStore({ url: `sqlite:${path}` });
    const recoveryMs = performance.now() - began;
    const names = (await store.cats(new Date())).map(({ name }) => name);
    await store.close();
    const found = new Set(names);
    const events = eventsIn(path, seed);
    const isThere = (n: number) => {
      const name = catOf(n);
      if (name !== null) return found.has(name);
      const last = lastSeqOf(n);
      return Array.from({ length: BATCH_EVENTS }, (_, i) => last - i).every(
        (seq) => events.get(seq) === eventAt(seed, seq).data,
      );
    };
    const lost = Array.from({ length: acked }, (_, i) => i + 1).filter((n) => !isThere(n)).length;
    return { acked, lost, doubled: names.length - found.size, recoveryMs, breach: unsound(path) };
  } catch (error) {
    return { acked, lost: acked, doubled: 0, recoveryMs: performance.now() - began, breach: String(error) };
  }
}

function eventsIn(path: string, seed: number): ReadonlyMap<number, string> {
  const file = new Database(path, { readonly: true });
  try {
    const rows = file
      .prepare<[string], { seq: number; data: string }>(
        'SELECT seq, data FROM event JOIN epoch ON epoch.no = event.epoch_no WHERE epoch.epoch = ?',
      )
      .all(epochOf(seed));
    return new Map(rows.map(({ seq, data }) => [seq, data]));
  } finally {
    file.close();
  }
}
