import { describe, expect, test } from 'vitest';
import { createLanes, MAX_BESIDE_BYTES, MAX_TAKEN_BYTES } from '../../../src/central/subscriber/lanes.ts';

const acknowledged: string[] = [];

function message(name: string, bytes = 10) {
  const [agent, channel] = name.split(' ');
  return {
    topic: `collard/v1/s00/${agent}/${channel}`,
    payload: new Uint8Array(bytes),
    retained: false,
    done: () => void acknowledged.push(name),
  };
}

function orderOf(names: readonly string[], bytes = 10, max = 64): string[][] {
  const lanes = createLanes();
  lanes.add(names.map((name) => message(name, bytes)));
  const taken: string[][] = [];
  while (lanes.size > 0) taken.push(lanes.next(max).map(({ topic }) => topic.split('/').slice(3).join(' ')));
  return taken;
}

describe('lanes', () => {
  test.each([
    [
      'live events go before backlog',
      ['a backlog', 'b backlog', 'a events', 'a backlog', 'c events'],
      [
        ['a events', 'c events'],
        ['a backlog', 'b backlog', 'a backlog'],
      ],
    ],
    [
      'a sync stays behind the batches before it',
      ['a events', 'a backlog', 'a sync', 'a backlog', 'a events'],
      [
        ['a events', 'a events'],
        ['a backlog', 'a sync', 'a backlog'],
      ],
    ],
    ['an agent that is called events is none', ['events backlog', 'b events'], [['b events'], ['events backlog']]],
  ])('%s', (_what, names, expected) => {
    expect(orderOf(names, MAX_BESIDE_BYTES + 1)).toEqual(expected);
  });

  test('short words are heard beside live events, however many of these wait', () => {
    const names = ['a state', 'a sync', 'b backlog', ...Array.from({ length: 10 }, () => 'c events'), 'b sync'];
    expect(orderOf(names, 10, 8)).toEqual([
      [...Array.from({ length: 6 }, () => 'c events'), 'a state', 'a sync'],
      [...Array.from({ length: 4 }, () => 'c events'), 'b backlog', 'b sync'],
    ]);
  });

  test('live events do not wait for what is long beside them', () => {
    const lanes = createLanes();
    const long = MAX_BESIDE_BYTES / 2;
    lanes.add([message('a sync', long), message('a backlog', long), message('b sync'), message('c events')]);
    expect(lanes.next(64).map(({ topic }) => topic.slice(-7))).toEqual(['/events', '/a/sync', 'backlog']);
    expect(lanes.next(64)).toHaveLength(1);
  });

  test('no more of a backlog is taken at once than one full batch, and always at least one message', () => {
    const names = ['a backlog', 'b backlog', 'c backlog'];
    expect(orderOf(names, MAX_TAKEN_BYTES / 2)).toEqual([['a backlog', 'b backlog'], ['c backlog']]);
    expect(orderOf(names, MAX_TAKEN_BYTES * 2)).toEqual([['a backlog'], ['b backlog'], ['c backlog']]);
    expect(orderOf(['a events', 'a events', 'a events'], 10, 2)).toHaveLength(2);
  });

  test('what comes while a backlog drains does not wait for its end', () => {
    const lanes = createLanes();
    lanes.add([message('a backlog', MAX_TAKEN_BYTES), message('a backlog', MAX_TAKEN_BYTES)]);
    expect(lanes.next(64)).toHaveLength(1);
    lanes.add([message('a events')]);
    expect(lanes.next(64).map(({ topic }) => topic)).toEqual(['collard/v1/s00/a/events']);
    expect(lanes.size).toBe(1);
  });

  test('acknowledgements go out in the order of arrival', () => {
    const lanes = createLanes();
    lanes.add([message('a backlog', MAX_BESIDE_BYTES + 1), message('a events'), message('a sync')]);
    for (const { done } of lanes.next(64)) done();
    expect(acknowledged).toEqual([]);
    for (const { done } of lanes.next(64)) done();
    expect(acknowledged).toEqual(['a backlog', 'a events', 'a sync']);
  });
});
