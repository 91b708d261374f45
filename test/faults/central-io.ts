/**
 * The whole of central on SQLite, asked for one cat after the other, in which one call to its files fails or is the last one. What was
 * answered must be there after a restart, and the restart must work. Behind a failure of the disk nothing may be answered any more: a
 * flush that failed cannot be made good in the same process.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Context, createTally, mulberry32, type Row, type Scenario, type Tally } from './frame.ts';
import { agentBin } from './house.ts';
import { cacheIn, inTurns, quietly, STRACE, shuffled, whyNoStrace } from './io-errors.ts';
import { unsound } from './oracle.ts';
import { createSupervised, type Supervised } from './supervised.ts';

const CALLS = ['fsync', 'pwrite64', 'openat', 'ftruncate', 'unlink'] as const;
const FAULTS = ['error=EIO', 'error=ENOSPC', 'signal=KILL'] as const;
const FILES = ['', '-wal', '-shm', '-journal'] as const;
const LANES = 2;
const CATS = 8;
/** Traced, on a machine full of other work. */
const PATIENCE_MS = 120_000;

interface Point {
  readonly call: string;
  readonly fault: (typeof FAULTS)[number];
  /** 1 is the first. */
  readonly index: number;
}

export const centralIo: Scenario = {
  name: 'central-io',
  weight: 2,
  recovery: 'until it serves again',
  full: Number.POSITIVE_INFINITY,
  missing: whyNoStrace,
  async run(context): Promise<readonly Row[]> {
    const counts = await countCalls(context.folder);
    const points = CALLS.flatMap((call) =>
      FAULTS.flatMap((fault) =>
        Array.from({ length: counts.get(call) ?? 0 }, (_, i) => ({ call, fault, index: i + 1 })),
      ),
    );
    // Most calls are writes of the schema: a short run has something of each.
    const mixed = shuffled(points, mulberry32(context.seed));
    const todo = inTurns(mixed, ({ call, fault }) => `${call} ${fault}`);
    const tallies = new Map(FAULTS.map((fault) => [fault, createTally(`central, I/O call: ${fault}`)]));
    const done = () => [...tallies.values()].reduce((sum, { injected }) => sum + injected, 0);
    const ends = new Map<string, number>();
    const lane = async (no: number) => {
      for (let point = todo.shift(); point !== undefined; point = context.more(done()) ? todo.shift() : undefined)
        await inject({ context, lane: no, ends }, point, tallies.get(point.fault));
    };
    await Promise.all(Array.from({ length: LANES }, (_, no) => lane(no)));
    const found = [...counts].map(([call, count]) => `${count} ${call}`).join(', ');
    const [first, ...others] = [...tallies.values()].map((tally) => tally.row());
    if (first === undefined) return [];
    const ended = [...ends].sort().map(([end, count]) => `${count} × ${end}`);
    return [{ ...first, notes: [`${done()} of ${points.length} points of a run with ${found}`, ...ended] }, ...others];
  },
};

interface Place {
  readonly folder: string;
  readonly path: string;
  readonly trace: string;
}

function layOut(folder: string): Place {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'central.db');
  writeFileSync(
    join(folder, 'central.yaml'),
    `store: { url: "sqlite:${path}" }\nmqtt: { url: "mqtt://127.0.0.1:9" }\nhttp: { port: 0 }\n`,
  );
  return { folder, path, trace: join(folder, 'trace') };
}

function start({ folder, path, trace }: Place, rules: readonly string[] | null): Supervised {
  const central = [process.execPath, agentBin, 'central', '--config', join(folder, 'central.yaml')];
  const calls = ['-e', `trace=${CALLS.join(',')}`, '-e', 'signal=none'];
  const injected = (rules ?? []).flatMap((rule) => ['-e', `inject=${rule}`]);
  const paths = FILES.flatMap((suffix) => ['-P', path + suffix]);
  // -D: central is our child, and strace its own.
  const strace = [STRACE, ...quietly(rules ?? []), '-D', '-f', '-o', trace, ...calls, ...injected, ...paths];
  const command = rules === null ? central : [...strace, ...central];
  const log = join(folder, 'central.log');
  const env = cacheIn(join(folder, '..'));
  const part = createSupervised({ name: 'central', log, command, env, restartMs: Number.POSITIVE_INFINITY });
  part.start();
  return part;
}

