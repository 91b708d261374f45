/** The versions of the models: the next one built beside the live one, compared with it, swapped for it, and back. */
import { randomUUID } from 'node:crypto';
import type { Transaction } from 'kysely';
import { type AsideParts, atOneMoment, catchUp, catchUpAtOnce, type Guard, write } from './aside.ts';
import { type BuildProgress, createSteps, readProgress, saveProgress } from './build.ts';
import { moveCursor } from './derive.ts';
import { deleteAfter } from './derive-cat.ts';
import { firstCat, firstDifference } from './difference.ts';
import { catHashes, modelDigest, tableRows } from './digest.ts';
import { refuseUnnamed } from './expired.ts';
import { earlier, inFlight } from './in-flight.ts';
import {
  createVersion,
  dropVersion,
  liveTables,
  MODEL,
  type ModelTables,
  modelCursor,
  modelTables,
  modelVersions,
} from './model-tables.ts';
import { wholeCatsAt } from './past-whole.ts';
import { catRow, readCats } from './read-models.ts';
import type { Build, Comparison, ReplayOptions, ReplayStore } from './replay-store.ts';
import type { ModelVersionTable, Tables } from './tables.ts';
import { takeLock } from './transact.ts';
import { verifyModels } from './verify-models.ts';

type Trx = Transaction<Tables>;

/** Its epochs are the same for all versions, so the arrivals tell how many events there are. */
export function createReplay(parts: AsideParts): Omit<ReplayStore, 'close'> {
  const { db } = parts;
  const owner = randomUUID();
  return {
    build: async (options) => {
      const { version, progress, resumed } = await begin(parts, owner, options);
      return openBuild(parts, owner, modelTables(version), progress, resumed);
    },
    async swapBack() {
      for (;;) {
        const { previous, live } = await modelVersions(db);
        if (previous === null) return null;
        const guard: Guard = async (trx) => {
          const now = await modelVersions(trx);
          if (now.previous !== previous || now.live !== live) throw taken();
        };
        await catchUp(parts, modelTables(previous), guard);
        const isBack = await write(db, async (trx) => {
          await takeLock(trx, 'models');
          await guard(trx);
          if (!(await catchUpAtOnce(parts, trx, modelTables(previous)))) return false;
          await setVersions(trx, { live: previous, previous: live });
          return true;
        });
        if (isBack) return { live: previous, previous: live };
      }
    },
    verifyModels: (onPage) => verifyModels(parts, onPage),
    wholeCatsAt: (at) => wholeCatsAt(parts, at),
  };
}

/** Takes over the version in the making, or makes the tables of the next one. */
async function begin(
  parts: AsideParts,
  owner: string,
  options: ReplayOptions,
): Promise<{ readonly version: number; readonly progress: BuildProgress; readonly resumed: boolean }> {
  const { db, dialect } = parts;
  await refuseUnnamed(db, parts.segments);
  await write(db, (trx) => setVersions(trx, { owner }));
  const found = await modelVersions(db);
  const before = readProgress(found.progress);
  if (found.building !== null && before !== null) {
    const wanted = options.accept ? ['folding', 'whole', 'differs'] : ['folding', 'whole'];
    const fits = before.program === options.program && before.to === options.to && wanted.includes(before.state);
    if (fits) return { version: found.building, progress: before, resumed: true };
  }
  if (options.accept)
    throw Object.assign(new Error('no version is built that could be taken'), { code: 'NOTHING_BUILT' });
  if (found.building !== null) await drop(parts, owner, found.building);
  if (found.previous !== null && options.to === null) await drop(parts, owner, found.previous);
  return write(db, async (trx) => {
    await refuseUnnamed(trx, parts.segments);
    const row = await modelVersions(trx);
    if (row.owner !== owner) throw taken();
    const version = Math.max(row.live, row.previous ?? 0) + 1;
    const seen = await modelCursor(trx, modelTables(row.live));
    const shards = await trx.selectFrom('shard').select('next_arrival').execute();
    const total = shards.reduce((sum, { next_arrival }) => sum + next_arrival - 1, 0);
    const progress: BuildProgress = {
      state: 'folding',
      program: options.program,
      to: options.to,
      time: '',
      done: 0,
      total,
    };
    await createVersion(trx, dialect, version, [...versionsOf(row), version]);
    await moveCursor(trx, modelTables(version), seen);
    await setVersions(trx, { building: version });
    await saveProgress(trx, progress);
    return { version, progress, resumed: false };
  });
}

