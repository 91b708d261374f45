import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evolveCat, startCat } from '../../../src/central/models/cat.ts';
import { foldEvents } from '../../../src/central/models/fold.ts';
import type { CatState } from '../../../src/central/models/model.ts';
import type { CentralEvent } from '../../../src/central/store/store.ts';
import { MAX_PLACES, MAX_RECEIVERS } from '../../../src/place/place-filter.ts';
import { at, createWriter, epochId, type Writer } from '../store/events.ts';

const collar = 'collar/A';
const EVERY_S = 10;

function house(): { readonly central: Writer; readonly agents: ReadonlyMap<string, Writer> } {
  const central = createWriter('central', epochId(9));
  central.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, 0);
  central.add('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, 0);
  const agents = ['kitchen', 'hall', 'bath'].map(
    (name, i) => [name, createWriter(`pi-${name}`, epochId(i + 1))] as const,
  );
  return { central, agents: new Map(agents) };
}

/** Each agent hears it every ten seconds, each in its own rhythm. */
function stay(
  agents: ReadonlyMap<string, Writer>,
  from: number,
  to: number,
  dbm: Readonly<Record<string, number>>,
): void {
  for (const [i, [place, writer]] of [...agents].entries()) {
    const rssi = dbm[place];
    if (rssi === undefined) continue;
    for (let second = from + i * 3; second < to; second += EVERY_S)
      writer.add('collar.sighted', collar, { place, rssi, forMs: EVERY_S * 1_000 }, second);
  }
}

const pir = (agents: ReadonlyMap<string, Writer>, place: string, second: number) =>
  agents.get(place)?.add('collar.sighted', collar, { place, sensor: 'pir', motion: true }, second);

function stored({ central, agents }: ReturnType<typeof house>): CentralEvent[] {
  return [central, ...agents.values()].flatMap(({ agent, events }) =>
    events.map((event) => ({
      ...event,
      agent,
      shard: 0,
      arrival: event.seq,
      position: event.seq,
      revoked: false,
      reassignedTo: null,
      correction: null,
    })),
  );
}

/** Where the cat went and when, in seconds. */
function moves(
  events: readonly CentralEvent[],
): (readonly [seconds: number, from: string | null, to: string | null])[] {
  return foldEvents(events)
    .meowing.filter((row) => row.eventType === 'location')
    .map((row) => [(Date.parse(row.timestamp) - Date.parse(at(0))) / 1_000, row.oldValue, row.newValue]);
}

