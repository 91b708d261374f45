import { afterEach, describe, expect, test, vi } from 'vitest';
import type { CatRow } from '../../src/central/store/store.ts';
import { ago, catList } from '../../src/cli/cat-list.ts';
import { table } from '../../src/cli/output.ts';
import { cut, widthOf } from '../../src/cli/text-width.ts';

const now = new Date('2026-11-23T12:00:00Z');
const cat: CatRow = {
  id: 1,
  name: 'Mia',
  isMeowed: false,
  location: 'hall',
  locationSince: '2026-11-23T10:30:00.000Z',
  collar: 'C1',
  lastSeen: '2026-11-23T11:00:00.000Z',
  lastHeard: '2026-11-23T11:59:48.000Z',
  meowsToday: 7,
  batteryLow: false,
  silent: false,
};

/** As on a terminal of so many columns. */
function onTerminal<T>(columns: number, work: () => T): T {
  const { isTTY, columns: before } = process.stdout;
  Object.assign(process.stdout, { isTTY: true, columns });
  try {
    return work();
  } finally {
    Object.assign(process.stdout, { isTTY, columns: before });
  }
}

afterEach(() => vi.unstubAllEnvs());

describe('the width of a text', () => {
  test.each([
    ['Mia', 3],
    ['Kätzchen', 8],
    ['Ka\u0308tzchen', 8],
    ['猫', 2],
    ['ねこ', 4],
    ['🐈', 2],
    ['🐈‍⬛', 2],
    ['❤️', 2],
    ['한글', 4],
    ['', 0],
  ])('of %s is %d', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  test('is never more than what was asked for, and nothing is cut in two', () => {
    expect(cut('Miso', 4)).toBe('Miso');
    expect(cut('Miso', 3)).toBe('Mi…');
    expect(cut('猫猫猫', 4)).toBe('猫…');
    expect(cut('🐈‍⬛🐈‍⬛', 3)).toBe('🐈‍⬛…');
    for (let width = 1; width < 9; width += 1)
      expect(widthOf(cut('a猫🐈‍⬛bcä\u0308', width))).toBeLessThanOrEqual(width);
  });
});

describe('a table', () => {
  const head = ['name', 'n', 'what'];

  test('is aligned by what is seen, numbers at their right', () => {
    const rows = [
      ['ねこ', '7', 'x'],
      ['Mia', '123', ''],
    ];
    expect(table(head, rows, { right: ['n'] })).toBe('name    n  what\nねこ    7  x\nMia   123');
  });

  test('is whole where no terminal reads it, and coloured nowhere', () => {
    const long = 'x'.repeat(300);
    expect(table(head, [[[long, 'red'], '1', 'y']])).toContain(`${long}  1  y`);
    expect(table(head, [[[long, 'red'], '1', 'y']])).not.toContain('\u001b');
  });

  test('fits a terminal, the widest column first', () => {
    vi.stubEnv('NO_COLOR', '1');
    const lines = onTerminal(40, () => table(head, [['x'.repeat(60), '1', 'y'.repeat(20)]])).split('\n');
    expect(Math.max(...lines.map(widthOf))).toBe(40);
    expect(lines[1]).toMatch(/^x+… {2}1 {2}y+…?$/);
    // Too narrow for anything: then lines are wrapped, and still tell something.
    const narrow = onTerminal(5, () => table(head, [['x'.repeat(60), '1', 'y']])).split('\n');
    expect(narrow[1]).toBe(`${'x'.repeat(11)}…  1  y`);
  });

  test('is coloured on a terminal, unless NO_COLOR says no', () => {
    vi.stubEnv('NO_COLOR', '');
    const rows = [[['Mia', 'red'], '1', 'y']] as const;
    expect(onTerminal(80, () => table(head, rows))).toBe(
      '\u001b[1mname\u001b[0m  \u001b[1mn\u001b[0m  \u001b[1mwhat\u001b[0m\n\u001b[31mMia\u001b[0m   1  y',
    );
    vi.stubEnv('NO_COLOR', '1');
    expect(onTerminal(80, () => table(head, rows))).not.toContain('\u001b');
  });
});

describe('the table of cats', () => {
  test('tells how long ago, what is now, and never a control character', () => {
    const evil = { ...cat, id: 12, name: 'T\u001b[31mom\u202e', isMeowed: true, lastHeard: null, lastSeen: null };
    expect(catList([cat, evil], now)).toBe(
      [
        'id  name                 place  since    now      last seen  meows today  collar',
        ' 1  Mia                  hall   1 h ago           12 s ago             7  C1',
        '12  T\\u001b[31mom\\u202e  hall   1 h ago  shaking  never                7  C1',
      ].join('\n'),
    );
    expect(catList([], now)).toContain('collard cat add');
  });

  test.each([
    ['2026-11-23T12:00:05.000Z', '0 s ago'],
    ['2026-11-23T11:59:01.000Z', '59 s ago'],
    ['2026-11-23T11:00:01.000Z', '59 min ago'],
    ['2026-11-21T13:00:00.000Z', '47 h ago'],
    ['2026-11-20T12:00:00.000Z', '3 days ago'],
  ])('says of %s: %s', (time, words) => {
    expect(ago(time, now)).toBe(words);
  });
});
