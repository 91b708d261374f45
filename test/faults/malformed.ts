/**
 * Damaged logs. The agent must start within three lives and take events again; every event that had been acknowledged must be
 * there byte-equal, or be told by `history.lost`: what is neither is lost. Where the witness is spoilt as well nobody can tell
 * how far the log had come: that is counted by itself.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { v7 } from 'uuid';
import type { IngestLog } from '../../src/agent/log/event-log.ts';
import { chainHex, chainOver, chainStart } from '../../src/contract/chain.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { createTally, mulberry32, type Row, type Scenario, type Verdict } from './frame.ts';
import { type Files, MUTATIONS, type Mutation } from './mutants.ts';
import { asideOf, openForCheck } from './oracle.ts';
import { killedSalvage } from './salvage-kill.ts';
import { toldRanges } from './told-loss.ts';
import { AGENT, epochOf, eventAt, sameEvent, type Truth, truthOf } from './workload.ts';

/** Starts until the agent runs: one may find the damage, one more may have to put the log aside. */
const LIVES = 3;
const GROUPS = 40;
/** Numbers of the events that are appended to a damaged log. */
const AFTER = 1_000_000;
/** A start that is refused in words: the file says that it is of another agent, program or version. */
const REFUSED = /^LOG_(FOREIGN|NEWER|OTHER_AGENT)$/;
const ALL = Number.MAX_SAFE_INTEGER;

export const malformed: Scenario = {
  name: 'malformed',
  weight: 1,
  recovery: 'its start, of up to three',
  full: 2_000,
  missing: () => null,
  async run(context): Promise<readonly Row[]> {
    const killed = await killedSalvage(context);
    const tally = createTally('damaged log');
    const ends = new Map<string, number>();
    let untold = 0;
    const base = await soundLog(join(context.folder, 'base'), context.seed);
    const other = await soundLog(join(context.folder, 'other'), context.seed + 1);
    const truth = truthOf(context.seed);
    // Every mutation once, whatever the time; then as often as it allows.
    for (let round = 0; round === 0 || context.more(tally.injected); round += 1) {
      for (const [i, mutation] of MUTATIONS.entries()) {
        const seed = (context.seed + round * MUTATIONS.length + i) >>> 0;
        const mutant: Mutant = { seed, mutation, base, other, truth, baseSeed: context.seed };
        const { verdict, end } = await liveOn(join(context.folder, 'mutant'), mutant);
        const blind = mutation.blinds === true && verdict.breach === null ? verdict.lost : 0;
        untold += blind;
        tally.add({ ...verdict, lost: verdict.lost - blind }, `${mutation.name}, round ${round}, seed ${context.seed}`);
        const key = `${mutation.name}: ${end}`;
        ends.set(key, (ends.get(key) ?? 0) + 1);
      }
    }
    tally.note(`${untold} events are gone untold where the witness was spoilt together with the log`);
    for (const [end, count] of [...ends].sort()) tally.note(`${end}, ${count} times`);
    return [tally.row(), killed];
  },
};

interface Mutant {
  readonly seed: number;
  readonly mutation: Mutation;
  readonly base: ReadonlyMap<string, Buffer>;
  readonly other: ReadonlyMap<string, Buffer>;
  readonly truth: Truth;
  readonly baseSeed: number;
}

/** The files of a log in the middle of its work: half of it in the database, half of it in the WAL. */
async function soundLog(folder: string, seed: number): Promise<ReadonlyMap<string, Buffer>> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'events.db');
  const open = () => openForCheck(path, () => epochOf(seed), refuse);
  const fill = async (log: IngestLog) => {
    for (let group = 0; group < GROUPS; group += 1) {
      const from = (log.epochs().at(-1)?.lastSeq ?? 0) + 1;
      await log.append(Array.from({ length: 1 + (from % 5) }, (_, i) => eventAt(seed, from + i)));
    }
  };
  const first = await open();
  await fill(first);
  await first.close();
  const second = await open();
  await fill(second);
  const files = new Map(['', '-wal', '-shm', '.head'].map((suffix) => [suffix, readFileSync(path + suffix)]));
  await second.close();
  return files;
}

function refuse(_: string, reason: string): void {
  throw new Error(`a sound log was put aside: ${reason}`);
}

interface End {
  readonly verdict: Verdict;
  /** What became of it, in few words. */
  readonly end: string;
}