/** Empties its tables in pieces: to drop a full one at once would keep writers waiting. */
async function drop(parts: AsideParts, owner: string, version: number): Promise<void> {
  const { db, dialect } = parts;
  const tables = modelTables(version);
  const gone = { state: 'dropping', program: '', to: null, time: '', done: 0, total: 0 } as const;
  const guard = guardOf(version, owner);
  await write(db, async (trx) => {
    const row = await modelVersions(trx);
    if (row.owner !== owner) throw taken();
    await setVersions(trx, { building: version, ...(row.previous === version ? { previous: null } : {}) });
    await saveProgress(trx, gone);
  });
  const access = {
    read: db,
    inPieces: true,
    write: <T>(work: (trx: Trx) => Promise<T>) =>
      write(db, async (trx) => {
        await guard(trx);
        return work(trx);
      }),
  };
  for (const catId of await tableRows(db, tables).catIds()) {
    for (const table of [tables.checkpoint, tables.meowing]) await deleteAfter(access, table, catId, '');
  }
  await access.write(async (trx) => {
    const row = await modelVersions(trx);
    await dropVersion(
      trx,
      dialect,
      version,
      versionsOf(row).filter((one) => one !== version),
    );
    await setVersions(trx, { building: null, progress: null });
  });
}

async function openBuild(
  parts: AsideParts,
  owner: string,
  tables: ModelTables,
  progress: BuildProgress,
  resumed: boolean,
): Promise<Build> {
  const { db } = parts;
  const guard = guardOf(tables.version, owner);
  const { step, close } = await createSteps(parts, tables, progress, guard);
  return {
    version: tables.version,
    resumed,
    total: progress.total,
    done: progress.done,
    step,
    close,
    catchUp: () => catchUp(parts, tables, guard),
    async compare() {
      const result = await compare(parts, tables);
      if (!result.equal) {
        await write(db, async (trx) => {
          await guard(trx);
          await saveProgress(trx, { ...progress, state: 'differs' });
        });
      }
      return result;
    },
    swap: () =>
      write(db, async (trx) => {
        await takeLock(trx, 'models');
        await guard(trx);
        if (!(await catchUpAtOnce(parts, trx, tables))) return false;
        const { live } = await modelVersions(trx);
        await setVersions(trx, { live: tables.version, previous: live, building: null, owner: null, progress: null });
        return true;
      }),
    cats: async (at) => (await readCats(db, at, {}, tables)).map(catRow),
    digest: async () => modelDigest(await catHashes(tableRows(db, tables), new Map())),
  };
}

/** At one moment, up to the place that both have seen. */
function compare(parts: AsideParts, tables: ModelTables): Promise<Comparison> {
  const { model, names } = parts;
  return atOneMoment(parts, async (db) => {
    const live = await liveTables(db);
    const seen = earlier(await modelCursor(db, live), await modelCursor(db, tables));
    const horizon = await inFlight(db, model, names, seen);
    const [ours, theirs] = [tableRows(db, live), tableRows(db, tables)];
    const hashes = await catHashes(ours, horizon);
    const rebuilt = await catHashes(theirs, horizon);
    const catId = firstCat(hashes, rebuilt);
    return {
      live: modelDigest(hashes),
      rebuilt: modelDigest(rebuilt),
      equal: catId === null,
      inFlight: horizon.size,
      cats: rebuilt.size,
      difference: catId === null ? null : await firstDifference(ours, theirs, catId, horizon.get(catId)),
    };
  });
}

function guardOf(version: number, owner: string): Guard {
  return async (trx) => {
    const row = await modelVersions(trx);
    if (row.owner !== owner || row.building !== version) throw taken();
  };
}

function taken(): Error {
  return Object.assign(new Error('another replay has taken over'), { code: 'REPLAY_TAKEN' });
}

async function setVersions(trx: Trx, values: Partial<ModelVersionTable>): Promise<void> {
  await trx.updateTable('model_version').set(values).where('model', '=', MODEL).execute();
}

/** All whose tables there are. */
function versionsOf({ live, previous, building }: ModelVersionTable): number[] {
  return [live, previous, building].filter((version) => version !== null);
}
