import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openReplayStore, openStore } from '../../../src/central/open-store.ts';
import { MOVED_ROWS } from '../../../src/central/store/move-times.ts';
import type { CentralEvent, Store } from '../../../src/central/store/store.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import type { EventBatch } from '../../../src/contract/envelope.ts';
import { freshUrl, rowsOf } from '../engines/fresh.ts';
import { at, createWriter, epochId, NOW, type Writer } from './events.ts';
import { allEvents, digest, folded } from './story.ts';

const NOON_MS = Date.parse(NOW);
/** The machine has started ten minutes before noon, and its clock stands at 1970. */
const STARTED_MS = NOON_MS - 600_000;
const OFF = { boot: 'b1', offsetMs: STARTED_MS } as const;

let url: string;
let store: Store;
let porch: Writer;

/** `seconds` after noon in truth. */
function unset(writer: Writer, to: string, seconds: number, boot = 'b1', startedMs = STARTED_MS): void {
  const monoMs = NOON_MS + seconds * 1_000 - startedMs;
  writer.addUnset('cat.moved', 'collar/A', { from: null, to }, { time: new Date(monoMs).toISOString(), boot, monoMs });
}

const whole = (writer: Writer): EventBatch => writer.batch(1, writer.events.length);

async function projectAll(): Promise<void> {
  while ((await store.project(1_000)).events > 0);
}

async function ingestAll(...batches: readonly EventBatch[]): Promise<void> {
  for (const batch of batches) await store.ingest(batch, NOW);
  await projectAll();
}

const told = (events: readonly CentralEvent[]) =>
  events.map(({ seq, time, originalTime }) => [seq, time, originalTime]);
const mine = async () => told((await allEvents(store)).filter(({ agent }) => agent === 'porch'));
const minka = async () => (await store.cats(new Date(NOW)))[0];

beforeEach(async () => {
  url = await freshUrl();
  store = await openStore({ url });
  const central = createWriter('central', epochId(9));
  central.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, -3_600);
  central.add('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, -3_600);
  await store.ingest(whole(central), NOW);
  porch = createWriter('porch', epochId(1));
});

afterEach(() => store.close());

