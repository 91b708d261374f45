/**
 * The power is cut, or the program killed, at every file operation while a schema is made or brought up to date: the agent's log
 * at its first start, central's store at its first start and from each of its older schemas with rows in them. The next start
 * must work, and find what was there.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { openStore } from '../../src/central/open-store.ts';
import { CRASH_MODELS, type CrashModel, createDisk } from './disk-model.ts';
import { type Context, createTally, mulberry32, type Row, type Scenario, type Tally, type Verdict } from './frame.ts';
import { findOldRows } from './old-store.ts';
import { checkLog } from './oracle.ts';
import { replayFolder } from './power-loss.ts';
import { buildRecorder, findCompiler, type Operation, recordRun } from './recording.ts';
import { type Heard, hear, nothingHeard, realChild } from './run-child.ts';
import { truthOf } from './workload.ts';

/** One that is ended early has cut in every run, only not as densely: fewer than the operations of the shortest. */
const PASSES = 64;
const ROWS = 200;
/** Appends behind the making of the log. */
const GROUPS = 2;
/** Rows of an older schema are written with psow=1 here: sectors are destroyed in `store-cuts`. */
const STORE_MODELS = CRASH_MODELS.filter((model) => !model.startsWith('destroyed'));
const schemaChild = fileURLToPath(new URL('./schema-child.ts', import.meta.url));

interface Run {
  readonly tally: Tally;
  readonly operations: readonly Operation[];
  /** The operation before which nothing is cut. */
  readonly from: number;
  readonly models: readonly CrashModel[];
  /** The card takes flushes and does nothing. */
  readonly lies?: boolean;
  readonly check: (path: string, heard: Heard) => Promise<Verdict>;
}

export const schema: Scenario = {
  name: 'schema',
  weight: 1,
  recovery: 'until it is open again',
  full: Number.POSITIVE_INFINITY,
  missing: () => (findCompiler() === null ? 'no C compiler: apt-get install gcc libc6-dev' : null),
  async run(context): Promise<readonly Row[]> {
    const library = buildRecorder(context.folder);
    const folder = replayFolder();
    try {
      const stores: Run[] = [];
      for (const name of [null, ...(await olderSchemas(context))]) stores.push(await storeRun(library, folder, name));
      const runs = [await logRun(context, library, folder), ...stores, ...stores.slice(-1).map(controlOf)];
      const done = () => runs.reduce((sum, { tally }) => sum + tally.injected, 0);
      const random = mulberry32(context.seed);
      for (let pass = 0; pass < PASSES && context.more(done()); pass += 1)
        for (const run of runs) await cutEach(run, pass, { random, folder, more: () => context.more(done()) });
      for (const { tally, operations, from } of runs) tally.note(`${operations.length - from} operations`);
      return runs.map(({ tally }) => tally.row());
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function logRun(context: Context, library: string, folder: string): Promise<Run> {
  const { seed } = context;
  const plan = { seed, groups: GROUPS, reopenEvery: null, keepBytes: null };
  const operations = await recordRun(library, join(folder, 'recorded'), realChild, plan);
  const truth = truthOf(seed);
  const check = (path: string, heard: Heard) => checkLog(path, { seed, truth, heard });
  return { tally: createTally('schema: the log is made'), operations, from: 0, models: CRASH_MODELS, check };
}

async function storeRun(library: string, folder: string, from: string | null): Promise<Run> {
  const operations = await recordRun(library, join(folder, 'recorded'), schemaChild, { from, rows: ROWS });
  const begins = operations.findIndex(({ op, ...rest }) => op === 'said' && JSON.stringify(rest).includes('m 1'));
  if (begins < 0) throw new Error('the program never said that it begins');
  const tally = createTally(`schema: central's store ${from === null ? 'is made' : `comes from ${from}`}`);
  const check = (path: string, heard: Heard) => checkStore(path, heard.acked, from);
  return { tally, operations, from: begins, models: STORE_MODELS, check };
}

/** What had been stored long before is gone: the look for it must say so. */
function controlOf(run: Run): Run {
  const tally = createTally('schema: a card that lies about fsync', true);
  return { ...run, tally, lies: true, models: ['strict', 'reorder'] };
}

/** All but the newest, as a store tells them that has gone through them. */
async function olderSchemas({ folder }: Context): Promise<readonly string[]> {
  const path = join(mkdtempSync(join(folder, 'newest-')), 'central.db');
  const store = await openStore({ url: `sqlite:${path}` });
  await store.close();
  const file = new Database(path, { readonly: true });
  const names = file.prepare('SELECT name FROM kysely_migration ORDER BY name').pluck().all() as string[];
  file.close();
  return names.slice(0, -1);
}

interface Cutting {
  readonly random: () => number;
  readonly folder: string;
  readonly more: () => boolean;
}

async function cutEach(run: Run, pass: number, { random, folder, more }: Cutting): Promise<void> {
  const disk = createDisk(run.lies);
  const heard = nothingHeard();
  const files = join(folder, 'files');
  for (const [i, operation] of run.operations.entries()) {
    if (operation.op === 'said') for (const line of operation.lines) hear(heard, line);
    else disk.apply(operation);
    if (i < run.from || (i - run.from) % PASSES !== pass) continue;
    for (const model of run.models) {
      if (!more()) return;
      const spoilt = disk.cut(model, random, files);
      // Where everything had been flushed a cut takes nothing; a kill is one everywhere.
      if (model !== 'process' && spoilt === 0) continue;
      const where = `${model} after operation ${i + 1} of ${run.operations.length}`;
      run.tally.add(await run.check(join(files, 'events.db'), heard), where);
    }
  }
}

/** The real program opens it twice: what the first start has made must do for the second. */
async function checkStore(path: string, rows: number, from: string | null): Promise<Verdict> {
  const began = performance.now();
  try {
    await (await openStore({ url: `sqlite:${path}` })).close();
    const recoveryMs = performance.now() - began;
    await (await openStore({ url: `sqlite:${path}` })).close();
    const { found, breach } = findOldRows(path, rows, from);
    return { acked: rows, lost: rows - found, doubled: 0, recoveryMs, breach };
  } catch (error) {
    return { acked: rows, lost: rows, doubled: 0, recoveryMs: performance.now() - began, breach: String(error) };
  }
}