async function liveOn(folder: string, mutant: Mutant): Promise<End> {
  const files: Files = new Map([...mutant.base].map(([suffix, bytes]) => [suffix, Buffer.from(bytes)]));
  mutant.mutation.spoil(files, mulberry32(mutant.seed), mutant.other);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'events.db');
  for (const [suffix, bytes] of files) writeFileSync(path + suffix, bytes);
  const began = performance.now();
  const acked = lastSound();
  const errors: string[] = [];
  for (let life = 1; life <= LIVES; life += 1) {
    const found = await live(path, mutant).catch(
      (error: Error & { code?: string }) => error.code ?? `none: ${error.stack}`,
    );
    if (typeof found !== 'string') {
      const recoveryMs = performance.now() - began;
      const lives = life === 1 ? '' : ` in life ${life} after ${errors}`;
      const { lost, breach, end } = found;
      return { verdict: { acked, doubled: 0, lost, recoveryMs, breach }, end: end + lives };
    }
    errors.push(found);
  }
  const recoveryMs = performance.now() - began;
  // A file that says it is another's is left alone: nothing of it is gone.
  const refused = errors.every((code) => REFUSED.test(code));
  const end = refused ? `refused with ${errors[0]}` : `never started: ${errors}`;
  return { verdict: { acked, lost: 0, doubled: 0, recoveryMs, breach: refused ? null : end }, end };
}

/** One life of an agent: reads everything, appends, trims, closes, and finds again what it appended. */
async function live(path: string, mutant: Mutant): Promise<Found> {
  const log = await openForCheck(
    path,
    () => v7(),
    () => undefined,
  );
  try {
    const before = await judge(log, path, mutant);
    const appended: StoredEvent[] = [];
    for (let group = 0; group < 3; group += 1) {
      const events = [0, 1, 2].map((i) => eventAt(mutant.seed, AFTER + group * 3 + i));
      const { epoch, firstSeq } = await log.append(events);
      appended.push(...events.map((event, i) => ({ epoch, seq: firstSeq + i, ...event })));
    }
    await log.nextSession();
    const current = log.epochs().at(-1);
    const from = appended[0]?.seq ?? 0;
    const back = await log.read(current?.epoch ?? '', from, from + appended.length - 1, 100, 1e9);
    const same = back.length === appended.length && back.every((event, i) => sameEvent(event, appended[i] ?? event));
    await log.trim(Date.parse('2026-11-23T07:00:00.000Z'));
    return { ...before, breach: before.breach ?? (same ? null : 'what was appended afterwards is not there') };
  } finally {
    await log.close();
  }
}

interface Found {
  readonly lost: number;
  readonly breach: string | null;
  readonly end: string;
}

/** Every acknowledged event is there as it was, or told; and what is there and differs shows in the chain. */
async function judge(log: IngestLog, path: string, { truth, baseSeed }: Mutant): Promise<Found> {
  const epoch = epochOf(baseSeed);
  const mine = log.epochs().find((head) => head.epoch === epoch);
  const events = mine === undefined ? [] : await log.read(epoch, 1, ALL, ALL, ALL);
  const there = new Set(events.filter((event) => sameEvent(event, truth.event(event.seq))).map(({ seq }) => seq));
  const told = await toldRanges(log, epoch);
  let lost = 0;
  for (let seq = 1; seq <= lastSound(); seq += 1) {
    if (!there.has(seq) && !told.some(([from, to]) => from <= seq && seq <= to)) lost += 1;
  }
  const changed = events.length - there.size;
  const shows = changed === 0 || !(await isProven(log, epoch, events));
  const isAside = asideOf(path).length > 0;
  const what = there.size === lastSound() ? 'all' : there.size === 0 ? 'nothing' : 'part of it';
  return {
    // An event that changed is no loss that needs telling as long as the chain shows it: the next full reading puts the log aside.
    lost: Math.max(0, lost - (shows ? changed : 0)),
    breach: shows ? null : `${changed} events changed unseen`,
    end: changed > 0 ? 'changed, the chain shows it' : `${isAside ? 'put aside, ' : ''}${what} is there`,
  };
}

async function isProven(log: IngestLog, epoch: string, events: readonly StoredEvent[]): Promise<boolean> {
  const last = events.at(-1)?.seq ?? 0;
  const kept = await log.chainAt(epoch, last);
  return kept !== null && chainHex(kept) === chainHex(chainOver(chainStart(AGENT, epoch), events));
}

/** The last seq of `soundLog`. */
function lastSound(): number {
  let seq = 0;
  for (let group = 0; group < GROUPS * 2; group += 1) seq += 1 + ((seq + 1) % 5);
  return seq;
}
