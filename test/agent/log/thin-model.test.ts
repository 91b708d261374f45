/** What the log gives up, and central: whatever becomes of what is sent, all that is not told to be lost arrives. */
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addEpoch, appendRows, type LogCore, readEvents, write } from '../../../src/agent/log/core.ts';
import { chainOfEpoch } from '../../../src/agent/log/epoch-chain.ts';
import { createProvenReader } from '../../../src/agent/log/read-proven.ts';
import { trimLog } from '../../../src/agent/log/trim.ts';
import { assertWhole } from '../../../src/agent/log/whole.ts';
import { openStore } from '../../../src/central/open-store.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { type ChainHash, chainHex, chainNext, chainStart } from '../../../src/contract/chain.ts';
import type { EventBatch } from '../../../src/contract/envelope.ts';
import { type NewEvent, type StoredEvent, shortType } from '../../../src/contract/event.ts';
import { lostRanges } from '../../../src/contract/lost.ts';
import { T0, tempFolder, timeAt } from './log-fixture.ts';
import { type Kind, kinds, mix, newCore } from './thin-rig.ts';

const NOW = timeAt(T0);

/** One agent's file, one central, and what was on its way between them. */
interface World {
  core: LogCore;
  readonly store: Store;
  readonly folder: string;
  /** Every event that was ever appended. */
  readonly all: Map<string, StoredEvent>;
  readonly flying: EventBatch[];
  appended: number;
  epochs: number;
}

const epochName = (n: number) => `01a20867-068a-70da-b9ee-${String(n).padStart(12, '0')}`;
const when = { time: NOW, clock: 'synced', boot: null, monoMs: null } as const;
const ports = { when: () => when, freeBytes: () => 1e9 };

const held = ({ core }: World): StoredEvent[] =>
  core.epochs.flatMap((epoch) =>
    readEvents(core.rows, epoch, { from: 1, to: epoch.lastSeq, limit: 1e9, maxBytes: 1e9 }),
  );
const keyOf = (one: Pick<StoredEvent, 'epoch' | 'seq'>) => `${one.epoch}/${one.seq}`;

/** Batches as the publisher cuts them: they end at holes. */
function batches(w: World, size: number): EventBatch[] {
  const cut: StoredEvent[][] = [];
  for (const one of held(w)) {
    const last = cut.at(-1);
    const before = last?.at(-1);
    if (last !== undefined && last.length < size && before?.epoch === one.epoch && before.seq + 1 === one.seq)
      last.push(one);
    else cut.push([one]);
  }
  return cut.map((events) => {
    const end = events.at(-1);
    const epoch = w.core.epochs.find((one) => one.epoch === end?.epoch);
    if (end === undefined || epoch === undefined) throw new Error('an empty batch');
    const chain = chainOfEpoch(w.core.rows, w.core.chains, epoch, end.seq);
    if (chain === null) throw new Error(`no chain at ${end.seq}`);
    return { agent: 'porch', events, chain };
  });
}

/** Also what is written and given up in one go is a part of the chain. */
function noteAll(core: LogCore, all: Map<string, StoredEvent>): LogCore {
  const { insert } = core.rows;
  return Object.assign(core, {
    rows: {
      ...core.rows,
      insert(pos: number, events: readonly NewEvent[]) {
        const { epoch, base } = core.epochs.at(-1) ?? { epoch: '', base: 0 };
        for (const [i, event] of events.entries()) {
          const seq = pos + i - base;
          all.set(`${epoch}/${seq}`, { ...event, epoch, seq });
        }
        insert(pos, events);
      },
    },
  });
}

async function stored(w: World): Promise<ReadonlyMap<string, StoredEvent & { position: number | null }>> {
  const { events } = await w.store.events({ limit: 1_000, agent: 'porch' });
  return new Map(events.map((one) => [keyOf(one), one]));
}

async function ingest(w: World, batch: EventBatch): Promise<void> {
  const { chainOk, conflicts } = await w.store.ingest(batch, NOW);
  expect({ chainOk, conflicts }).toEqual({ chainOk: true, conflicts: 0 });
}

