/**
 * The whole agent, reading a file of readings and sending what it logs, in which one call to its files after the other fails or
 * is the last one. What the broker has heard must be in the log after a restart, and the restart must work.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'mqtt';
import { decodeBatch } from '../../src/contract/envelope.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { mosquittoPath, startMosquitto } from '../servers.ts';
import { type Context, createTally, mulberry32, type Row, type Scenario, type Tally, type Verdict } from './frame.ts';
import { agentBin } from './house.ts';
import { cacheIn, inTurns, mayBe, quietly, STRACE, shuffled, whyNoStrace } from './io-errors.ts';
import { readCard, unsoundCopies } from './nemesis-oracle.ts';
import { createSupervised, type Supervised } from './supervised.ts';
import { sameEvent } from './workload.ts';

const CALLS = [
  'openat',
  'pread64',
  'pwrite64',
  'write',
  'fsync',
  'fdatasync',
  'ftruncate',
  'unlink',
  'rename',
] as const;
const FAULTS = ['error=EIO', 'error=ENOSPC', 'signal=KILL'] as const;
/** What lies on the card. */
const FILES = [
  'events.db',
  ...['-wal', '-journal', '-shm', '.head', '.lock', '.ballast', '.suspect'].map((end) => `events.db${end}`),
  'agent.key',
];
const LANES = 3;
const READINGS = 40;
const EVERY_MS = 8;
const PATIENCE_MS = 30_000;

interface Point {
  readonly call: string;
  readonly fault: (typeof FAULTS)[number];
  /** 1 is the first. */
  readonly index: number;
}

export const agentIo: Scenario = {
  name: 'agent-io',
  weight: 2,
  recovery: 'a whole next run of the agent',
  full: Number.POSITIVE_INFINITY,
  missing: () => whyNoStrace() ?? (mosquittoPath === null ? 'needs mosquitto: apt-get install mosquitto' : null),
  async run(context): Promise<readonly Row[]> {
    const broker = await startMosquitto();
    try {
      const counts = await countCalls(join(context.folder, 'count'), broker.url);
      const points = CALLS.flatMap((call) =>
        FAULTS.filter((fault) => mayBe(call, fault)).flatMap((fault) =>
          Array.from({ length: counts.get(call) ?? 0 }, (_, i) => ({ call, fault, index: i + 1 })),
        ),
      );
      const todo = inTurns(shuffled(points, mulberry32(context.seed)), ({ fault }) => fault);
      const tallies = new Map(FAULTS.map((fault) => [fault, createTally(`agent, I/O call: ${fault}`)]));
      const injected = () => [...tallies.values()].map((tally) => tally.injected);
      // Calls that a run does not come to are no fault: of each kind there must be its share.
      const isWanted = () => context.more(FAULTS.length * Math.min(...injected()));
      const ends = new Map<string, number>();
      const lane = async (no: number) => {
        for (let point = todo.shift(); point !== undefined; point = isWanted() ? todo.shift() : undefined)
          await inject({ context, url: broker.url, lane: no, ends }, point, tallies.get(point.fault));
      };
      await Promise.all(Array.from({ length: LANES }, (_, no) => lane(no)));
      const found = [...counts].map(([call, count]) => `${count} ${call}`).join(', ');
      const [first, ...others] = [...tallies.values()].map((tally) => tally.row());
      if (first === undefined) return [];
      const ended = [...ends].sort().map(([end, count]) => `${count} × ${end}`);
      return [
        {
          ...first,
          notes: [
            `${injected().reduce((sum, n) => sum + n, 0)} of ${points.length} points of a run with ${found}`,
            ...ended,
          ],
        },
        ...others,
      ];
    } finally {
      await broker.stop();
    }
  },
};

interface Card {
  readonly folder: string;
  readonly path: string;
  readonly config: string;
  readonly trace: string;
}

function layOut(folder: string, url: string, name: string): Card {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'events.db');
  const config = join(folder, 'agent.yaml');
  const readings = join(folder, 'readings.json');
  const line = (n: number) =>
    `${JSON.stringify({ t: n * EVERY_MS, collar: `CAT${n % 4}`, place: `p${n}`, motion: 1 })}\n`;
  writeFileSync(readings, Array.from({ length: READINGS }, (_, n) => line(n + 1)).join(''));
  writeFileSync(
    config,
    `agent: ${name}
simulated: true
sources: [{ file: ${readings}, format: json }]
log: { path: ${path}, groupMs: 0 }
mqtt: { url: "${url}", retryFirstMs: 50, retryMaxMs: 500 }
`,
  );
  return { folder, path, config, trace: join(folder, 'trace') };
}

