/** Makes a version from all events, in the order of time. Each step is one short transaction, and the next replay may go on from it. */
import type { Transaction } from 'kysely';
import type { CatModel, CatState, FactKey } from '../models/model.ts';
import { type AsideParts, type Guard, write } from './aside.ts';
import { seenUpTo } from './derive.ts';
import { CHECKPOINT_FACTS, isFused } from './derive-cat.ts';
import { readWearings, type Scope } from './facts.ts';
import { readHorizon } from './horizon.ts';
import { insertOnce } from './insert-once.ts';
import { meowingRow, saveCats, saveCheckpoints } from './model-rows.ts';
import { MODEL, type ModelTables, modelCursor } from './model-tables.ts';
import type { BuildStep } from './replay-store.ts';
import { openSealedRows } from './sealed-rows.ts';
import { noteSkipped, type Skipped } from './skipped.ts';
import type { MeowingTable, Tables } from './tables.ts';
import { type TimelinePage, timeline } from './timeline.ts';

type Trx = Transaction<Tables>;

/** Events of one step: they share a transaction, and no writer waits longer than it takes. */
const STEP_EVENTS = 16_000;
/** Pages of one step, at least. */
const STEP_PAGES = 4;
/** Small pages are gone before they burden the garbage collector. */
const PAGE_EVENTS = 1_000;

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

export interface Steps {
  step(): Promise<BuildStep>;
  close(): void;
}

/** Steps of one version, from where `progress` says. Rejects with code EXPIRED as `openSealedRows` does. */
export async function createSteps(
  parts: AsideParts,
  tables: ModelTables,
  progress: BuildProgress,
  guard: Guard,
): Promise<Steps> {
  const { db, model, names, policy, stepEvents = STEP_EVENTS } = parts;
  const pageEvents = Math.min(PAGE_EVENTS, Math.ceil(stepEvents / STEP_PAGES));
  const { to } = progress;
  let now = progress;
  if (now.state !== 'folding') {
    return {
      step: async () => ({ phase: 'folding', events: 0, segmentsLeft: 0, finished: true }),
      close: () => undefined,
    };
  }
  const sealed = await openSealedRows(db, parts.segments, { from: now.time, to });
  const seen = policy === 'stop' ? { isSeen: seenUpTo(await modelCursor(db, tables)) } : {};
  const scope: Scope = { ...seen, before: to };
  // A past time is looked at and never goes on.
  const fold = createFold(model, await savedStates(parts, tables), to === null ? await readHorizon(db) : '');
  const wearings = await readWearings(db, model, names, scope);
  const pages = timeline({ db, model, names, wearings, scope, rows: pageEvents, sealed }, now.time);
  const step = async (): Promise<BuildStep> => {
    if (sealed.left > 0) {
      const events = await sealed.loadNext();
      return { phase: 'reading segments', events, segmentsLeft: sealed.left, finished: false };
    }
    const skipped: Skipped[] = [];
    let [events, finished] = [0, false];
    while (events < stepEvents && !finished) {
      const { value }: { value?: TimelinePage } = await pages.next();
      if (value === undefined) break;
      skipped.push(...value.skipped);
      fold.add(value);
      events += value.events;
      finished = value.next === null;
      now = { ...now, state: finished ? 'whole' : 'folding', time: value.next ?? now.time };
    }
    now = { ...now, done: now.done + events };
    if (finished) fold.end();
    const { rows, checkpoints, states } = fold.take();
    await write(db, async (trx) => {
      await guard(trx);
      await insertOnce(trx, tables.meowing, rows);
      await saveCheckpoints(trx, tables, checkpoints);
      await saveCats(trx, tables, states);
      await noteSkipped(trx, tables.name, skipped);
      await saveProgress(trx, now);
    });
    return { phase: 'folding', events, segmentsLeft: 0, finished };
  };
  return { step, close: sealed.close };
}

async function savedStates({ db }: AsideParts, tables: ModelTables): Promise<Map<number, CatState>> {
  const rows = await db.selectFrom(tables.cat).select(['id', 'state']).execute();
  return new Map(rows.map(({ id, state }) => [id, JSON.parse(state) as CatState]));
}

export interface Fold {
  add(page: TimelinePage): void;
  /** There is no more: what has had no fact since the pin gets its checkpoint. */
  end(): void;
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

/**
 * Holds one state a cat, and what nobody has taken yet. Each cat gets a checkpoint with all its facts before `pinAt`: what comes late
 * goes back no further, since the events before it are no rows any more.
 */
export function createFold(model: CatModel, states: Map<number, CatState>, pinAt: FactKey = ''): Fold {
  const sinceCheckpoint = new Map<number, number>();
  const isPinned = ({ key }: CatState) => key !== '' && key < pinAt;
  let rows = new Map<number, MeowingTable[]>();
  let checkpoints: CatState[] = [];
  return {
    add({ facts }) {
      for (const { catId, fact } of facts) {
        const before = states.get(catId) ?? model.start(catId);
        if (fact.key >= pinAt && isPinned(before)) checkpoints.push(before);
        const evolved = model.evolve(before, fact);
        const { state, row } = evolved;
        states.set(catId, state);
        const ofCat = rows.get(catId) ?? [];
        if (ofCat.length === 0) rows.set(catId, ofCat);
        if (row !== null) ofCat.push(meowingRow(row, fact));
        const since = (sinceCheckpoint.get(catId) ?? 0) + 1;
        sinceCheckpoint.set(catId, since % CHECKPOINT_FACTS);
        if (since === CHECKPOINT_FACTS || isFused(evolved, fact)) checkpoints.push(state);
      }
    },
    end() {
      checkpoints.push(...[...states.values()].filter(isPinned));
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