async function marks(w: World): Promise<ReadonlyMap<string, number>> {
  const [row] = await w.store.agents().then((rows) => rows.filter(({ agent }) => agent === 'porch'));
  return new Map(row?.epochs.map(({ epoch, mark }) => [epoch, mark]));
}

const commands = {
  append: (w: World, group: readonly Kind[]) => {
    write(w.core, () => appendRows(w.core, mix(group, w.appended)));
    w.appended += group.length;
  },
  /** To so many bytes above an empty file. */
  trim: async (w: World, bytes: number, rows: number) => {
    await trimLog(w.core, T0, { keepDays: 1e9, keepBytes: 1e9, budgetBytes: 40_000 + bytes }, ports, rows);
  },
  epoch: (w: World) => {
    w.epochs += 1;
    write(w.core, () => addEpoch(w.core, epochName(w.epochs), 0, 'test'));
  },
  reopen: (w: World) => {
    w.core.db.close();
    w.core = noteAll(newCore(w.core.path, ''), w.all);
  },
  send: (w: World, size: number) => {
    w.flying.push(...batches(w, size));
  },
  arrive: async (w: World, nth: number, again: boolean) => {
    const batch = w.flying[nth % Math.max(1, w.flying.length)];
    if (batch === undefined) return;
    if (!again) w.flying.splice(w.flying.indexOf(batch), 1);
    await ingest(w, batch);
  },
  drop: (w: World, nth: number) => {
    w.flying.splice(nth % Math.max(1, w.flying.length), 1);
  },
  /** Central tells its marks; the log may trim below them. */
  confirm: async (w: World) => {
    for (const [epoch, mark] of await marks(w)) {
      const state = w.core.epochs.find((one) => one.epoch === epoch);
      if (state !== undefined) state.storedSeq = Math.min(mark, state.lastSeq);
    }
  },
};

const step: fc.Arbitrary<(w: World) => unknown> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 1, max: 7 })), { minLength: 1, maxLength: 8 })
      .map(
        (runs) => (w: World) =>
          commands.append(
            w,
            runs.flatMap(([kind, count]) => Array<Kind>(count).fill(kind)),
          ),
      ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat({ max: 25_000 }), fc.integer({ min: 1, max: 12 })).map(
      ([bytes, rows]) =>
        (w: World) =>
          commands.trim(w, bytes, rows),
    ),
  },
  { weight: 1, arbitrary: fc.constant(commands.epoch) },
  { weight: 1, arbitrary: fc.constant(commands.reopen) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 9 }).map((size) => (w: World) => commands.send(w, size)) },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.nat({ max: 40 }), fc.boolean()).map(
      ([nth, again]) =>
        (w: World) =>
          commands.arrive(w, nth, again),
    ),
  },
  { weight: 1, arbitrary: fc.nat({ max: 40 }).map((nth) => (w: World) => commands.drop(w, nth)) },
  { weight: 2, arbitrary: fc.constant(commands.confirm) },
);

/** Central's mark never passes an event that the agent holds and central does not. */
async function checkMarks(w: World): Promise<void> {
  const there = await stored(w);
  const passed = await marks(w);
  const skipped = held(w).filter((one) => one.seq <= (passed.get(one.epoch) ?? 0) && !there.has(keyOf(one)));
  expect(skipped.map(keyOf)).toEqual([]);
}

