import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { accelerated } from '../agent/detector/motion.ts';
import { live, WALL } from '../agent/kept/live.ts';
import { collard } from './run.ts';

const strong = { fromMs: 4_000, forMs: 900, hz: 5, amplitudeG: 2.5 };
const weak = { fromMs: 12_000, forMs: 900, hz: 5, amplitudeG: 0.5 };
const NASTY = '<b>"&';
let home = '';
const path = (name: string) => join(home, name);

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'collard-detect-kept-'));
  const detect = { ...agentSchema.shape.detect.parse({}), shake: { sensitivity: 0.7 } };
  const readings = [...accelerated([strong, weak], 20_000), ...accelerated([strong], 20_000, 50, NASTY)];
  await live(
    path('kept'),
    readings.sort((a, b) => a.atMs - b.atMs),
    detect,
  );
  for (const sensitivity of [0.2, 0.7, 3]) {
    const lines = [
      'sources: [{ serial: /dev/x }]',
      `log: { path: ${path('events.db')} }`,
      'mqtt: { url: "mqtt://127.0.0.1:1" }',
      `detect: { shake: { sensitivity: ${sensitivity} } }`,
    ];
    writeFileSync(path(`${sensitivity}.yaml`), `${lines.join('\n')}\n`);
  }
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const compare = (sensitivity: number, ...more: string[]) =>
  collard(['detect', '--from-kept', '--config', path(`${sensitivity}.yaml`), '--compare', ...more], { NO_COLOR: '1' });

test('the same settings change nothing', async () => {
  const { status, stdout, stderr } = await compare(0.7);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^2026-11-23T06:00:00.000Z to 2026-11-23T06:00:20.000Z: 0.0 h of 2002 readings of 2 collars/);
  expect(stdout).toMatch(/^meow +2 +2 +0 +0 +0 +\d/m);
  expect(stdout).toContain('nothing would change');
});

test('others are told by name, with what they add and remove, by time', async () => {
  const more = await compare(3);
  expect(more.stdout).toMatch(/^shake was decided by 2\/[0-9a-f]{8}, now by 2\/[0-9a-f]{8}$/m);
  expect(more.stdout).toMatch(/^added {4}2026-11-23T06:00:1[12]\.\d+Z {2}C0FFEE01 {2}meow {2}0\.\d\d s, 0\.\d g$/m);
  const less = await compare(0.2);
  expect(less.stdout.match(/^removed {2}2026-11-23T06:00:0[34].*$/gm)).toHaveLength(2);
  expect(less.stdout).toContain(NASTY);
});

test('and as JSON', async () => {
  const { stdout } = await compare(0.2, '--json', '--collar', 'C0FFEE01');
  const told = JSON.parse(stdout) as { readonly [key: string]: unknown };
  expect(told).toMatchObject({
    kept: { from: new Date(WALL).toISOString(), readings: 1_001, collars: ['C0FFEE01'], damaged: 0 },
    detectors: { before: { shake: [expect.any(String)] }, after: { shake: expect.any(String) } },
    same: 1,
    added: [],
    removed: [
      { type: 'meow', collar: 'C0FFEE01', start: expect.stringContaining('T06:00:0'), end: expect.any(String) },
    ],
    moved: [],
  });
});

test('without --compare it prints what detect prints, at wall time', async () => {
  const { stdout } = await collard(['detect', '--from-kept', path('kept'), '--config', path('3.yaml')]);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.filter(({ type }) => type === 'meow.ended')).toHaveLength(3);
  expect(lines[0]).toMatchObject({ file: path('kept'), collar: expect.any(String), tMs: expect.any(Number) });
  expect(Math.abs(Number(lines.find(({ type }) => type === 'meow.started')?.startMs) - WALL - 4_000)).toBeLessThan(300);
});

test('the page is one file that runs nothing and asks nobody, whatever collars are called', async () => {
  const file = path('change.html');
  const { status, stderr } = await compare(3, '--html', file);
  expect([status, stderr]).toEqual([0, '']);
  const html = readFileSync(file, 'utf8');
  expect(html.match(/<script|<b>"|src=|href=|url\(|NaN|undefined|Infinity/)).toBeNull();
  expect(html.includes('&#60;b&#62;&#34;&#38;')).toBe(true);
  expect(html.includes('<b class="added">1 added</b>')).toBe(true);
  expect(html.match(/<figcaption><b class="added">/g)).toHaveLength(1);
  expect(html.match(/<path class="level" d="M[^"]{2000,}"/g)).toHaveLength(2);
});

test('a page that cannot be written says so', async () => {
  const { status, stderr } = await compare(3, '--html', '/no/such/folder/x.html');
  expect(status).toBe(74);
  expect(stderr).toContain('cannot write /no/such/folder/x.html');
});

test.each([
  [['--from-kept'], 64, '--config new.yaml'],
  [['--from-kept', '--config', 'CONFIG', '--sensitivity', '2'], 64, '--sensitivity is for recordings'],
  [['x.csv', '--from-kept', '--config', 'CONFIG'], 64, '--from-kept reads no files'],
  [['x.csv', '--compare'], 64, '--compare goes with --from-kept'],
  [[], 64, 'missing required argument'],
  [['--from-kept', '/no/such/folder', '--config', 'CONFIG'], 69, 'keep: 48h / 200 MB'],
  [['--from-kept', '/etc/passwd', '--config', 'CONFIG'], 69, 'is no folder'],
  [['--from-kept', '--config', '/no/such.yaml'], 78, 'no/such.yaml'],
] as const)('%j is refused: %i', async (args, exitCode, words) => {
  const { status, stdout, stderr } = await collard([
    'detect',
    ...args.map((arg) => (arg === 'CONFIG' ? path('3.yaml') : arg)),
  ]);
  expect([status, stdout]).toEqual([exitCode, '']);
  expect(stderr).toContain(words);
});

test('an empty folder is told, and is no failure', async () => {
  const empty = mkdtempSync(join(home, 'empty-'));
  chmodSync(empty, 0o700);
  const { status, stdout, stderr } = await collard([
    ...['detect', '--from-kept', empty, '--config', path('3.yaml'), '--compare', '--html', path('empty.html')],
  ]);
  expect([status, stdout]).toEqual([0, '']);
  expect(stderr).toContain('no readings are kept in');
});
