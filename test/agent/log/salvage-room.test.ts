/** A damaged log on a disk that is nearly full, for real: in a process of its own, which such a disk may end with SIGBUS. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, it, onTestFinished } from 'vitest';
import type { Lost } from '../../../src/agent/log/begin.ts';
import { lostRanges } from '../../../src/contract/lost.ts';
import { openSmallDisk, whyNoSmallDisk } from '../../faults/small-disk.ts';
import { requireServer } from '../../servers.ts';
import { event, openLog, tempPath } from './log-fixture.ts';

const EVENTS = 3_000;
const GROUP = 50;
const PAGE = 4_096;
const KIB = 1_024;

interface Said {
  readonly aside: readonly string[];
  readonly lost: readonly Lost[];
  readonly held: readonly number[];
  readonly refused: string;
}

/** Some pages of events are no pages any more. */
async function damagedLog(): Promise<string> {
  const path = tempPath();
  const log = await openLog(path);
  for (let at = 0; at < EVENTS; at += GROUP) {
    const place = (i: number) => `${at + i} ${'x'.repeat(300)}`;
    await log.append(Array.from({ length: GROUP }, (_, i) => event('cat.moved', { from: null, to: place(i) })));
  }
  await log.close();
  const db = new Database(path);
  db.pragma('journal_mode = DELETE');
  db.pragma('journal_mode = WAL');
  db.close();
  const fd = openSync(path, 'r+');
  for (const page of [100, 180]) writeSync(fd, Buffer.alloc(PAGE, 0x5a), 0, PAGE, page * PAGE);
  closeSync(fd);
  writeFileSync(`${path}.suspect`, '');
  return path;
}

/** Leaves so much room. */
function fill(folder: string, freeBytes: number): void {
  const free = () => {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  };
  const fd = openSync(join(folder, 'filler'), 'w');
  for (let more = free() - freeBytes; more >= PAGE; more = free() - freeBytes)
    writeSync(fd, Buffer.alloc(Math.min(more - (more % PAGE), 64 * PAGE)));
  closeSync(fd);
}

const PROGRAM = `
  const { openEventLog } = await import('./src/agent/log/open-event-log.ts');
  const said = { aside: [], lost: [], held: [], refused: '' };
  try {
    const log = await openEventLog(
      { path: process.argv[1], agent: 'porch', keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 },
      {
        when: () => ({ time: '2026-11-23T06:00:00.000Z', clock: 'synced', boot: null, monoMs: null }),
        onDamaged: (_, reason) => said.aside.push(reason),
        onLost: (lost) => said.lost.push(lost),
      },
    );
    const [first] = log.epochs();
    const events = await log.read(first.epoch, 1, first.lastSeq, 1e6, 1e9);
    said.held = events.map(({ seq }) => seq);
    await log.close();
  } catch (error) {
    said.refused = error.code + ' ' + error.message;
  }
  console.log(JSON.stringify(said));`;

function start(path: string): Said {
  const node = ['--no-warnings', '--input-type=module', '-e', PROGRAM, path];
  return JSON.parse(execFileSync(process.execPath, node, { encoding: 'utf8' })) as Said;
}

const lack = whyNoSmallDisk('ext4');
it.skipIf(!requireServer('a small disk of its own', lack === null ? 'ext4' : null, 'e2fsprogs, as root'))(
  'what a start has saved of a damaged log is there at each later one, however little room there was',
  async () => {
    const path = await damagedLog();
    const folder = mkdtempSync(join(tmpdir(), 'collard-room-'));
    const disk = openSmallDisk(folder, 'ext4', 8);
    onTestFinished(() => {
      disk.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const target = join(disk.folder, 'events.db');
    let saved = 0;
    for (const freeKib of [300, 600, 1_200, 1_400, 1_600, 1_800, 2_000, 2_300, 2_800]) {
      for (const name of readdirSync(disk.folder)) rmSync(join(disk.folder, name), { recursive: true, force: true });
      for (const suffix of ['', '.head', '.suspect']) copyFileSync(path + suffix, target + suffix);
      fill(disk.folder, freeKib * KIB);
      const first = start(target);
      rmSync(join(disk.folder, 'filler'));
      const later = start(target);
      const said = first.refused === '' ? first : later;
      expect(first.refused, `${freeKib} KiB`).toMatch(/^$|^(ENOSPC|SQLITE_FULL) log .*free space/);
      const lost = said.lost
        .flatMap((one) => lostRanges({ ...one }) ?? [])
        .flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
      // Each is held or told, none is both.
      expect(
        [...said.held, ...lost].sort((a, b) => a - b),
        `${freeKib} KiB`,
      ).toEqual(Array.from({ length: EVENTS }, (_, i) => i + 1));
      expect(said.aside).toHaveLength(1);
      expect(later.held).toEqual(said.held);
      if (first.refused === '' && first.held.length > 0) saved += 1;
      if (first.refused === '') expect(later).toMatchObject({ aside: [], lost: [] });
    }
    // Else nothing of it was tried.
    expect(saved).toBeGreaterThanOrEqual(5);
  },
  120_000,
);
