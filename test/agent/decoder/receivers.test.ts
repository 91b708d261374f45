import { describe, expect, it } from 'vitest';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import { COPY_MS, createReceivers, MAX_RECENT } from '../../../src/agent/decoder/receivers.ts';

const reading = (over: Partial<Reading> = {}): Reading => ({
  collar: 'tom',
  atMs: 1_000,
  counter: 7,
  shake: 1,
  ...over,
});
const hall = (over: Partial<Reading> = {}) => reading({ place: 'hall', rssiDbm: -60, ...over });
const shed = (over: Partial<Reading> = {}) => reading({ place: 'shed', rssiDbm: -80, atMs: 1_050, ...over });

describe('where receivers meet', () => {
  it('leaves of a copy that it was heard, and how strong', () => {
    const receivers = createReceivers();
    expect(receivers.take(hall(), 'a')).toEqual(hall());
    expect(receivers.take(shed(), 'b')).toEqual({ collar: 'tom', atMs: 1_050, place: 'shed', rssiDbm: -80 });
    expect(receivers.take(shed({ sensor: 'left' }), 'b')).toEqual({
      collar: 'tom',
      atMs: 1_050,
      place: 'shed',
      sensor: 'left',
      rssiDbm: -80,
    });
  });

  it('leaves nothing of a copy without signal strength, whichever source it came by', () => {
    const receivers = createReceivers();
    expect(receivers.take(reading(), 'a')).toEqual(reading());
    expect(receivers.take(reading(), 'b')).toBeNull();
    expect(receivers.take(reading(), 'a')).toEqual(reading());
  });

  it.each<[string, Partial<Reading>]>([
    ['another counter', { counter: 8 }],
    ['another collar', { collar: 'kim' }],
    ['another level', { shake: 0 }],
    ['other axes', { axG: 0, ayG: 0, azG: 1 }],
    ['another battery', { batteryPercent: 5 }],
    ['a later time than a copy takes', { atMs: 1_000 + COPY_MS + 1 }],
  ])('takes %s for another reading', (_, over) => {
    const receivers = createReceivers();
    receivers.take(hall(), 'a');
    expect(receivers.take(shed(over), 'b')).toEqual(shed(over));
  });

  it('of one source remembers nothing before a second receiver is named', () => {
    const receivers = createReceivers(1);
    expect([receivers.take(hall(), 'a'), receivers.take(hall(), 'a')]).toEqual([hall(), hall()]);
    // Nobody knew that there would be another.
    expect(receivers.take(shed(), 'a')).toEqual(shed());
    expect(receivers.take(hall({ counter: 8 }), 'a')).toEqual(hall({ counter: 8 }));
    expect(receivers.take(shed({ counter: 8 }), 'a')).toEqual({
      collar: 'tom',
      atMs: 1_050,
      place: 'shed',
      rssiDbm: -80,
    });
  });

  it('makes no copy of time alone', () => {
    const receivers = createReceivers();
    const uncounted: Reading = { collar: 'tom', atMs: 1_000, shake: 1 };
    expect([receivers.take(uncounted, 'a'), receivers.take(uncounted, 'b')]).toEqual([uncounted, uncounted]);
  });

  it('keeps the equal samples of one frame', () => {
    const receivers = createReceivers();
    for (const atMs of [1_000, 1_020]) expect(receivers.take(hall({ atMs }), 'a')).toEqual(hall({ atMs }));
  });

  it('remembers so many readings, the youngest', () => {
    const receivers = createReceivers();
    receivers.take(hall({ counter: 0 }), 'a');
    receivers.take(hall({ counter: 1 }), 'a');
    receivers.take(hall({ counter: 0 }), 'a');
    for (let counter = 2; counter <= MAX_RECENT; counter++) receivers.take(hall({ counter }), 'a');
    expect(receivers.take(shed({ counter: 0 }), 'b')).not.toHaveProperty('shake');
    expect(receivers.take(shed({ counter: 1 }), 'b')).toEqual(shed({ counter: 1 }));
  });

  it.each<[string, [moveCount: number, atMs: number][], (number | undefined)[]]>([
    [
      'counts from reading to reading',
      [
        [66, 0],
        [66, 1_000],
        [69, 2_000],
      ],
      [undefined, undefined, 3],
    ],
    [
      'goes round at 255',
      [
        [253, 0],
        [1, 1_000],
      ],
      [undefined, 3],
    ],
    [
      'does not count a step back',
      [
        [10, 0],
        [9, 100],
        [11, 1_000],
      ],
      [undefined, undefined, 1],
    ],
    [
      'does not count a start anew',
      [
        [200, 0],
        [0, 1_000],
        [2, 2_000],
      ],
      [undefined, undefined, 2],
    ],
    [
      'does not count over a long pause',
      [
        [1, 0],
        [9, 61_000],
        [10, 62_000],
      ],
      [undefined, undefined, 1],
    ],
  ])('a count of movements: %s', (_, counts, expected) => {
    const receivers = createReceivers();
    const edges = counts.map(
      ([moveCount, atMs], counter) => receivers.take({ collar: 'tom', atMs, counter, moveCount }, 'a')?.edges,
    );
    expect(edges).toEqual(expected);
  });

  it('counts a movement once, whoever heard of it', () => {
    const receivers = createReceivers();
    const take = (counter: number, moveCount: number, source: string) =>
      receivers.take({ collar: 'tom', atMs: counter * 1_000, counter, moveCount, rssiDbm: -60 }, source)?.edges;
    expect([take(1, 10, 'a'), take(1, 10, 'b'), take(2, 11, 'b'), take(3, 13, 'a'), take(3, 13, 'b')]).toEqual([
      undefined,
      undefined,
      1,
      2,
      undefined,
    ]);
  });
});
