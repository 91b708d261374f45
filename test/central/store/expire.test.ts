import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { DELETE_ROWS } from '../../../src/central/store/delete-sealed.ts';
import type { ExpireOptions } from '../../../src/central/store/retention-store.ts';
import { readSegments, verifySegment } from '../../../src/central/store/segment-file.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { chainHex, chainStart } from '../../../src/contract/chain.ts';
import { freshStore } from '../engines/fresh.ts';
import { at, createWriter, epochId, meowing, NOW, type Writer } from './events.ts';

let home: string;
let dir: string;
let store: Store;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'collard-expire-'));
  dir = join(home, 'segments');
  store = await freshStore();
});

afterEach(async () => {
  await store.close();
  rmSync(home, { recursive: true });
});

const expire = (before: string, more: Partial<ExpireOptions> = {}) =>
  store.expire({ dir, before, signal: new AbortController().signal, ...more });

async function send(writer: Writer, from = 1, to = writer.events.length): Promise<void> {
  for (let at = from; at <= to; at += 500) await store.ingest(writer.batch(at, Math.min(to, at + 499)), NOW);
}

async function fold(): Promise<void> {
  while ((await store.project(2_000)).events > 0);
}

async function ids(): Promise<string[]> {
  const { events } = await store.oldest({ limit: 100_000 });
  return events.map(({ epoch, seq }) => `${epoch}/${seq}`);
}

async function sealed(): Promise<string[]> {
  const found: string[] = [];
  for await (const { epoch, seq } of readSegments(dir)) found.push(`${epoch}/${seq}`);
  return found;
}

/** Porch shakes once a second; Mia wears its collar. */
async function fill(count: number): Promise<Writer> {
  const hall = createWriter('hall', epochId(2));
  hall.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }, 0);
  hall.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C0FFEE01' }, 0);
  const porch = meowing('porch', epochId(1), count);
  await send(hall);
  await send(porch);
  await fold();
  return porch;
}

const model = async () => ({ cats: await store.cats(new Date(NOW)), history: await store.catHistory(1, 100_000) });

