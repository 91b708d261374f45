import { describe, expect, it } from 'vitest';
import type { Assignment } from '../../../src/central/models/model.ts';
import { wearingsOf } from '../../../src/central/models/wearing.ts';

const assign = (key: string, catId: number, collar: string): Assignment => ({
  key,
  time: key,
  eventId: `e/${key}`,
  catId,
  collar,
});

describe('who wears what', () => {
  it('is told by the newest assignment of the collar and of the cat', () => {
    const wearings = wearingsOf([assign('2', 1, 'A'), assign('4', 2, 'A'), assign('6', 2, 'B'), assign('8', 1, 'A')]);
    const wearer = (collar: string, ...keys: string[]) => keys.map((key) => wearings.wearer(collar, key));
    expect(wearer('A', '1', '2', '3', '5', '7', '9')).toEqual([1, 1, 1, 2, null, 1]);
    expect(wearer('B', '5', '7')).toEqual([null, 2]);
  });

  it('a first collar that nobody else wore before reaches back to the beginning, any other does not', () => {
    const all = [assign('2', 1, 'A'), assign('4', 1, 'B'), assign('6', 2, 'A'), assign('8', 3, 'C')];
    const wearings = wearingsOf(all);
    const early = (collar: string) => wearings.wearer(collar, '1');
    expect([early('A'), early('B'), early('C')]).toEqual([1, null, 3]);
    expect(wearings.wearer('A', '5')).toBeNull();
  });

  it('does not depend on the order in which assignments became known', () => {
    const all = [assign('2', 1, 'A'), assign('4', 2, 'A'), assign('6', 1, 'B')];
    expect(wearingsOf([...all].reverse()).ofCat(1)).toEqual(wearingsOf(all).ofCat(1));
  });

  it('tells the cat that loses its collar', () => {
    const wearings = wearingsOf([assign('2', 1, 'A'), assign('4', 2, 'A')]);
    expect(wearings.changes(1).map(({ key, change }) => [key, change])).toEqual([
      ['2', { type: 'wears', collar: 'A' }],
      ['4', { type: 'wears', collar: null }],
    ]);
  });

  it('is not changed by the same assignment again', () => {
    expect(wearingsOf([assign('2', 1, 'A'), assign('4', 1, 'A')]).ofCat(1)).toHaveLength(1);
  });
});
