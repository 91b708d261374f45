import { expect, test } from 'vitest';
import { routeOf } from '../../../../src/central/api/page/route.ts';

test.each([
  ['', { view: 'home' }],
  ['#', { view: 'home' }],
  ['#/', { view: 'home' }],
  ['#/?cat=1&day=2026-11-20', { view: 'home' }],
  ['#/devices', { view: 'devices' }],
  ['#/devices/', { view: 'devices' }],
  ['#/cats/1', { view: 'cat', id: 1 }],
  ['#/cats/120/', { view: 'cat', id: 120 }],
  ['#/cats/', { view: 'unknown', asked: '/cats/' }],
  ['#/cats/0', { view: 'unknown', asked: '/cats/0' }],
  ['#/cats/-1', { view: 'unknown', asked: '/cats/-1' }],
  ['#/cats/1e3', { view: 'unknown', asked: '/cats/1e3' }],
  ['#/cats/99999999999999999999', { view: 'unknown', asked: '/cats/99999999999999999999' }],
  ['#/dogs', { view: 'unknown', asked: '/dogs' }],
  ['#add-cat', null],
  ['#events', null],
])('%j names %j', (hash, route) => {
  expect(routeOf(hash)).toEqual(route);
});
