import { describe, expect, it } from 'vitest';
import { foldEvents } from '../../../src/central/models/fold.ts';
import type { CentralEvent } from '../../../src/central/store/store.ts';
import { at, createWriter, epochId, type Writer } from '../store/events.ts';

function central(
  writer: Writer,
  revoked: readonly number[] = [],
  reassigned: Readonly<Record<number, number>> = {},
): CentralEvent[] {
  return writer.events.map((event) => ({
    ...event,
    agent: writer.agent,
    shard: 0,
    arrival: event.seq,
    position: event.seq,
    revoked: revoked.includes(event.seq),
    reassignedTo: reassigned[event.seq] ?? null,
    correction: null,
  }));
}

function minka(): Writer {
  const writer = createWriter('porch', epochId(1));
  writer.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, 0);
  writer.add('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, 1);
  return writer;
}

describe('a fold', () => {
  it('follows a cat by its collar', () => {
    const writer = minka();
    writer.add('cat.moved', 'collar/A', { from: null, to: 'kitchen' }, 2);
    writer.add('meow.started', 'collar/A', { level: 1 }, 3);
    writer.add('battery.low', 'collar/A', { percent: 5 }, 4);
    writer.add('meow.started', 'collar/B', { level: 1 }, 5);
    const { cats, meowing } = foldEvents(central(writer));
    expect(cats).toMatchObject([
      {
        catId: 1,
        name: 'Minka',
        collar: 'A',
        location: 'kitchen',
        locationSince: at(2),
        isMeowed: true,
        batteryLow: true,
        lastSeen: at(4),
      },
    ]);
    expect(meowing.map((row) => row.eventType)).toEqual(['cat_name', 'location', 'meow']);
  });

  it('ends before the moment that is asked for', () => {
    const writer = minka();
    writer.add('cat.moved', 'collar/A', { from: null, to: 'kitchen' }, 2);
    expect(foldEvents(central(writer), at(2)).cats[0]?.location).toBeNull();
    expect(foldEvents(central(writer), at(3)).cats[0]?.location).toBe('kitchen');
    expect(foldEvents(central(writer), at(0)).cats).toEqual([]);
  });

  it('leaves out what was revoked', () => {
    const writer = minka();
    writer.add('cat.moved', 'collar/A', { from: null, to: 'kitchen' }, 2);
    writer.add('cat.moved', 'collar/A', { from: 'kitchen', to: 'garden' }, 3);
    expect(foldEvents(central(writer, [4])).cats[0]?.location).toBe('kitchen');
    expect(foldEvents(central(writer, [2])).cats[0]).toMatchObject({ collar: null, location: null });
    expect(foldEvents(central(writer, [1])).cats).toEqual([]);
  });

  it('counts an event for the cat that a correction gives it to', () => {
    const writer = minka();
    writer.add('cat.named', 'cat/2', { catId: 2, oldName: null, newName: 'Otto' }, 2);
    writer.add('cat.moved', 'collar/A', { from: null, to: 'kitchen' }, 3);
    writer.add('cat.moved', 'cat/1', { from: null, to: 'garden', catId: 1 }, 4);
    const at4 = foldEvents(central(writer, [], { 4: 2 })).cats;
    expect(at4.map(({ location, lastSeen }) => [location, lastSeen])).toEqual([
      ['garden', null],
      ['kitchen', at(3)],
    ]);
    expect(foldEvents(central(writer, [], { 5: 2 })).cats.map((cat) => cat.location)).toEqual(['kitchen', 'garden']);
    expect(foldEvents(central(writer, [4], { 4: 2 })).cats.map((cat) => cat.location)).toEqual(['garden', null]);
    // A name is nobody else's.
    expect(foldEvents(central(writer, [], { 1: 2 })).cats.map((cat) => cat.name)).toEqual(['Minka', 'Otto']);
  });

  it('makes one row of a change and none of a repetition', () => {
    const writer = minka();
    for (const second of [2, 3, 4]) writer.add('meow.started', 'collar/A', { level: 1 }, second);
    for (const second of [5, 6]) writer.add('cat.moved', 'collar/A', { from: null, to: 'kitchen' }, second);
    expect(foldEvents(central(writer)).meowing.map((row) => row.timestamp)).toEqual([at(0), at(2), at(5)]);
  });

  it('ends a shake with the collar that told it', () => {
    const writer = minka();
    writer.add('meow.started', 'collar/A', { level: 1 }, 2);
    writer.add('collar.assigned', 'cat/1', { catId: 1, collar: 'B' }, 3);
    writer.add('meow.ended', 'collar/A', { durationMs: 1, peakG: 1, readings: 1, place: null }, 4);
    const { cats, meowing } = foldEvents(central(writer));
    expect(cats[0]).toMatchObject({ isMeowed: false, collar: 'B', lastSeen: at(2) });
    expect(meowing.at(-1)).toMatchObject({ eventType: 'meow', oldValue: '1', newValue: '0', timestamp: at(3) });
  });

  it('counts what it cannot read and goes on', () => {
    const writer = minka();
    writer.events.push(
      { ...(writer.events[0] as CentralEvent), seq: 3, type: 'collard.cat.purred', data: '{}' },
      { ...(writer.events[0] as CentralEvent), seq: 4, version: 2 },
      { ...(writer.events[0] as CentralEvent), seq: 5, data: '{"catId":"one"}' },
      { ...(writer.events[0] as CentralEvent), seq: 6, data: '{"catId":-1,"oldName":null,"newName":"x"}' },
      { ...(writer.events[0] as CentralEvent), seq: 7, type: 'cat.named' },
      { ...(writer.events[0] as CentralEvent), seq: 8, data: '{' },
    );
    const { cats, skipped } = foldEvents(central(writer));
    expect(skipped).toBe(6);
    expect(cats).toHaveLength(1);
  });
});
