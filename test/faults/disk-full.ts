/**
 * A disk that somebody else fills: the log gives its ballast and then events up and goes on, or says with a code that it cannot.
 * Whatever was acknowledged is there or told to be lost; it starts, or refuses to, and goes on once there is room.
 */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type StoredEvent, shortType } from '../../src/contract/event.ts';
import { lostRanges } from '../../src/contract/lost.ts';
import { below, type Context, createTally, mulberry32, type Row, type Scenario, type Verdict } from './frame.ts';
import { asideOf, openForCheck, unsound } from './oracle.ts';
import { type Heard, nothingHeard, startChild } from './run-child.ts';
import { openSmallDisk, type SmallDisk, whyNoSmallDisk } from './small-disk.ts';
import { epochOf, eventAt, numberOf } from './workload.ts';

const DISK_MB = 24;
/** Cards have 4 KiB; mkfs takes 1 KiB on small ones, and there SQLite's shared memory can meet a full disk. */
const BLOCK_BYTES = [4_096, 1_024] as const;
const EXIT_IO = 74;
const FULL = /^(SQLITE_(FULL|IOERR.*|CANTOPEN)|ENOSPC)$/;
/** Acknowledged after the disk was full, before the run is over. */
const EVENTS_BEHIND = 400;
const WITHIN_MS = 4_000;
/** A run that meets the full disk before it has a ballast ends; of so many one has it. */
const ENOUGH_RUNS = 10;
/** By giving its ballast and then events up. */
const WENT_ON = 'the program went on';
const ALL = Number.MAX_SAFE_INTEGER;

export const diskFull: Scenario = {
  name: 'disk-full',
  weight: 1,
  recovery: 'until the log is open again',
  full: 50,
  missing: () => whyNoSmallDisk('ext4'),
  async run(context): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for (const [i, blockBytes] of BLOCK_BYTES.entries()) {
      rows.push(await fillDisks(context, blockBytes, (context.shareMs * (i + 1)) / BLOCK_BYTES.length));
    }
    return rows;
  },
};

async function fillDisks(context: Context, blockBytes: number, untilMs: number): Promise<Row> {
  const tally = createTally(`disk full (ext4, blocks of ${blockBytes})`);
  const ends = new Map<string, number>();
  const began = performance.now();
  const disk = openSmallDisk(context.folder, 'ext4', DISK_MB, blockBytes);
  try {
    for (let no = 0; context.more(tally.injected) && performance.now() - began < untilMs; no += 1) {
      const seed = (context.seed + no) >>> 0;
      const { verdict, met } = await fillOnce(disk, seed);
      for (const end of met) ends.set(end, (ends.get(end) ?? 0) + 1);
      tally.add(verdict, `blocks of ${blockBytes}, seed ${seed}`);
    }
  } finally {
    disk.close();
  }
  for (const [end, count] of [...ends].sort()) tally.note(`${end}, ${count} times`);
  if (tally.injected >= ENOUGH_RUNS && !ends.has(WENT_ON)) tally.fail('not once did it go on while the disk was full');
  return tally.row();
}

