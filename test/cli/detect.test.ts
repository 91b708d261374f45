import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatOf } from '../../src/cli/detect.ts';
import { accelerated } from '../agent/detector/motion.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
const shaken = accelerated([{ fromMs: 3_000, forMs: 1_000, hz: 6, amplitudeG: 2 }], 8_000);
const csv = `t_ms,ax_g,ay_g,az_g\n${shaken.map((r) => `${r.atMs},${r.axG},${r.ayG},${r.azG}\n`).join('')}`;
const json = shaken
  .map((r) => `${JSON.stringify({ collar: 'A', t: r.atMs, ax: r.axG, ay: r.ayG, az: r.azG })}\n`)
  .join('');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-detect-'));
  writeFileSync(join(folder, 'shake.csv'), csv);
  writeFileSync(join(folder, 'shake.ndjson'), json);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function detect(args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, 'detect', ...args], {
    cwd: folder,
    input,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  const lines = stdout === '' ? [] : stdout.trimEnd().split('\n');
  return { status, stderr, events: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('a recording of tags is read, its movements too', () => {
  const line = (sequence: number) =>
    `0512FC5394C37C0004FFFC040CAC3642${sequence.toString(16).padStart(4, '0')}CBB8334C884F\n`;
  const { stderr, status } = detect(['--verbose', '-'], `noise\n${line(1)}${line(1)}${line(3)}`);
  expect(stderr).toContain('ruuvi, 2 readings, 1 samples lost, discarded: 1 bad-format, 1 duplicate');
  expect(status).toBe(0);
});

test('prints what it finds in each file, named as it was given', () => {
  const { status, stderr, events } = detect(['./shake.csv', 'shake.ndjson', '--json']);
  expect(status).toBe(0);
  expect(stderr).toBe('');
  expect(events.map(({ file, collar, type }) => `${file} ${collar} ${type}`)).toEqual([
    './shake.csv unknown meow.started',
    './shake.csv unknown meow.ended',
    'shake.ndjson A meow.started',
    'shake.ndjson A meow.ended',
  ]);
  const [started, ended] = events;
  expect(Object.keys(started ?? {})).toEqual(['file', 'collar', 'type', 'tMs', 'startMs', 'level']);
  expect(Object.keys(ended ?? {})).toEqual([
    ...['file', 'collar', 'type', 'tMs', 'startMs', 'endMs'],
    ...['durationMs', 'peakG', 'readings', 'place'],
  ]);
  expect(Math.abs(Number(started?.startMs) - 3_000)).toBeLessThan(200);
});

test('reads stdin, gives readings a collar and a place, and takes counts for g', () => {
  const counts = `t_ms,ax,ay,az\n${shaken
    .map((r) => [r.atMs, ...[r.axG, r.ayG, r.azG].map((g) => Math.round((g ?? 0) * 2048))].join(','))
    .join('\n')}\n`;
  const { events } = detect(['-', '--unit', '2048', '--collar', 'TOM', '--place', 'attic'], counts);
  expect(events.map(({ file, collar, type }) => `${file} ${collar} ${type}`)).toEqual([
    '- TOM cat.moved',
    '- TOM meow.started',
    '- TOM meow.ended',
  ]);
  expect(events[2]).toMatchObject({ place: 'attic' });
});

test('a burst that is open at the end of the file is ended there', () => {
  const { events } = detect(['-'], csv.slice(0, csv.indexOf('\n3700,')));
  expect(events.map(({ type }) => type)).toEqual(['meow.started', 'meow.ended']);
  expect(events[1]?.endMs).toBeLessThan(3_700);
});

test('a less sensitive detector finds nothing', () => {
  expect(detect(['shake.csv', '--sensitivity', '0.2']).events).toEqual([]);
});

test('a recording with a pause in it tells of silence, once', () => {
  const lines = [0, 1_000, 2_000_000, 2_001_000].map((t) => `{"collar":"A","t":${t},"battery":80}\n`).join('');
  const { events } = detect(['-'], lines);
  expect(events).toEqual([
    { file: '-', collar: 'A', type: 'collar.silent', tMs: 601_000, lastSeenMs: 1_000 },
    { file: '-', collar: 'A', type: 'collar.heard', tMs: 2_000_000, lastSeenMs: 1_000 },
  ]);
});

test('says on stderr what was read, and when nothing could be', () => {
  expect(detect(['shake.csv', '--verbose']).stderr).toBe(
    'shake.csv: csv, 401 readings, discarded: 1 comment, 2 events\n',
  );
  const { status, stderr } = detect(['-'], 'hello\nworld\n');
  expect(status).toBe(0);
  expect(stderr).toMatch(/^-: nothing could be read as csv \(2 no-columns\)/);
});

test.each([
  ['a missing file', ['shake.csv', 'gone.csv'], 69, /cannot read gone\.csv: there is no such file\nfix: /],
  ['a directory', ['.'], 69, /cannot read \.: it is a directory/],
  ['no file', [], 64, /missing required argument/],
  ['a bad sensitivity', ['shake.csv', '--sensitivity', 'much'], 64, /from 0\.2 to 5/],
  ['a bad unit', ['shake.csv', '--unit', 'stone'], 64, /g, mg, m\/s2/],
])('%s: says what is wrong before it prints anything', (_name, args, code, message) => {
  const { status, stderr, events } = detect(args);
  expect(status).toBe(code);
  expect(stderr).toMatch(message);
  expect(events).toEqual([]);
});

test.each([
  ['a.csv', '{"t":1}', 'csv'],
  ['a.ndjson', '1,2,3', 'json'],
  ['a.JSONL', '', 'json'],
  ['a.bin', 'Àx', 'frame'],
  ['a.log', 'boot ok\n{"collar":"A"}\n', 'json'],
  ['-', 't_ms,ax_g\n0,1\n', 'csv'],
  ['-', 't_ms,ax_g\n400000,1\n', 'csv'],
  ['-', '0;255;3;0;14;Gateway startup complete.\n', 'mysensors'],
  ['-', '20;00;Nodo RadioFrequencyLink - RFLink Gateway V1.1 - R46;\r\n', 'rflink'],
  ['-', 'boot\nCB:B8:33:4C:88:4F -61 0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F\n', 'ruuvi'],
  ['-', '0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F\n', 'ruuvi'],
  ['-', '400009015d2c01\n', 'bthome'],
  ['-', '5448E68F80A5;0A16D2FC4002C40903BF13\n', 'bthome'],
])('the format of %s that begins with %j is %s', (file, head, format) => {
  expect(formatOf(file, Buffer.from(head, 'latin1'))).toBe(format);
});
