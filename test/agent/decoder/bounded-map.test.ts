import { expect, it } from 'vitest';
import { createBoundedMap, MAX_COLLARS } from '../../../src/agent/decoder/bounded-map.ts';

it('lets the oldest key go when a new one does not fit', () => {
  const map = createBoundedMap<number, string>(MAX_COLLARS);
  for (let i = 0; i <= MAX_COLLARS; i++) map.set(i, 'here');
  expect(map.size).toBe(MAX_COLLARS);
  expect(map.get(0)).toBeUndefined();
  expect(map.get(1)).toBe('here');
  expect(map.get(MAX_COLLARS)).toBe('here');
});

it('keeps a key that was renewed', () => {
  const map = createBoundedMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 1);
  map.renew('a', 2);
  map.set('c', 1);
  expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([2, undefined, 1]);
});