async function fillOnce(disk: SmallDisk, seed: number): Promise<{ verdict: Verdict; met: readonly string[] }> {
  const random = mulberry32(seed);
  const folder = join(disk.folder, 'log');
  const filler = join(disk.folder, 'filler');
  mkdirSync(folder);
  const path = join(folder, 'events.db');
  const groupEvents = 1 + below(random, 40);
  const plan = { path, seed, groups: null, reopenEvery: null, keepBytes: null, groupEvents, trimEvery: 16 };
  const heard = nothingHeard();
  const child = startChild(plan, { heard });
  await child.acking;
  // Some have their ballast by then, some have not.
  await pause(random() * 400);
  fillDisk(filler);
  const before = heard.acked;
  const until = performance.now() + WITHIN_MS;
  while (heard.acked < before + EVENTS_BEHIND && child.process.exitCode === null && performance.now() < until)
    await pause(20);
  const went = heard.acked >= before + EVENTS_BEHIND;
  child.process.kill('SIGKILL');
  const { code, signal, stderr } = await child.ended;
  let breach: string | null = null;
  if (signal !== 'SIGKILL' && code !== EXIT_IO) breach = `ended with ${code ?? signal}: ${stderr}`;
  if (heard.errors.some((error) => !FULL.test(error))) breach ??= `met ${heard.errors}`;
  if (heard.afterError > 0) breach ??= 'acknowledged an append after an error';
  const restart = await startOnFullDisk(path, seed);
  if (!restart.ok) breach ??= `a start on the full disk: ${restart.end}`;
  if (asideOf(path).length > 0) breach ??= 'a full disk was taken for damage';
  rmSync(filler);
  const verdict = await checkTold(path, seed, heard);
  breach ??= verdict.breach ?? (await goesOn(path, seed, heard));
  rmSync(folder, { recursive: true });
  const stopped = signal === 'SIGKILL' ? 'did not come on in time' : `ended: ${heard.errors}`;
  return {
    verdict: { ...verdict, breach },
    met: [went ? WENT_ON : `the program ${stopped}`, `a start on the full disk: ${restart.end}`],
  };
}

/** Takes all the room there is. */
export function fillDisk(path: string): void {
  const fd = openSync(path, 'w');
  try {
    for (let size = 1024 * 1024; size >= 512; ) {
      try {
        writeSync(fd, Buffer.alloc(size, 1));
      } catch {
        size >>= 1;
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** In a process of its own: SQLite maps a file, and a full disk could end it with SIGBUS. */
async function startOnFullDisk(path: string, seed: number): Promise<{ readonly ok: boolean; readonly end: string }> {
  const child = startChild({ path, seed, groups: 0, reopenEvery: null, keepBytes: null });
  const { code, signal } = await child.ended;
  const [error] = child.heard.errors;
  if (code === 0) return { ok: true, end: 'opens' };
  return { ok: code === EXIT_IO && FULL.test(error ?? ''), end: error ?? `ended with ${code ?? signal}` };
}

/** Everything that was acknowledged is there, unchanged, or told to be lost. */
async function checkTold(path: string, seed: number, { acked }: Heard): Promise<Verdict> {
  const began = performance.now();
  let damage: string | null = null;
  const log = await openForCheck(
    path,
    () => epochOf(seed),
    (_, reason) => {
      damage = reason;
    },
  );
  const recoveryMs = performance.now() - began;
  try {
    const events = await log.read(epochOf(seed), 1, ALL, ALL, ALL);
    const held = new Set(events.map(({ seq }) => seq));
    const told = events.filter(isLoss).flatMap(({ data }) => lostRanges(JSON.parse(data)) ?? []);
    let lost = 0;
    for (let seq = 1; seq <= acked; seq += 1) {
      if (!held.has(seq) && !told.some(([from, to]) => from <= seq && seq <= to)) lost += 1;
    }
    const others = events.filter((event) => !isLoss(event));
    const numbers = others.map((event) => numberOf(event) ?? 0);
    const changed = others.find((event, i) => eventAt(seed, numbers[i] ?? 0).data !== event.data);
    const doubled = others.length - new Set(numbers).size;
    const breach = changed === undefined ? damage : `event ${changed.seq} is not what was appended`;
    return { acked, lost, doubled, recoveryMs, breach };
  } finally {
    await log.close();
  }
}

function isLoss({ type }: StoredEvent): boolean {
  return shortType(type) === 'history.lost';
}

/** Appends again once there is room. Returns why it does not, or null. */
async function goesOn(path: string, seed: number, heard: Heard): Promise<string | null> {
  const child = startChild({ path, seed, groups: 20, reopenEvery: null, keepBytes: null }, { heard });
  const { code } = await child.ended;
  if (code !== 0) return `after the disk had room again it ended with ${code}: ${heard.errors}`;
  const { lost, doubled, breach } = await checkTold(path, seed, heard);
  return breach ?? (lost + doubled > 0 ? `afterwards ${lost} lost, ${doubled} doubled` : unsound(path));
}
