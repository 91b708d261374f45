/** kill -9 while a damaged log is being saved: the next start does it again, or takes what was made, and nothing is there twice. */
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { salvagePaths } from '../../src/agent/log/aside.ts';
import { type Context, createTally, mulberry32, type Row, type Verdict } from './frame.ts';
import { openForCheck } from './oracle.ts';
import { startChild } from './run-child.ts';
import { checkTold } from './told-loss.ts';
import { epochOf, eventAt, truthOf } from './workload.ts';

const GROUPS = 100;
const GROUP_EVENTS = 60;
const ACKED = GROUPS * GROUP_EVENTS;
/** One group in the middle is not whole: the rest can be saved. */
const LOST_SEQ = 1_234;
/** Its share of the time and the count of the scenario. */
const SHARE = 0.2;

export async function killedSalvage(context: Context): Promise<Row> {
  const { seed } = context;
  const tally = createTally('kill -9 while a damaged log is saved');
  const random = mulberry32(seed);
  const damaged = join(context.folder, 'damaged');
  await damagedLog(damaged, seed);
  const began = performance.now();
  const folder = join(context.folder, 'killed');
  // How long it takes undisturbed says when to kill.
  const { spanMs } = await killOnce(damaged, folder, seed, null);
  const more = () => context.more(tally.injected / SHARE) && performance.now() - began < context.shareMs * SHARE;
  do {
    const { inTheMiddle } = await killOnce(damaged, folder, seed, random() * spanMs);
    const verdict = await judge(folder, seed);
    if (inTheMiddle) tally.add(verdict, `seed ${seed}, kill ${tally.injected + 1}`);
  } while (tally.injected === 0 || more());
  return tally.row();
}

async function damagedLog(folder: string, seed: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'events.db');
  const log = await openForCheck(
    path,
    () => epochOf(seed),
    () => undefined,
  );
  for (let group = 0; group < GROUPS; group += 1) {
    const from = group * GROUP_EVENTS + 1;
    await log.append(Array.from({ length: GROUP_EVENTS }, (_, i) => eventAt(seed, from + i)));
  }
  await log.close();
  const db = new Database(path);
  db.prepare('DELETE FROM event WHERE pos = ?').run(LOST_SEQ);
  db.close();
  writeFileSync(`${path}.suspect`, '');
}

/** Starts on a copy of the damaged log; kills it so long after the salvage was begun, or lets it come to its end. */
async function killOnce(damaged: string, folder: string, seed: number, afterMs: number | null) {
  rmSync(folder, { recursive: true, force: true });
  cpSync(damaged, folder, { recursive: true });
  const path = join(folder, 'events.db');
  const { making, made } = salvagePaths(path);
  const child = startChild({ path, seed: seed + 1, groups: 0, reopenEvery: null, keepBytes: null });
  const running = () => child.process.exitCode === null && child.process.signalCode === null;
  while (running() && !existsSync(making)) await pause(2);
  const began = performance.now();
  if (afterMs !== null) {
    await Promise.race([child.ended, pause(afterMs)]);
    child.process.kill('SIGKILL');
  }
  const { signal } = await child.ended;
  const inTheMiddle = signal === 'SIGKILL' && (existsSync(making) || existsSync(made));
  return { spanMs: performance.now() - began, inTheMiddle };
}

async function judge(folder: string, seed: number): Promise<Verdict> {
  const path = join(folder, 'events.db');
  const heard = { acked: ACKED, marked: 0 };
  const { told, beyond, blind, ...verdict } = await checkTold(path, { seed, truth: truthOf(seed), heard });
  const { making, made } = salvagePaths(path);
  let { breach } = verdict;
  if (told !== GROUP_EVENTS || beyond + blind > 0) breach ??= `${told} told, ${beyond} beyond, ${blind} blind`;
  if (existsSync(making) || existsSync(made)) breach ??= 'the salvage was left behind';
  return { ...verdict, breach };
}
