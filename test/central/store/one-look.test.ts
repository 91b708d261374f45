/** What a look at many cats costs the database. */
import { describe, expect, it } from 'vitest';
import { openAlertLog } from '../../../src/central/cats/alert-log.ts';
import { CHECK_EVERY_MS, openCatWatchDog } from '../../../src/central/cats/cat-watchdog.ts';
import { openStore } from '../../../src/central/open-store.ts';
import { fullType } from '../../../src/contract/event.ts';
import { freshUrl } from '../engines/fresh.ts';
import { at, createWriter, epochId, NOW } from './events.ts';
import { type LoggedReader, openLogged } from './logged.ts';

const ASSIGNED = fullType('collar.assigned');

/** So many cats, each with a collar that has shaken. */
async function houseOf(cats: number, work: (logged: LoggedReader) => Promise<void>): Promise<void> {
  const url = await freshUrl();
  const store = await openStore({ url });
  const hall = createWriter('hall', epochId(1));
  for (let catId = 1; catId <= cats; catId += 1) {
    hall.add('cat.named', `cat/${catId}`, { catId, oldName: null, newName: `Cat ${catId}` }, catId);
    hall.add('collar.assigned', `cat/${catId}`, { catId, collar: `C${catId}` }, catId);
    hall.add('meow.started', `collar/C${catId}`, { level: 1 }, 100 + catId);
  }
  await store.ingest(hall.batch(1, hall.events.length), NOW);
  while ((await store.project(500)).events > 0);
  await store.close();
  const logged = await openLogged(url);
  try {
    await work(logged);
  } finally {
    await logged.close();
  }
}

/** Queries of the first check, and of the next: how many read assignments, and how many others there are for each cat. */
async function checksOf(cats: number) {
  const found: { assignments: number; perCat: number; events: readonly number[] }[] = [];
  await houseOf(cats, async ({ reader, queriesOf }) => {
    let nowMs = Date.parse(at(200));
    const command = () => Promise.reject(new Error('nothing is to be written'));
    const dog = openCatWatchDog({
      store: reader,
      rules: [{ rule: 'shaking', meows: 12, withinMinutes: 10 }],
      clock: () => new Date(nowMs),
      log: openAlertLog({ command }, () => new Date(nowMs)),
      onAlert: () => undefined,
    });
    const rows = await reader.cats(new Date(nowMs));
    // Names of epochs are learnt once.
    await reader.newest({ limit: 1 });
    for (let check = 0; check < 2; check += 1) {
      let events: readonly number[] = [];
      const made = await queriesOf(async () => {
        events = (await dog.checkCats(rows)).map(({ newEvents }) => newEvents);
      });
      const assignments = made.filter(({ parameters }) => parameters.includes(ASSIGNED)).length;
      found.push({ assignments, perCat: (made.length - assignments) / cats, events });
      nowMs += CHECK_EVERY_MS;
    }
  });
  return found;
}

describe('one look', () => {
  it('at 30 cats reads the assignments as often as at 3, and as much of each cat', async () => {
    const [few, many] = [await checksOf(3), await checksOf(30)];
    expect(few.map(({ assignments }) => assignments)).toEqual([1, 1]);
    expect(few.map(({ events }) => events)).toEqual([
      [3, 3, 3],
      [0, 0, 0],
    ]);
    expect(many.map(({ assignments, perCat }) => ({ assignments, perCat }))).toEqual(
      few.map(({ assignments, perCat }) => ({ assignments, perCat })),
    );
    expect(many.flatMap(({ events }) => events.filter((count) => count !== 3))).toEqual(Array(30).fill(0));
  });

  it('answers as `newest` does, and the next one sees what was assigned in between', async () => {
    const url = await freshUrl();
    const store = await openStore({ url });
    const hall = createWriter('hall', epochId(1));
    hall.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Mia' }, 0);
    hall.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C1' }, 0);
    for (let i = 0; i < 9; i += 1) hall.add('meow.started', `collar/C${1 + (i % 2)}`, { level: 1 }, 10 + i);
    hall.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C2' }, 12);
    await store.ingest(hall.batch(1, 11), NOW);
    const query = { catId: 1, limit: 4 } as const;
    const [before, early] = [store.oneLook(), await store.newest(query)];
    expect(await before.newest(query)).toEqual(early);
    await store.ingest(hall.batch(12, 12), NOW);
    const late = await store.newest(query);
    expect(late.events.map(({ seq }) => seq)).not.toEqual(early.events.map(({ seq }) => seq));
    const next = store.oneLook();
    expect(await next.newest(query)).toEqual(late);
    expect(await next.newest({ ...query, before: late.next })).toEqual(
      await store.newest({ ...query, before: late.next }),
    );
    await store.close();
  });
});
