import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventFilter, Store, WholePlace } from '../../../src/central/store/store.ts';
import { freshStore, runs } from '../engines/fresh.ts';
import { at, createWriter, epochId, meowing, NOW } from './events.ts';

let dir: string;
let store: Store;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'collard-whole-'));
  store = await freshStore();
});

afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

const id = ({ epoch, seq }: { readonly epoch: string; readonly seq: number }) => `${epoch.slice(-1)}/${seq}`;

async function expire(second: number): Promise<void> {
  await store.expire({ dir, before: at(second), signal: new AbortController().signal });
}

/** Mia and Tom, whose collars two agents hear; the second one began 25 s later. */
async function fill(): Promise<readonly string[]> {
  const hall = createWriter('hall', epochId(2));
  for (const [i, name] of ['Mia', 'Tom'].entries()) {
    hall.add('cat.named', `cat/${i + 1}`, { catId: i + 1, oldName: null, newName: name }, i);
    hall.add('collar.assigned', `cat/${i + 1}`, { catId: i + 1, collar: `C${i + 1}` }, i);
  }
  const porch = meowing('porch', epochId(1), 60, 'C1');
  const shed = createWriter('shed', epochId(3));
  for (let i = 0; i < 40; i += 1) shed.add('cat.moved', 'collar/C2', { from: null, to: 'roof' }, 25 + i);
  for (const writer of [hall, porch, shed]) await store.ingest(writer.batch(1, writer.events.length), NOW);
  while ((await store.project(1_000)).events > 0);
  return [hall, porch, shed].flatMap(({ events }) => events.map(id)).sort();
}

async function all(filter: EventFilter = {}, limit = 7): Promise<string[]> {
  const whole = await store.whole(dir, filter, null);
  const found: string[] = [];
  for (let page = await whole.next(limit); page.length > 0; page = await whole.next(limit)) found.push(...page.map(id));
  await whole.close();
  return found;
}

describe('all events, from segments and rows', () => {
  it('come once, wherever one breaks off and whatever goes into segments meanwhile', async () => {
    const events = await fill();
    let cut = 0;
    const breaks = fc.array(
      fc.record({ limit: fc.integer({ min: 1, max: 30 }), cut: fc.boolean(), again: fc.boolean() }),
      {
        minLength: 4,
        maxLength: 30,
        size: 'max',
      },
    );
    await fc.assert(
      fc.asyncProperty(breaks, async (steps) => {
        const found: string[] = [];
        let whole = await store.whole(dir, {}, null);
        for (let i = 0; ; i += 1) {
          const { limit, cut: goes, again } = steps[i % steps.length] ?? { limit: 1, cut: false, again: false };
          const page = await whole.next(limit);
          if (page.length === 0) break;
          expect(page.length).toBeLessThanOrEqual(limit);
          found.push(...page.map(id));
          if (goes && cut < 70) {
            cut += 3;
            await expire(cut);
          }
          if (!again) continue;
          const place = JSON.parse(JSON.stringify(whole.place())) as WholePlace;
          await whole.close();
          whole = await store.whole(dir, {}, place);
        }
        await whole.close();
        expect(found.sort()).toEqual(events);
      }),
      { numRuns: runs(30) },
    );
    expect((await store.segments()).length).toBeGreaterThan(2);
  });

  it('are those that are asked for', async () => {
    await fill();
    const asked: readonly EventFilter[] = [
      { from: at(10), to: at(40) },
      { agent: 'shed', to: at(30) },
      { catId: 2 },
      { catId: 1, types: ['collard.meow.started'], from: at(5) },
      { collar: 'C2', to: at(26) },
    ];
    const before = await Promise.all(asked.map((filter) => all(filter)));
    expect(before.map(({ length }) => length)).toEqual([45, 5, 42, 27, 1]);
    await expire(45);
    for (const [i, filter] of asked.entries()) expect((await all(filter)).sort()).toEqual(before[i]?.sort());
  });

  it('have what corrects them, and need the folder of the segments', async () => {
    await fill();
    await expire(45);
    const central = createWriter('central', epochId(9));
    central.add('event.revoked', null, { epoch: epochId(1), seq: 3, reason: 'a dog' }, 70);
    central.add('event.reassigned', null, { epoch: epochId(1), seq: 4, catId: 2, reason: 'Tom' }, 70);
    await store.ingest(central.batch(1, 2), NOW);
    const whole = await store.whole(dir, { agent: 'porch' }, null);
    const [third, fourth] = (await whole.next(4)).slice(2);
    expect(third).toMatchObject({ seq: 3, revoked: true });
    expect(fourth).toMatchObject({ seq: 4, reassignedTo: 2 });
    expect(fourth === undefined ? [] : whole.cats(fourth)).toEqual([1, 2]);
    await whole.close();
    await expect(store.whole(undefined, {}, null)).rejects.toMatchObject({ code: 'EXPIRED' });
  });
});