/** Every chain that is still known is that of the whole history. */
function checkChains(w: World): void {
  for (const epoch of w.core.epochs) {
    let truth: ChainHash = chainStart('porch', epoch.epoch);
    for (let seq = 1; seq <= epoch.lastSeq; seq += 1) {
      const one = w.all.get(`${epoch.epoch}/${seq}`);
      if (one === undefined) throw new Error(`${seq} was never noted`);
      truth = chainNext(truth, one);
      const known = chainOfEpoch(w.core.rows, w.core.chains, epoch, seq);
      const isHeld = w.core.rows.first(epoch.base + seq - 1, epoch.base + seq) !== null;
      if (known !== null) expect(chainHex(known)).toBe(chainHex(truth));
      else expect(isHeld || seq === epoch.lastSeq).toBe(false);
    }
  }
  assertWhole(w.core);
  // Nor is anything that was given up taken for damage by whoever reads on.
  const read = createProvenReader(w.core);
  for (const epoch of w.core.epochs)
    read(epoch, { from: epoch.firstSeq, to: epoch.lastSeq, limit: 1e9, maxBytes: 1e9 });
}

async function settle(w: World, order: number): Promise<void> {
  const left = batches(w, 4);
  while (left.length > 0) await ingest(w, left.splice((order * 7919) % left.length, 1)[0] as EventBatch);
  for (const { epoch, firstSeq, lastSeq } of w.core.epochs) {
    const state = w.core.epochs.find((one) => one.epoch === epoch);
    const chain = state === undefined ? null : chainOfEpoch(w.core.rows, w.core.chains, state, lastSeq);
    if (chain === null) throw new Error('no chain at the end');
    expect(await w.store.sync('porch', { epoch, firstSeq, lastSeq, chain }, NOW)).toMatchObject({
      seq: lastSeq,
      need: [],
    });
  }
}

/** Nothing is lost that is not told, positions are gapless, and what was never given up is in order. */
async function checkEnd(w: World): Promise<void> {
  const there = await stored(w);
  for (const [key, one] of there) expect(w.all.get(key)).toMatchObject({ data: one.data, type: one.type });
  const told = [...there.values()]
    .filter((one) => shortType(one.type) === 'history.lost')
    .map((one) => JSON.parse(one.data));
  const isTold = ({ epoch, seq }: StoredEvent) =>
    told.some((data) => data.epoch === epoch && (lostRanges(data) ?? []).some(([a, b]) => a <= seq && seq <= b));
  expect([...w.all.values()].filter((one) => !there.has(keyOf(one)) && !isTold(one)).map(keyOf)).toEqual([]);
  const positions = [...there.values()].map(({ position }) => position ?? 0).sort((a, b) => a - b);
  expect(positions).toEqual(positions.map((_, i) => i + 1));
  for (const { epoch } of w.core.epochs) {
    const own = [...there.values()].filter((one) => one.epoch === epoch && !isTold(one));
    const byPosition = own.sort((a, b) => (a.position ?? 0) - (b.position ?? 0)).map(({ seq }) => seq);
    expect(byPosition).toEqual([...byPosition].sort((a, b) => a - b));
  }
}

it('whatever is given up, sent, lost, repeated and reordered: central holds all that is not told to be lost', async () => {
  const told = { byWorth: 0, inRuns: 0, oldest: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 45 }), fc.nat(), async (steps, order) => {
      const folder = tempFolder();
      const store = await openStore({ url: `sqlite:${join(folder, 'central.db')}` });
      const all = new Map<string, StoredEvent>();
      const core = noteAll(newCore(join(folder, 'events.db'), epochName(1)), all);
      const w: World = { core, store, folder, all, flying: [], appended: 0, epochs: 1 };
      try {
        for (const one of steps) {
          await one(w);
          await checkMarks(w);
        }
        checkChains(w);
        await settle(w, order);
        await checkMarks(w);
        await checkEnd(w);
        for (const one of all.values()) {
          if (shortType(one.type) !== 'history.lost') continue;
          const { reason, runs } = JSON.parse(one.data) as { reason: string; runs?: unknown };
          if (reason === 'disk budget') told.oldest += 1;
          else told.byWorth += 1;
          if (runs !== undefined) told.inRuns += 1;
        }
      } finally {
        w.core.db.close();
        await store.close();
      }
    }),
    { numRuns: 25, endOnFailure: true },
  );
  expect(Math.min(...Object.values(told))).toBeGreaterThan(0);
}, 120_000);
