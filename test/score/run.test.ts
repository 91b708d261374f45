import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { accelerated } from '../agent/detector/motion.ts';
import type { Row } from '../train/recordings.ts';
import { type Heard, hysteresis, marginAndDwell, strongest, threeQuarters, threshold } from './baselines.ts';

const script = fileURLToPath(new URL('run.ts', import.meta.url));

function score(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { COLLARD_RECORDINGS: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, ['--no-warnings', script, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const shaken: readonly Row[] = accelerated([{ fromMs: 3_000, forMs: 1_000, hz: 5, amplitudeG: 2 }], 8_000).map(
  ({ atMs, axG = 0, ayG = 0, azG = 0 }) => [atMs, axG, ayG, azG],
);

function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-score-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const shakeFiles = {
  'shake/index.json': JSON.stringify([{ id: 'a_1', set: 'made', file: 'a.csv', dur_s: 8, events: [[3, 4]] }]),
  'shake/a.csv': `t_ms,ax_g,ay_g,az_g\n${shaken.map((row) => row.join(',')).join('\n')}\n`,
};
const walk = Array.from({ length: 240 }, (_, i) => ({ atMs: i * 500, room: i < 120 ? 'hall' : 'kitchen' }));
const dbmAt = (room: string, receiver: string) => (room === receiver ? -50 : -75);
const roomFiles = {
  'rooms/index.json': JSON.stringify([
    {
      file: 'walk.csv',
      set: 'flat',
      truth: [[60_000, 'hall', 'kitchen']],
      rooms: walk.map(({ atMs, room }) => [atMs, room]),
    },
    { file: 'walk.csv', set: 'flat', truth: [[60_000, 'hall', 'kitchen']], rooms: [] },
    { file: 'still.csv', set: 'static', durS: 60 },
  ]),
  'rooms/walk.csv': `t_ms,rssi_1,rssi_2,place\n${walk
    .map(({ atMs, room }) => [atMs, dbmAt(room, 'hall'), dbmAt(room, 'kitchen'), room].join(','))
    .join('\n')}\n`,
  'rooms/still.csv': `t_ms,rssi_1,rssi_2,place\n${walk.map(({ atMs }) => `${atMs},-50,-75,hall`).join('\n')}\n`,
};
const motion = [0, 60_000, 120_000].map((t, i) => ({ t, motion: 1, sensor: `s${i}`, place: `room ${i}` }));
const motionFiles = {
  'pir/home_b.ndjson': `${motion.map((one) => JSON.stringify(one)).join('\n')}\n`,
  'pir/truth.json': JSON.stringify(motion.map(({ t, place }) => [t + 1_000, place])),
};

test('without recordings it says that it needs them, where they may be named, and ends with 69', async () => {
  const { code, stderr } = await score('shake');
  expect(code).toBe(69);
  expect(stderr).toContain('not part of this project');
  expect(stderr).toContain('--data FOLDER');
  expect(stderr).toContain('COLLARD_RECORDINGS');
  const missing = await score('rooms', '--data', folderOf(shakeFiles));
  expect([missing.code, missing.stderr]).toEqual([69, expect.stringContaining('has no rooms/index.json')]);
}, 60_000);

test('with recordings it prints a table for each suite, with what people wire up instead beside it', async () => {
  const data = folderOf({ ...shakeFiles, ...roomFiles, ...motionFiles });
  const { code, stdout, stderr } = await score('shake', 'rooms', 'pir', '--data', data);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^\| all with shakes \(made\) \| 1\.0 \| 1\.0 \| 1\.0 \| 0 \| 0 \| 0\.\d\d \|$/m);
  for (const how of ['25 Hz', '12.5 Hz', '30 % lost', 'bursts of 25 lost', 'clipped at 2 g'])
    expect(stdout).toContain(`| ${how} |`);
  expect(stdout).toMatch(/^\| threshold of 1 g/m);
  expect(stdout).toMatch(/^\| without a calibration \| 1\.0 \| 1\.0 \| 1\.0 \| \.\d\d \| 0\.0 \|$/m);
  expect(stdout).toMatch(/^\| the last sensor wins \| 1\.0 \|$/m);
}, 60_000);

test('what people wire up instead finds a shake, and one telling of it is not a rule', () => {
  for (const baseline of [threshold, threeQuarters, hysteresis]) {
    const [first] = baseline(shaken);
    expect(first?.toldMs).toBeGreaterThanOrEqual(3_000);
    expect(first?.toldMs).toBeLessThan(4_000);
  }
  expect(threshold(shaken.filter(([t]) => t < 3_000))).toEqual([]);
});

test('the strongest receiver jumps at each row, a margin and dwell waits', () => {
  const row = (atMs: number, hall: number, kitchen: number): readonly Heard[] => [
    { atMs, place: 'hall', dbm: hall },
    { atMs, place: 'kitchen', dbm: kitchen },
  ];
  const rows = Array.from({ length: 40 }, (_, i) => row(i * 500, i === 20 ? -80 : -50, -70));
  expect(strongest(rows).map(({ to }) => to)).toEqual(['hall', 'kitchen', 'hall']);
  expect(marginAndDwell(rows)).toEqual([{ atMs: 2_000, from: null, to: 'hall' }]);
});

test('what was tried is told with its figures, without any recording', async () => {
  const { code, stdout } = await score('tried');
  expect(code).toBe(0);
  expect(stdout).toMatch(/\| logistic regression .* \| \.81 \|/);
  expect(stdout).toMatch(/\| a margin of 4 dB for 2 s, smoothed evenly over 1 s \| \.38 \|/);
  expect(stdout.match(/^\|---/gm)).toHaveLength(2);
});
