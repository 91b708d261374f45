import { expect, test } from 'vitest';
import { createHeard } from '../../../src/agent/source/heard.ts';
import { MAX_HEARD_COLLARS } from '../../../src/contract/message.ts';

const wallOf = (monoMs: number) => `at ${monoMs}`;

test('tells the newest reading of each collar, newest collar first, and the battery as it last told', () => {
  const heard = createHeard();
  heard.note({ collar: 'A', atMs: 1, rssiDbm: -50, place: 'hall', batteryPercent: 83 });
  heard.note({ collar: 'B', atMs: 2 });
  heard.note({ collar: 'A', atMs: 5, rssiDbm: -70, place: 'kitchen' });
  heard.note({ collar: 'A', atMs: 3, rssiDbm: -40, place: 'hall' });
  expect(heard.health(wallOf)).toEqual([
    { collar: 'A', lastHeard: 'at 5', rssiDbm: -70, batteryPercent: 83, place: 'kitchen' },
    { collar: 'B', lastHeard: 'at 2' },
  ]);
});

test('a collar that moves out of reach of all receivers that say where they are has no place', () => {
  const heard = createHeard();
  heard.note({ collar: 'A', atMs: 1, rssiDbm: -50, place: 'hall' });
  heard.note({ collar: 'A', atMs: 2 });
  expect(heard.health(wallOf)).toEqual([{ collar: 'A', lastHeard: 'at 2' }]);
});

test('beyond its limit the collar heard longest ago is forgotten', () => {
  const heard = createHeard();
  for (let i = 0; i < MAX_HEARD_COLLARS; i += 1) heard.note({ collar: `C${i}`, atMs: i });
  heard.note({ collar: 'C0', atMs: 1_000 });
  heard.note({ collar: 'new', atMs: 1_001 });
  const told = heard.health(wallOf).map(({ collar }) => collar);
  expect(told).toHaveLength(MAX_HEARD_COLLARS);
  expect(told.slice(0, 3)).toEqual(['new', 'C0', `C${MAX_HEARD_COLLARS - 1}`]);
  expect(told).not.toContain('C1');
});
