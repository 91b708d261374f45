import { expect, test } from 'vitest';
import { batteriesOf } from '../../../../src/central/api/page/batteries.ts';
import type { Agent } from '../../../../src/central/api/page/types.ts';

/** An agent that says so of its collars. */
function agent(collars: unknown): Agent {
  return { health: { collars } } as unknown as Agent;
}

test('the newest word of any agent counts', () => {
  const batteries = batteriesOf([
    agent([
      { collar: 'C1', lastHeard: '2026-11-26T10:00:00.000Z', batteryPercent: 80.4 },
      { collar: 'C2', lastHeard: '2026-11-26T10:00:00.000Z' },
    ]),
    agent([{ collar: 'C1', lastHeard: '2026-11-26T09:00:00.000Z', batteryPercent: 90 }]),
  ]);
  expect([...batteries]).toEqual([['C1', 80]]);
});

test.each([[undefined], [null], ['x'], [[null, 7, {}]], [[{ collar: 'C1', lastHeard: 5, batteryPercent: 1 }]]])(
  'what is no word about a battery is none: %j',
  (collars) => {
    expect(batteriesOf([agent(collars)]).size).toBe(0);
  },
);

test('an agent without health says nothing, and a battery is never beyond full', () => {
  const told = agent([{ collar: 'C1', lastHeard: '2026-11-26T10:00:00.000Z', batteryPercent: 300 }]);
  expect(batteriesOf([{ ...told, health: null }, told]).size).toBe(0);
});
