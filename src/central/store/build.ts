/** Makes a version from all events, in the order of time. Each step is one short transaction, and the next replay may go on from it. */
import type { Transaction } from 'kysely';
import type { CatModel, CatState } from '../models/model.ts';
import { type AsideParts, type Guard, write } from './aside.ts';
import { seenUpTo } from './derive.ts';
import { CHECKPOINT_FACTS } from './derive-cat.ts';
import { readWearings, type Scope } from './facts.ts';
import { insertOnce } from './insert-once.ts';
import { meowingRow, saveCats, saveCheckpoints } from './model-rows.ts';
import { MODEL, type ModelTables, modelCursor } from './model-tables.ts';
import type { BuildStep } from './replay-store.ts';
import { noteSkipped, type Skipped } from './skipped.ts';
import type { MeowingTable, Tables } from './tables.ts';
import { type TimelinePage, timeline } from './timeline.ts';

type Trx = Transaction<Tables>;

/** Pages of one step: so much shares a transaction, and no writer waits longer than it takes. */
const PAGES = 4;

/** Kept with the version in the making. */
export interface BuildProgress {
  /** dropping: its tables are being emptied. differs: it is whole, and was not taken. */
  readonly state: 'folding' | 'whole' | 'differs' | 'dropping';
  readonly program: string;
  readonly to: string | null;
  /** All events before this time are in. */
  readonly time: string;
  readonly done: number;
  readonly total: number;
}

export function readProgress(text: string | null): BuildProgress | null {
  return text === null ? null : (JSON.parse(text) as BuildProgress);
}

export async function saveProgress(trx: Trx, progress: BuildProgress): Promise<void> {
  const row = trx.updateTable('model_version').set({ progress: JSON.stringify(progress) });
  await row.where('model', '=', MODEL).execute();
}

/** Steps of one version, from where `progress` says. */
export async function createSteps(
  parts: AsideParts,
  tables: ModelTables,
  progress: BuildProgress,
  guard: Guard,
): Promise<() => Promise<BuildStep>> {
  const { db, model, names, policy } = parts;
  const { to } = progress;
  let now = progress;
  if (now.state !== 'folding') return async () => ({ events: 0, finished: true });
  const seen = policy === 'stop' ? { isSeen: seenUpTo(await modelCursor(db, tables)) } : {};
  const scope: Scope = { ...seen, before: to };
  const fold = createFold(model, await savedStates(parts, tables));
  const wearings = await readWearings(db, model, names, scope);
  const pages = timeline({ db, model, names, wearings, scope, rows: parts.pageEvents }, now.time);
  return async () => {
    const skipped: Skipped[] = [];
    let [events, finished] = [0, false];
    for (let page = 0; page < PAGES && !finished; page += 1) {
      const { value }: { value?: TimelinePage } = await pages.next();
      if (value === undefined) break;
      skipped.push(...value.skipped);
      fold.add(value);
      events += value.events;
      finished = value.next === null;
      now = { ...now, state: finished ? 'whole' : 'folding', time: value.next ?? now.time };
    }
    now = { ...now, done: now.done + events };
    const { rows, checkpoints, states } = fold.take();
    await write(db, async (trx) => {
      await guard(trx);
      await insertOnce(trx, tables.meowing, rows);
      await saveCheckpoints(trx, tables, checkpoints);
      await saveCats(trx, tables, states);
      await noteSkipped(trx, tables.name, skipped);
      await saveProgress(trx, now);
    });
    return { events, finished };
  };
}

async function savedStates({ db }: AsideParts, tables: ModelTables): Promise<Map<number, CatState>> {
  const rows = await db.selectFrom(tables.cat).select(['id', 'state']).execute();
  return new Map(rows.map(({ id, state }) => [id, JSON.parse(state) as CatState]));
}

export interface Fold {
  add(page: TimelinePage): void;
  /** What all pages since the last call have made. */
  take(): Folded;
}

interface Folded {
  /** Cat by cat, so that they lie together in the tables, too. */
  readonly rows: readonly MeowingTable[];
  readonly checkpoints: readonly CatState[];
  /** Of the cats that it was about. */
  readonly states: readonly CatState[];
}

/** Holds one state a cat, and what nobody has taken yet. */
export function createFold(model: CatModel, states: Map<number, CatState>): Fold {
  const sinceCheckpoint = new Map<number, number>();
  let rows = new Map<number, MeowingTable[]>();
  let checkpoints: CatState[] = [];
  return {
    add({ facts }) {
      for (const { catId, fact } of facts) {
        const { state, row } = model.evolve(states.get(catId) ?? model.start(catId), fact);
        states.set(catId, state);
        const ofCat = rows.get(catId) ?? [];
        if (ofCat.length === 0) rows.set(catId, ofCat);
        if (row !== null) ofCat.push(meowingRow(row, fact));
        const since = (sinceCheckpoint.get(catId) ?? 0) + 1;
        sinceCheckpoint.set(catId, since % CHECKPOINT_FACTS);
        if (since === CHECKPOINT_FACTS) checkpoints.push(state);
      }
    },
    take() {
      const changed = [...rows.keys()].flatMap((catId) => states.get(catId) ?? []);
      const taken: Folded = { rows: [...rows.values()].flat(), checkpoints, states: changed };
      rows = new Map();
      checkpoints = [];
      return taken;
    },
  };
}