interface Asked {
  /** Cats that were answered with 201. */
  readonly added: readonly string[];
  /** One of them after a failure. */
  readonly afterFailure: boolean;
  /** How it ended: `code 0`, `SIGKILL`. */
  readonly end: string;
}

/** Asks until all are there or it has ended. */
async function ask(place: Place, part: Supervised, names: readonly string[]): Promise<Asked> {
  const added: string[] = [];
  let failed = false;
  let afterFailure = false;
  const page = await pageOf(place, part);
  for (const name of page === null ? [] : names) {
    if (part.ends.length > 0) break;
    const status = await post(new URL('api/v1/cats', page ?? ''), name);
    if (status !== 201) failed = true;
    else {
      added.push(name);
      afterFailure ||= failed;
    }
  }
  const { code } = await part.stop();
  return { added, afterFailure, end: part.ends[0] ?? `code ${code}` };
}

async function pageOf({ folder }: Place, part: Supervised): Promise<string | null> {
  const began = performance.now();
  while (part.ends.length === 0 && performance.now() - began < PATIENCE_MS) {
    const page = /^http:\S+$/m.exec(textOf(folder))?.[0];
    if (page !== undefined) return page;
    await pause(20);
  }
  return null;
}

/** Null: it has gone meanwhile. */
async function post(url: URL, name: string): Promise<number | null> {
  const headers = { 'content-type': 'application/json' };
  try {
    return (await fetch(url, { method: 'POST', headers, body: JSON.stringify({ name }) })).status;
  } catch {
    return null;
  }
}

function textOf(folder: string): string {
  try {
    return readFileSync(join(folder, 'central.log'), 'utf8');
  } catch {
    return '';
  }
}

function names(): readonly string[] {
  return Array.from({ length: CATS }, (_, n) => `cat ${n + 1}`);
}

async function countCalls(around: string): Promise<ReadonlyMap<string, number>> {
  const place = layOut(join(around, 'count'));
  const { end, added } = await ask(place, start(place, []), names());
  if (end !== 'code 0' || added.length < CATS) throw new Error(`it ended with ${end}: ${textOf(place.folder)}`);
  const lines = readFileSync(place.trace, 'utf8').split('\n');
  return new Map(CALLS.map((call) => [call, lines.filter((line) => line.includes(` ${call}(`)).length]));
}

interface Injecting {
  readonly context: Context;
  readonly lane: number;
  readonly ends: Map<string, number>;
}

async function inject({ context, lane, ends }: Injecting, point: Point, tally: Tally | undefined): Promise<void> {
  const place = layOut(join(context.folder, `lane${lane}`));
  const { call, fault, index } = point;
  const rule = `${call}:${fault}:when=${index}`;
  const { added, afterFailure, end } = await ask(place, start(place, [rule]), names());
  const happened =
    fault === 'signal=KILL' ? end === 'SIGKILL' : readFileSync(place.trace, 'utf8').includes('(INJECTED)');
  // The run ended before that call.
  if (!happened) return;
  ends.set(`${fault} of ${call}: ${end}`, (ends.get(`${fault} of ${call}: ${end}`) ?? 0) + 1);
  rmSync(join(place.folder, 'central.log'), { force: true });
  const began = performance.now();
  const again = start(place, null);
  const page = await pageOf(place, again);
  const recoveryMs = performance.now() - began;
  const found = page === null ? [] : await catsOf(page);
  const next = await ask(place, again, ['one more']);
  let breach: string | null = null;
  if (!/^(code (0|74)|SIGKILL)$/.test(end)) breach = `it ended with ${end}`;
  if (fault === 'error=EIO' && afterFailure) breach ??= 'answered after a failure of the disk';
  if (next.end !== 'code 0' || next.added.length !== 1)
    breach ??= `the next start ended with ${next.end}: ${textOf(place.folder).slice(-500)}`;
  const lost = added.filter((name) => !found.includes(name)).length;
  const doubled = found.length - new Set(found).size;
  tally?.add({ acked: added.length, lost, doubled, recoveryMs, breach: breach ?? unsound(place.path) }, rule);
}

async function catsOf(page: string): Promise<readonly string[]> {
  const answer = await fetch(new URL('api/v1/cats', page));
  const { cats = [] } = (await answer.json()) as { readonly cats?: readonly { readonly name: string }[] };
  return cats.map(({ name }) => name);
}