describe('retention', () => {
  it('makes folder and segments for their owner only', async () => {
    const before = process.umask(0o022);
    onTestFinished(() => void process.umask(before));
    await fill(10);
    const modeOf = (path: string) => statSync(path).mode & 0o777;
    const whileAtIt = new Set<number>();
    const step = () => {
      for (const name of readdirSync(dir)) whileAtIt.add(modeOf(join(dir, name)));
    };
    expect(await expire(at(600), { step })).toMatchObject({ events: 12 });
    expect(modeOf(dir)).toBe(0o700);
    expect([...whileAtIt]).toEqual([0o600]);
    expect(new Set(readdirSync(dir).map((name) => modeOf(join(dir, name))))).toEqual(new Set([0o600]));
  });

  it('moves what is old into a sealed segment, and keeps chain, mark and models', async () => {
    const porch = await fill(1_000);
    const before = await model();
    const all = await ids();
    expect(await expire(at(600))).toMatchObject({ segments: 2, events: 602, waiting: null });
    expect((await store.oldest({ limit: 1, agent: 'porch' })).events).toMatchObject([{ seq: 601 }]);
    // Names and collars stay: they say what other events are about.
    expect((await store.oldest({ limit: 10, agent: 'hall' })).events).toHaveLength(2);
    expect((await sealed()).filter((id) => !all.includes(id))).toEqual([]);
    expect(new Set([...(await sealed()), ...(await ids())])).toEqual(new Set(all));
    expect(await model()).toEqual(before);
    for (const seq of [600, 601, 900, 1_000]) {
      expect(await store.chainAt(porch.epoch, seq)).toEqual(Buffer.from(porch.chain(seq)));
    }
    expect(await store.chainAt(porch.epoch, 599)).toBeNull();
    expect((await store.segments()).at(-1)).toMatchObject({
      ...{ agent: 'porch', fromSeq: 1, toSeq: 600, events: 600, done: true },
      chain: chainHex(porch.chain(600)),
    });
    // Nothing is left to do, until time goes on.
    expect(await expire(at(600))).toMatchObject({ segments: 0 });
    expect(await expire(at(700))).toMatchObject({ segments: 1, events: 100 });
    for (const { file } of await store.segments()) await verifySegment(dir, file);
  });

  it('drops what comes again and was deleted', async () => {
    const porch = await fill(1_000);
    await expire(at(600));
    const again = await store.ingest(porch.batch(301, 800), NOW);
    expect(again).toMatchObject({ inserted: 0, duplicates: 500, conflicts: 0, stored: { seq: 1_000 } });
    expect((await store.oldest({ limit: 1, agent: 'porch' })).events).toMatchObject([{ seq: 601 }]);
  });

  it('drops it also where it was called lost and came after all', async () => {
    const porch = meowing('porch', epochId(1), 20);
    porch.add('history.lost', null, { epoch: porch.epoch, fromSeq: 5, toSeq: 8, count: 4, reason: 'disk' }, 20);
    await store.ingest(porch.batch(1, 4), NOW);
    await store.ingest(porch.batch(9, 21), NOW);
    await store.ingest(porch.batch(5, 8), NOW);
    await fold();
    expect(await expire(at(10))).toMatchObject({ events: 10 });
    expect(await store.ingest(porch.batch(1, 8), NOW)).toMatchObject({ inserted: 0, duplicates: 8 });
  });

  it('folds what comes late no further back than it must', async () => {
    await fill(1_000);
    await expire(at(600));
    const before = await model();
    const late = createWriter('late', epochId(3));
    late.add('cat.moved', 'collar/C0FFEE01', { from: null, to: 'roof' }, 100);
    late.add('cat.moved', 'collar/C0FFEE01', { from: null, to: 'attic' }, 700);
    await send(late, 1, 1);
    await fold();
    // Before the horizon: kept, and for a replay to fold.
    expect(await model()).toEqual(before);
    await send(late, 2, 2);
    await fold();
    const { cats, history } = await model();
    expect(cats).toMatchObject([{ name: 'Mia', location: 'attic', meowsToday: before.cats[0]?.meowsToday }]);
    expect(history).toHaveLength(before.history.length + 1);
  });

  it('is done where few events lie far apart: an agent numbers its own', async () => {
    const far = 1e12;
    const one = createWriter('porch', epochId(1)).add('meow.started', 'collar/C0FFEE01', { level: 1.5 }, 0);
    const events = [far, far + 1].map((seq) => ({ ...one, seq }));
    await store.ingest({ agent: 'porch', events, chain: null }, NOW);
    const said = { epoch: one.epoch, firstSeq: far, lastSeq: far + 1, chain: chainStart('porch', one.epoch) };
    await store.sync('porch', said, NOW);
    await send(meowing('hall', epochId(2), 20));
    await fold();
    const stop = new AbortController();
    let deletes = 0;
    const step = (name: string) => {
      if (name === 'deleted') deletes += 1;
      // Each step is a transaction: one that never ends is ended here.
      if (deletes > 100) stop.abort();
    };
    expect(await expire(at(600), { signal: stop.signal, step })).toMatchObject({ segments: 2, events: 22 });
    expect(deletes).toBe(2);
    expect(await store.segments()).toMatchObject([
      { agent: 'porch', fromSeq: 1, toSeq: far + 1, events: 2, done: true },
      { agent: 'hall', fromSeq: 1, toSeq: 20, events: 20, done: true },
    ]);
    expect(await ids()).toEqual([]);
  });

  it('deletes a step at a time, and none of what stays', async () => {
    const porch = createWriter('porch', epochId(1));
    for (let i = 0; i < DELETE_ROWS + 3; i += 1) {
      if (i % 1_000 === 0) porch.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C0FFEE01' }, i);
      porch.add('meow.started', 'collar/C0FFEE01', { level: 1.5 }, i);
    }
    await send(porch);
    await fold();
    const steps: string[] = [];
    await expire(at(86_400), { step: (name) => steps.push(name) });
    expect(steps.slice(-3)).toEqual(['deleted', 'deleted', 'done']);
    expect((await store.oldest({ limit: 100 })).events.map(({ seq }) => seq)).toEqual([1, 1_002, 2_003]);
  });

  it('leaves what no clock or no model vouches for', async () => {
    const porch = meowing('porch', epochId(1), 10);
    const unsynced = { clock: 'unsynced', boot: 'b', monoMs: 1 } as const;
    const events = porch.events.map((event) => (event.seq > 6 ? { ...event, ...unsynced } : event));
    await store.ingest({ agent: 'porch', events, chain: null }, NOW);
    expect(await expire(at(9))).toMatchObject({ events: 0 });
    await fold();
    // Event 7 and on say by a clock that was never set when they happened.
    expect(await expire(at(9))).toMatchObject({ events: 6 });
  });

  it('an aborted run goes on where it was', async () => {
    await fill(5_000);
    const stop = new AbortController();
    await expire(at(4_900), { signal: stop.signal, step: atSecond(() => stop.abort()) });
    expect((await store.segments()).map(({ done }) => done)).toEqual([true, false]);
    await expire(at(4_900));
    expect((await store.segments()).every(({ done }) => done)).toBe(true);
    expect((await store.oldest({ limit: 1, agent: 'porch' })).events).toMatchObject([{ seq: 4_901 }]);
  });

  it('deletes nothing where a segment is damaged, and says which and what to do', async () => {
    await fill(5_000);
    const stop = new AbortController();
    await expire(at(4_900), { signal: stop.signal, step: atSecond(() => stop.abort()) });
    const file = (await store.segments()).at(-1)?.file ?? '';
    const bytes = readFileSync(join(dir, file));
    const left = (await ids()).length;
    for (const broken of [
      bytes.with(bytes.length >> 1, 0xff ^ (bytes[bytes.length >> 1] ?? 0)),
      bytes.subarray(0, -40),
    ]) {
      writeFileSync(join(dir, file), broken);
      await expect(expire(at(4_900))).rejects.toMatchObject({
        code: 'SEGMENT_DAMAGED',
        message: expect.stringMatching(new RegExp(`${file} .*: put it back from a backup`)),
      });
      expect(await ids()).toHaveLength(left);
    }
    writeFileSync(join(dir, file), bytes);
    await expire(at(4_900));
    expect(await ids()).toHaveLength(102);
  });

  it('writes over no segment that goes further than the store', async () => {
    await fill(1_000);
    await expire(at(600));
    await store.close();
    store = await freshStore();
    await fill(500);
    await expect(expire(at(400))).rejects.toMatchObject({ code: 'SEGMENT_EXISTS' });
    expect(await ids()).toHaveLength(502);
  });
});

/** The first that is deleted is of hall, which has two events. */
function atSecond(act: () => void): (name: string) => void {
  let deleted = 0;
  return (name) => {
    if (name === 'deleted') deleted += 1;
    if (deleted === 2) act();
  };
}
