import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { homeCsv, homeRows, ROOMS } from '../agent/detector/home.ts';
import { collard } from './run.ts';

let folder = '';
const file = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-calibrate-'));
  for (const [i, room] of ROOMS.entries()) {
    writeFileSync(file(`${room}.csv`), homeCsv(homeRows([{ room, forMs: 60_000 }], i)));
  }
  const walk = ['hall', 'living', 'kitchen', 'bath'].map((room) => ({ room, forMs: 40_000 }));
  writeFileSync(file('walk.csv'), homeCsv(homeRows(walk, 50)));
  writeFileSync(file('acceleration.csv'), 't_ms,ax_g,ay_g,az_g\n0,0,0,1\n20,0,0,1\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('what it learns from a minute in each room, detect uses', async () => {
  const recordings = ROOMS.map((room) => file(`${room}.csv`));
  const { status, stdout, stderr } = await collard([
    'calibrate',
    '--out',
    file('places.json'),
    '--json',
    ...recordings,
  ]);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ receivers: [...ROOMS], rooms: ROOMS.map((room) => ({ room })) });
  const found = await collard(['detect', '--places', file('places.json'), file('walk.csv')]);
  const moves = found.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(moves.map(({ to }) => to)).toEqual(['hall', 'living', 'kitchen', 'bath']);
  expect(Object.keys(moves[0] ?? {})).toEqual(['file', 'collar', 'type', 'tMs', 'from', 'to', 'confidence']);
});

test('an order of options, and the same places each time', async () => {
  const places = async (args: readonly string[]) => {
    await collard(['calibrate', ...args]);
    return readFileSync(file('again.json'), 'utf8');
  };
  const first = await places([file('walk.csv'), '--out', file('again.json')]);
  expect(first.length).toBeGreaterThan(1_000);
  expect(await places(['--out', file('again.json'), file('walk.csv')])).toBe(first);
});

test.each<[string, string[], number, RegExp]>([
  ['rows without receivers', ['acceleration.csv'], 65, /no row tells a receiver/],
  ['a file that is not there', ['none.csv'], 69, /no such file/],
])('%s cannot teach anything', async (_name, names, exitCode, reason) => {
  const { status, stderr } = await collard(['calibrate', '--out', file('none.json'), ...names.map(file)]);
  expect(stderr).toMatch(reason);
  expect(status).toBe(exitCode);
});

test('detect refuses places that are none', async () => {
  const { status, stdout, stderr } = await collard(['detect', '--places', file('walk.csv'), file('walk.csv')]);
  expect(stderr).toMatch(/holds no places/);
  expect([status, stdout]).toEqual([65, '']);
});