function start({ folder, config, trace }: Card, rules: readonly string[] | null): Supervised {
  const agent = [process.execPath, agentBin, 'agent', '--config', config];
  const calls = [
    '-e',
    `trace=${CALLS.join(',')}`,
    '-e',
    'signal=none',
    ...(rules ?? []).flatMap((one) => ['-e', `inject=${one}`]),
  ];
  const paths = FILES.flatMap((name) => ['-P', join(folder, name)]);
  // -D: the agent is our child, and strace its own.
  const strace = [STRACE, ...quietly(rules ?? []), '-D', '-f', '-o', trace, ...calls, ...paths];
  const command = rules === null ? agent : [...strace, ...agent];
  const log = join(folder, 'agent.log');
  // Once: what happens after its end is for us to see.
  // Beside the lanes: each makes its own folder anew.
  const env = cacheIn(join(folder, '..'));
  const part = createSupervised({ name: 'agent', log, command, env, restartMs: Number.POSITIVE_INFINITY });
  part.start();
  return part;
}

/** Until all readings have been read and written, or it has ended. Returns how it ended: `code 0`, `SIGKILL`. */
async function runToEnd(card: Card, part: Supervised): Promise<string> {
  const began = performance.now();
  const isRead = () => /file has been read to its end/.test(textOf(card));
  while (part.ends.length === 0 && !isRead() && performance.now() - began < PATIENCE_MS) await pause(20);
  await pause(part.ends.length > 0 ? 0 : 200);
  const { code } = await part.stop();
  return part.ends[0] ?? `code ${code}`;
}

function textOf({ folder }: Card): string {
  try {
    return readFileSync(join(folder, 'agent.log'), 'utf8');
  } catch {
    return '';
  }
}

async function countCalls(folder: string, url: string): Promise<ReadonlyMap<string, number>> {
  const card = layOut(folder, url, 'count');
  const end = await runToEnd(card, start(card, []));
  if (end !== 'code 0') throw new Error(`the scripted run ended with ${end}: ${textOf(card)}`);
  const lines = readFileSync(card.trace, 'utf8').split('\n');
  return new Map(CALLS.map((call) => [call, lines.filter((line) => line.includes(` ${call}(`)).length]));
}

interface Injecting {
  readonly context: Context;
  readonly url: string;
  readonly lane: number;
  readonly ends: Map<string, number>;
}

async function inject({ context, url, lane, ends }: Injecting, point: Point, tally: Tally | undefined): Promise<void> {
  const name = `lane${lane}`;
  const card = layOut(join(context.folder, name), url, name);
  const ear = await listen(url, name);
  try {
    const { call, fault, index } = point;
    const rule = `${call}:${fault}:when=${index}`;
    const end = await runToEnd(card, start(card, [rule]));
    const happened =
      fault === 'signal=KILL' ? end === 'SIGKILL' : readFileSync(card.trace, 'utf8').includes('(INJECTED)');
    // The run ended before that call.
    if (!happened) return;
    ends.set(`${fault} of ${call}: ${end}`, (ends.get(`${fault} of ${call}: ${end}`) ?? 0) + 1);
    rmSync(join(card.folder, 'agent.log'), { force: true });
    const began = performance.now();
    const again = await runToEnd(card, start(card, null));
    const recoveryMs = performance.now() - began;
    let breach: string | null = null;
    if (!/^(code (0|74)|SIGKILL)$/.test(end)) breach = `it ended with ${end}`;
    if (again !== 'code 0') breach ??= `the next start ended with ${again}: ${textOf(card).slice(-500)}`;
    tally?.add(await judge(card, ear.heard, { recoveryMs, breach }), rule);
  } finally {
    await ear.close();
  }
}

async function judge(
  card: Card,
  heard: readonly StoredEvent[],
  so: Pick<Verdict, 'recoveryMs' | 'breach'>,
): Promise<Verdict> {
  const scratch = join(card.folder, 'scratch');
  const held = await readCard(card.path, scratch);
  const events = new Map(held.events.map((event) => [`${event.epoch} ${event.seq}`, event]));
  const missing = heard.filter((event) => {
    const own = events.get(`${event.epoch} ${event.seq}`);
    return own === undefined || !sameEvent(own, event);
  });
  const breach = so.breach ?? unsoundCopies([card.path], scratch);
  return { ...so, acked: heard.length, lost: missing.length, doubled: 0, breach };
}

/** Hears every event that the agent sends. */
async function listen(url: string, agent: string) {
  const client = connect(url, { reconnectPeriod: 0, clean: true });
  const heard: StoredEvent[] = [];
  client.on('message', (_topic, payload) => {
    const decoded = decodeBatch(payload);
    if (decoded.ok) heard.push(...decoded.batch.events);
  });
  await client.subscribeAsync([`collard/v1/+/${agent}/events`, `collard/v1/+/${agent}/backlog`], { qos: 1 });
  return { heard, close: () => client.endAsync(true) };
}