describe('events before the clock was set', () => {
  it.each([[[1, 2, 3, 4]], [[3, 1, 4, 2]], [[4, 2, 1, 3]]])(
    'have the right time once it is, in whatever order that comes (%j), and what was received stays',
    async (order) => {
      unset(porch, 'kitchen', 1);
      unset(porch, 'garden', 2);
      porch.add('clock.synced', null, OFF, 3);
      unset(porch, 'hall', 4);
      for (const seq of order) await store.ingest(porch.batch(seq, seq), NOW);
      const { events } = await store.oldest({ agent: 'porch', limit: 10 });
      expect(told(events)).toEqual([
        [1, at(1), new Date(601_000).toISOString()],
        [2, at(2), new Date(602_000).toISOString()],
        [3, at(3), null],
        [4, at(4), new Date(604_000).toISOString()],
      ]);
      expect(events.map(({ clock, boot, monoMs }) => [clock, boot, monoMs])[0]).toEqual(['unsynced', 'b1', 601_000]);
      // The chain is over what was received, and what comes again is no conflict.
      const again = await store.ingest(whole(porch), NOW);
      expect(again).toMatchObject({ inserted: 0, duplicates: 4, conflicts: 0, chainOk: true });
      const chain = await store.chainAt(porch.epoch, 4);
      expect(chain === null ? null : chainHex(chain)).toBe(chainHex(porch.chain(4)));
    },
  );

  it('are uncertain, and as received, while nobody knows', async () => {
    unset(porch, 'kitchen', 1);
    await ingestAll(whole(porch));
    expect(await mine()).toEqual([[1, new Date(601_000).toISOString(), null]]);
    expect(await minka()).toMatchObject({ location: 'kitchen', locationSince: new Date(601_000).toISOString() });
  });

  it('move in the models: place, since, last seen, the meows of a day and its history', async () => {
    const monoMs = 601_000;
    const when = { time: new Date(monoMs).toISOString(), boot: 'b1', monoMs };
    porch.add('cat.moved', 'collar/A', { from: null, to: 'roof' }, -1_000);
    porch.addUnset('meow.started', 'collar/A', { level: 1 }, when);
    unset(porch, 'kitchen', 2);
    await ingestAll(whole(porch));
    expect(await minka()).toMatchObject({ location: 'roof', lastSeen: at(-1_000), meowsToday: 0 });
    porch.add('clock.synced', null, OFF, 3);
    await store.ingest(porch.batch(4, 4), NOW);
    const { changedCats, meows } = await store.project(100);
    // What began long ago is no news.
    expect([changedCats, meows]).toEqual([[1], []]);
    const now = { location: 'kitchen', locationSince: at(2), lastSeen: at(2), meowsToday: 1, isMeowed: true };
    expect(await minka()).toMatchObject(now);
    expect((await store.catHistory(1, 2)).map(({ timestamp }) => timestamp)).toEqual([at(2), at(1)]);
    expect((await store.catsAt(new Date(at(1.5))))[0]).toMatchObject({ location: 'roof', meowsToday: 1 });
    expect(await digest(store)).toEqual(folded(await allEvents(store)));
  });

  it('are found by the time that holds, in every order, and no longer by the other', async () => {
    for (let n = 1; n <= 5; n += 1) unset(porch, `place ${n}`, n);
    porch.add('clock.synced', null, OFF, 9);
    await ingestAll(whole(porch));
    const filter = { catId: 1, types: ['collard.cat.moved'], from: at(2), to: at(4), limit: 10 };
    expect((await store.events(filter)).events.map(({ seq }) => seq)).toEqual([2, 3]);
    expect((await store.oldest(filter)).events.map(({ seq }) => seq)).toEqual([2, 3]);
    expect((await store.newest({ ...filter, collar: 'A' })).events.map(({ seq }) => seq)).toEqual([3, 2]);
    expect((await store.newest({ to: at(-4_000), limit: 10 })).events).toEqual([]);
  });

  it('have the silence in them corrected as well', async () => {
    const time = new Date(700_000).toISOString();
    const lastSeen = new Date(601_000).toISOString();
    porch.addUnset('collar.silent', 'collar/A', { lastSeen }, { time, boot: 'b1', monoMs: 700_000 });
    porch.add('clock.synced', null, OFF, 200);
    await ingestAll(whole(porch));
    expect(await minka()).toMatchObject({ silent: true, lastSeen: at(1) });
  });

  it('go with the last word of their boot, by number, not by arrival, over epochs of one boot', async () => {
    const later = createWriter('porch', epochId(2));
    unset(porch, 'kitchen', 1);
    porch.add('clock.synced', null, { boot: 'b1', offsetMs: STARTED_MS + 5_000 }, 3);
    unset(later, 'garden', 2);
    later.add('clock.synced', null, OFF, 4);
    await ingestAll(whole(later), whole(porch));
    expect(await mine()).toEqual([
      [1, at(2), new Date(602_000).toISOString()],
      [2, at(4), null],
      [1, at(1), new Date(601_000).toISOString()],
      [2, at(3), null],
    ]);
    expect(await minka()).toMatchObject({ location: 'garden' });
  });

  it('stay as they are for what another boot or another agent says', async () => {
    const shed = createWriter('shed', epochId(3));
    unset(porch, 'kitchen', 1);
    unset(porch, 'garden', 2, 'b2', STARTED_MS + 60_000);
    porch.add('clock.synced', null, { boot: 'b2', offsetMs: STARTED_MS + 60_000 }, 3);
    shed.add('clock.synced', null, OFF, 3);
    await ingestAll(whole(porch), whole(shed));
    expect(await mine()).toEqual([
      [1, new Date(601_000).toISOString(), null],
      [2, at(2), new Date(542_000).toISOString()],
      [3, at(3), null],
    ]);
  });

  it('have their old time again where the word is taken back, and the new one after an undo', async () => {
    const central = createWriter('central', epochId(9));
    central.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, -3_600);
    central.add('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, -3_600);
    unset(porch, 'kitchen', 1);
    porch.add('clock.synced', null, { boot: 'b1', offsetMs: STARTED_MS + 5_000 }, 3);
    porch.add('clock.synced', null, OFF, 4);
    await ingestAll(whole(porch));
    const steps = [
      [{ epoch: porch.epoch, seq: 3, reason: 'wrong' }, at(6)],
      [{ epoch: porch.epoch, seq: 2, reason: 'wrong too' }, new Date(601_000).toISOString()],
      [{ epoch: central.epoch, seq: 3, reason: 'it was right' }, at(1)],
    ] as const;
    for (const [target, time] of steps) {
      const { seq } = central.add('event.revoked', null, target, 50);
      await ingestAll(central.batch(seq, seq));
      expect((await mine())[0]?.[1]).toBe(time);
      expect(await minka()).toMatchObject({ locationSince: time });
      expect(await digest(store)).toEqual(folded(await allEvents(store)));
    }
  }, 120_000);

  it('are many more than one transaction moves, and what a process left undone the next one does', async () => {
    const count = MOVED_ROWS + 500;
    for (let n = 1; n <= count; n += 1) unset(porch, `place ${n % 3}`, n / 100);
    for (let from = 1; from <= count; from += 500) await store.ingest(porch.batch(from, from + 499), NOW);
    porch.add('clock.synced', null, OFF, 60);
    await ingestAll(porch.batch(count + 1, count + 1));
    const moved = async () => (await store.oldest({ from: at(0), to: at(60), limit: 5_000 })).events.length;
    expect(await moved()).toBe(count);
    // As where the process ended before the first piece.
    const [epoch = []] = (await rowsOf(url, `select epoch_no from unset_clock`)).map(({ epoch_no: no }) => [no]);
    await rowsOf(
      url,
      `update event set time = original_time, original_time = null where epoch_no = ${epoch[0]}
      and clock = 'unsynced'`,
    );
    await rowsOf(url, `update unset_clock set due_seq = from_seq`);
    expect(await moved()).toBe(0);
    await projectAll();
    expect(await moved()).toBe(count);
    expect(await digest(store)).toEqual(folded(await allEvents(store)));
  }, 240_000);
});