describe('sightings of several agents', () => {
  it('are one cat that walks from room to room', () => {
    const home = house();
    stay(home.agents, 1, 60, { kitchen: -55, hall: -75, bath: -85 });
    stay(home.agents, 60, 120, { kitchen: -75, hall: -55, bath: -70 });
    stay(home.agents, 120, 180, { kitchen: -88, hall: -72, bath: -52 });
    const found = moves(stored(home));
    expect(found.map(([, from, to]) => [from, to])).toEqual([
      [null, 'kitchen'],
      ['kitchen', 'hall'],
      ['hall', 'bath'],
    ]);
    for (const [i, [second]] of found.entries()) {
      expect(second).toBeGreaterThan(i * 60);
      expect(second).toBeLessThan(i * 60 + 2.5 * EVERY_S);
    }
  });

  it('give the same in whatever order they come', () => {
    const home = house();
    stay(home.agents, 1, 60, { kitchen: -55, hall: -60, bath: -85 });
    stay(home.agents, 60, 120, { kitchen: -75, hall: -55, bath: -58 });
    pir(home.agents, 'bath', 80);
    const events = stored(home);
    const expected = foldEvents(events);
    fc.assert(
      fc.property(fc.shuffledSubarray(events, { minLength: events.length }), (shuffled) => {
        expect(foldEvents(shuffled)).toEqual(expected);
      }),
    );
  });

  it('of one agent only tell its place, and an agent that hears it no more loses it', () => {
    const home = house();
    stay(home.agents, 1, 40, { kitchen: -90 });
    expect(moves(stored(home)).map(([, , to]) => to)).toEqual(['kitchen']);
    stay(home.agents, 70, 120, { bath: -95 });
    expect(moves(stored(home)).map(([, , to]) => to)).toEqual(['kitchen', 'bath']);
  });

  it('of motion sensors: the last one wins at once, whichever agent it is at, and no signal holds it back', () => {
    const home = house();
    stay(home.agents, 1, 40, { kitchen: -55, hall: -75 });
    pir(home.agents, 'hall', 41);
    pir(home.agents, 'bath', 43);
    pir(home.agents, 'hall', 44);
    pir(home.agents, 'kitchen', 46);
    pir(home.agents, 'kitchen', 47);
    expect(moves(stored(home)).slice(1)).toEqual([
      [41, 'kitchen', 'hall'],
      [43, 'hall', 'bath'],
      [44, 'bath', 'hall'],
      [46, 'hall', 'kitchen'],
    ]);
  });

  it('are told to have seen the collar, motion sensors not', () => {
    const home = house();
    stay(home.agents, 1, 4, { kitchen: -55 });
    pir(home.agents, 'hall', 30);
    expect(foldEvents(stored(home)).cats[0]).toMatchObject({ location: 'hall', lastSeen: at(1) });
  });

  it('know where a person or an agent says it is, until they are certain of another place', () => {
    const home = house();
    stay(home.agents, 1, 40, { kitchen: -55, hall: -75 });
    home.central.add('cat.moved', 'cat/1', { from: 'kitchen', to: 'hall', catId: 1 }, 41);
    stay(home.agents, 42, 44, { kitchen: -70, hall: -71 });
    expect(moves(stored(home)).at(-1)).toEqual([41, 'kitchen', 'hall']);
    stay(home.agents, 60, 120, { kitchen: -55, hall: -75 });
    expect(moves(stored(home)).at(-1)?.[2]).toBe('kitchen');
  });

  it('of names without end are shortened: what is kept of a cat fits into a column of 64 kB', () => {
    const home = house();
    for (let i = 0; i < 2 * MAX_RECEIVERS; i += 1) {
      const place = `${'\u{1F431}'.repeat(40)}${i}${'x'.repeat(10_000)}`;
      home.agents.get('kitchen')?.add('collar.sighted', collar, { place, sensor: place, rssi: -60 }, i);
    }
    const [cat] = foldEvents(stored(home)).cats;
    for (const [place] of cat?.sightings?.belief ?? []) expect([...place]).toHaveLength(64);
    expect(cat?.sightings?.receivers).toHaveLength(MAX_RECEIVERS);
    expect(Buffer.byteLength(JSON.stringify(cat))).toBeLessThan(64_000);
  });

  it('of another collar begin anew', () => {
    const home = house();
    stay(home.agents, 1, 40, { kitchen: -55, hall: -75 });
    home.central.add('collar.assigned', 'cat/1', { catId: 1, collar: 'B' }, 41);
    expect(foldEvents(stored(home)).cats[0]).not.toHaveProperty('sightings');
  });
});

describe('the state of a cat', () => {
  it('survives JSON at any moment and stays small', () => {
    const sighting = fc.record({
      place: fc.nat(2 * MAX_PLACES),
      receiver: fc.nat(2 * MAX_RECEIVERS),
      dbm: fc.option(fc.double({ min: -130, max: 20, noNaN: true })),
      atMs: fc.nat(120_000),
      forMs: fc.constantFrom(0, 5_000),
    });
    fc.assert(
      fc.property(fc.array(sighting, { maxLength: 150 }), (sightings) => {
        let whole: CatState = startCat(1);
        let kept: CatState = startCat(1);
        for (const [i, { place, receiver, dbm, atMs, forMs }] of sightings.entries()) {
          const change = { type: 'sighted', place: `p${place}`, receiver: `r${receiver}`, dbm, forMs } as const;
          const time = new Date(Date.parse(at(0)) + atMs).toISOString();
          const fact = { key: String(i), time, eventId: `e/${i}`, fromCollar: true, change };
          whole = evolveCat(whole, fact).state;
          kept = evolveCat(JSON.parse(JSON.stringify(kept)) as CatState, fact).state;
          expect(kept).toEqual(whole);
        }
        expect(whole.sightings?.receivers.length ?? 0).toBeLessThanOrEqual(MAX_RECEIVERS);
        expect(whole.sightings?.belief.length ?? 0).toBeLessThanOrEqual(MAX_PLACES);
      }),
    );
  });
});