describe('a store', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'collard-clocks-'));
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  const expire = (second: number) => store.expire({ dir, before: at(second), signal: new AbortController().signal });

  it('lets go by the corrected time, keeps what nobody knows, and a replay over segments makes the same of it', async () => {
    unset(porch, 'kitchen', 1);
    unset(porch, 'garden', 2);
    await ingestAll(whole(porch));
    expect((await expire(100)).events).toBe(0);
    porch.add('clock.synced', null, OFF, 50);
    unset(porch, 'hall', 3);
    await ingestAll(porch.batch(3, 4));
    expect((await expire(2)).events).toBe(1);
    expect((await expire(100)).events).toBe(3);
    const filter = { agent: 'porch', from: at(1), to: at(2.5) };
    const sealed = await store.whole(dir, filter, null);
    onTestFinished(() => sealed.close());
    expect(told(await sealed.next(10))).toEqual([
      [1, at(1), new Date(601_000).toISOString()],
      [2, at(2), new Date(602_000).toISOString()],
    ]);
    const replay = await openReplayStore({ url, segments: dir });
    onTestFinished(() => replay.close());
    expect((await replay.verifyModels(() => undefined)).equal).toBe(true);
    expect((await replay.wholeCatsAt(new Date(at(2.5))))[0]).toMatchObject({
      location: 'garden',
      locationSince: at(2),
    });
    const build = await replay.build({ to: null, accept: false, program: '1' });
    while (!(await build.step()).finished);
    expect(await build.compare()).toMatchObject({ equal: true });
    build.close();
  });

  it('of before, in which clocks were only noted, has the right times after an upgrade', async () => {
    unset(porch, 'kitchen', 1);
    porch.add('clock.synced', null, OFF, 3);
    await ingestAll(whole(porch));
    // As an older program has left it behind.
    for (const text of [
      `update event set time = original_time, original_time = null where original_time is not null`,
      `delete from clock_sync`,
      `delete from meta where name = 'settled.clocks'`,
      `update cat_v1 set location_since = '${new Date(601_000).toISOString()}'`,
    ])
      await rowsOf(url, text);
    await store.close();
    store = await openStore({ url });
    await projectAll();
    expect((await mine())[0]).toEqual([1, at(1), new Date(601_000).toISOString()]);
    expect(await minka()).toMatchObject({ locationSince: at(1) });
    expect((await store.counts()).skipped).toBe(0);
  });
});
