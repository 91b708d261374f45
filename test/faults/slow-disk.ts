/**
 * A worn card: each flush takes 50 to 500 ms more, while the port runs at the full rate of 115 200 baud. A tty keeps 4 KiB for a
 * reader that is late, and what comes then is lost. The control keeps its log in the thread that reads, and must lose.
 * And another program that locks the log for seconds, longer than SQLite waits by itself.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import koffi from 'koffi';
import type { LogReader } from '../../src/agent/log/event-log.ts';
import { openLogReader } from '../../src/agent/log/open-log-reader.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { delay } from '../../src/lib/wait.ts';
import { openPty, type Pty } from '../../src/simulator/pty.ts';
import { type ScriptedCentral, startCentral } from '../agent/scripted-central.ts';
import { mosquittoPath, startMosquitto, until } from '../servers.ts';
import { below, type Context, createTally, mulberry32, type Row, type Scenario, type Verdict } from './frame.ts';
import { findCompiler } from './recording.ts';
import { sameEvent } from './workload.ts';

const program = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const bin = program('../../src/cli/bin.ts');

/** 115 200 baud: ten bits a byte. */
const BYTES_A_SECOND = 11_520;
/** What `n_tty` of Linux holds for its reader. */
const TTY_BYTES = 4_095;
/** 25 collars at 50 Hz are 11 400 bytes a second in frames. */
const LOAD = ['--format', 'frame', '--collars', '25', '--rate', '50', '--seconds', '10'];
/** A control may have luck with its flushes. */
const CONTROL_RUNS = 4;
const SLOW = { minMs: 50, maxMs: 500 };
const LOCKED = { minMs: 500, maxMs: 6_000 };
const KEEPALIVE_S = 5;
/** SIGTERM must have ended everything after so long. */
const STOP_MS = 5_000;

export const slowDisk: Scenario = {
  name: 'slow-disk',
  weight: 1,
  recovery: 'from SIGTERM to the end',
  full: 20,
  missing: whyNot,
  async run(context): Promise<readonly Row[]> {
    const library = join(context.folder, 'slow.so');
    const flags = ['-O2', '-shared', '-fPIC', '-o', library, program('./slow.c'), '-ldl', '-pthread'];
    execFileSync(findCompiler() ?? 'cc', flags, { stdio: 'pipe' });
    const real = createTally('flushes of 50 to 500 ms at 115 200 baud, then SIGTERM');
    const locked = createTally('the log locked by another program for 0.5 to 6 s at 115 200 baud');
    const control = createTally('slow flushes, the log in the thread that reads the port', true);
    do {
      const seed = (context.seed + real.injected) >>> 0;
      await one(context, { fault: 'slow', library, seed, inProcess: false }, real);
      await one(context, { fault: 'locked', library, seed, inProcess: false }, locked);
      // One that loses is enough to see that bytes can be lost here.
      while (control.losing === 0 && control.injected < CONTROL_RUNS)
        await one(context, { fault: 'slow', library, seed: seed + control.injected, inProcess: true }, control);
    } while (context.more(real.injected));
    return [real.row(), locked.row(), control.row()];
  },
};

function whyNot(): string | null {
  if (findCompiler() === null) return 'needs a C compiler: apt-get install gcc';
  return mosquittoPath === null ? 'needs mosquitto: apt-get install mosquitto' : null;
}

interface Run {
  readonly fault: 'slow' | 'locked';
  readonly library: string;
  readonly seed: number;
  readonly inProcess: boolean;
}

async function one(context: Context, run: Run, tally: ReturnType<typeof createTally>): Promise<void> {
  const folder = join(context.folder, `${run.seed}-${run.fault}-${run.inProcess}`);
  mkdirSync(folder);
  const broker = await startMosquitto();
  const central = await startCentral(broker.url, 'porch');
  const pty = openPty();
  try {
    const agent = startAgent(folder, run, pty.path, broker.url);
    const found = await measure(folder, run, pty, agent, central);
    const why = whyBroken(found);
    tally.add(
      { ...(await compare(join(folder, 'events.db'), central)), recoveryMs: found.stopMs, breach: why },
      `seed ${run.seed}`,
    );
    tally.note(describe(run, found));
    context.tell(describe(run, found));
  } finally {
    await central.stop();
    await pty.close();
    await broker.stop();
  }
}

interface Found {
  /** How long each flush, or each lock, has held the writer up. */
  readonly delaysMs: readonly number[];
  readonly written: number;
  readonly readingsWritten: number;
  readonly seconds: number;
  /** Bytes for which the tty had no room. */
  readonly lostBytes: number;
  readonly readings: number;
  readonly overrunBytes: number;
  readonly discarded: Readonly<Record<string, number>>;
  readonly lagMs: number;
  readonly stopMs: number;
  readonly exit: number | null;
}

async function measure(folder: string, run: Run, pty: Pty, agent: Agent, central: ScriptedCentral): Promise<Found> {
  const load = makeLoad(folder, run.seed);
  await until('the agent reads its port', () => agent.told().includes('source is open'), 30_000);
  await until('the agent is connected', () => central.seen.some(({ text }) => text.includes('online')), 30_000);
  const wire = openWire(pty);
  const locks = run.fault === 'locked' ? lockNowAndThen(join(folder, 'events.db'), run.seed) : null;
  const began = performance.now();
  for (let at = 0; at < load.bytes.length; at += 128) {
    await wire.send(load.bytes.subarray(at, at + 128));
    // A wire that is late does not hurry afterwards.
    await pause(Math.max(0, (128 / BYTES_A_SECOND) * 1_000 - 1));
  }
  const seconds = (performance.now() - began) / 1_000;
  await until('the port is read', () => wire.waiting() === 0, 10_000);
  wire.close();
  const held = (await locks?.stop()) ?? [];
  await pause(200);
  const stopped = performance.now();
  agent.process.kill('SIGTERM');
  const exit = await agent.ended;
  const stopMs = performance.now() - stopped;
  const told = join(folder, 'flushes');
  return {
    delaysMs: existsSync(told) ? readFileSync(told, 'utf8').trim().split('\n').map(Number) : held,
    written: load.bytes.length,
    readingsWritten: load.readings,
    seconds,
    lostBytes: wire.lostBytes,
    ...lastWords(agent.told()),
    lagMs: Number(readFileSync(join(folder, 'lag'), 'utf8')),
    stopMs: Math.round(stopMs),
    exit,
  };
}

/** The wire's end of the port: what the tty has no room for is gone, as on a UART without flow control. */
function openWire(pty: Pty) {
  const reader = openSync(pty.path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  const ioctl = koffi.load('libc.so.6').func('int ioctl(int fd, unsigned long request, _Out_ int *value)');
  const TIOCINQ = 0x541b;
  const count = [0];
  const waiting = () => {
    if (ioctl(reader, TIOCINQ, count) !== 0) throw new Error('TIOCINQ is refused');
    return count[0] ?? 0;
  };
  const wire = {
    lostBytes: 0,
    waiting,
    async send(bytes: Uint8Array) {
      if (waiting() + bytes.length > TTY_BYTES) wire.lostBytes += bytes.length;
      else wire.lostBytes += await pty.write(bytes);
    },
    close: () => closeSync(reader),
  };
  return wire;
}

/** Another program in the middle of a transaction, again and again. `stop` resolves to how long each has lasted. */
function lockNowAndThen(path: string, seed: number) {
  const db = new Database(path, { timeout: 0 });
  const random = mulberry32(seed);
  const held: number[] = [];
  const end = new AbortController();
  const run = async () => {
    while (!end.signal.aborted) {
      try {
        db.exec('BEGIN IMMEDIATE');
      } catch (error) {
        if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error;
        await pause(5);
        continue;
      }
      const ms = LOCKED.minMs + below(random, LOCKED.maxMs - LOCKED.minMs);
      held.push(ms);
      await delay(ms, end.signal);
      db.exec('ROLLBACK');
      await delay(300, end.signal);
    }
    db.close();
  };
  const done = run();
  return {
    async stop() {
      end.abort();
      await done;
      return held;
    },
  };
}

function makeLoad(folder: string, seed: number): { readonly bytes: Buffer; readonly readings: number } {
  const out = join(folder, 'wire');
  const args = [bin, 'simulate', ...LOAD, '--seed', `${seed}`, '--out', out];
  const { stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const readings = Number(/(\d+) readings/.exec(stderr.replaceAll(/[\u00a0,](?=\d{3})/g, ''))?.[1]);
  return { bytes: readFileSync(out), readings };
}

interface Agent {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  told(): string;
}

function startAgent(folder: string, run: Run, port: string, brokerUrl: string): Agent {
  const config = join(folder, 'agent.yaml');
  writeFileSync(
    config,
    `agent: porch
simulated: true
sources: [{ serial: ${port}, format: frame, place: kitchen }]
log: { path: ${join(folder, 'events.db')} }
mqtt: { url: "${brokerUrl}", keepaliveSeconds: ${KEEPALIVE_S} }
`,
  );
  const args = ['--no-warnings', '--import', program('./lag.ts')];
  args.push(...(run.inProcess ? [program('./in-process-agent.ts')] : [bin, 'agent', '--config']), config);
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LAG_TOLD: join(folder, 'lag'), ...(run.fault === 'slow' ? slowCard(folder, run) : {}) },
  });
  const orphan = () => child.kill('SIGKILL');
  process.once('exit', orphan);
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const ended = once(child, 'close').then(([code]: (number | null)[]) => {
    process.removeListener('exit', orphan);
    return code ?? null;
  });
  return { process: child, ended, told: () => text };
}

function slowCard(folder: string, { library, seed }: Run): NodeJS.ProcessEnv {
  return {
    LD_PRELOAD: library,
    SLOW_SEED: `${seed}`,
    SLOW_MIN_MS: `${SLOW.minMs}`,
    SLOW_MAX_MS: `${SLOW.maxMs}`,
    SLOW_TOLD: join(folder, 'flushes'),
  };
}

/** What the agent says of its port when it ends. */
function lastWords(told: string): Pick<Found, 'readings' | 'overrunBytes' | 'discarded'> {
  const line = told.split('\n').find((one) => one.includes('"sources are closed"'));
  if (line === undefined) throw new Error(`the agent ended without its last words: ${told.slice(-1_000)}`);
  const { sources } = JSON.parse(line) as { sources: Pick<Found, 'readings' | 'overrunBytes' | 'discarded'>[] };
  const { readings = 0, overrunBytes = 0, discarded = {} } = sources[0] ?? {};
  return { readings, overrunBytes, discarded };
}

/** What central heard is in the log, as it heard it. */
async function compare(path: string, central: ScriptedCentral): Promise<Pick<Verdict, 'acked' | 'lost' | 'doubled'>> {
  const reader = openLogReader(path);
  try {
    const kept = new Map((await readAll(reader)).map((event) => [`${event.epoch}/${event.seq}`, event]));
    const heard = [...central.epochs.values()].flatMap(({ events }) => [...events.values()]);
    const lost = heard.filter((event) => {
      const own = kept.get(`${event.epoch}/${event.seq}`);
      return own === undefined || !sameEvent(own, event);
    });
    return { acked: heard.length, lost: lost.length, doubled: 0 };
  } finally {
    reader.close();
  }
}

async function readAll(reader: LogReader): Promise<StoredEvent[]> {
  const all: StoredEvent[] = [];
  for (const { epoch, firstSeq, lastSeq } of reader.epochs())
    all.push(...(await reader.read(epoch, firstSeq, lastSeq, 1_000_000, 1e9)));
  return all;
}

function whyBroken(found: Found): string | null {
  const { delaysMs } = found;
  if (delaysMs.length < 2) throw new Error(`the writer was held up ${delaysMs.length} times: nothing was injected`);
  const { lostBytes, overrunBytes, discarded, readings, readingsWritten, lagMs, stopMs, exit } = found;
  if (lostBytes > 0) return `the tty lost ${lostBytes} bytes`;
  if (overrunBytes > 0) return `${overrunBytes} bytes overran the agent`;
  if (readings !== readingsWritten) return `${readings} of ${readingsWritten} readings: ${JSON.stringify(discarded)}`;
  if (lagMs >= (KEEPALIVE_S * 1_000) / 2) return `its event loop stood still for ${lagMs} ms`;
  if (exit !== 0) return `ended with ${exit}`;
  return stopMs > STOP_MS ? `SIGTERM took ${stopMs} ms` : null;
}

function describe({ fault, inProcess, seed }: Run, found: Found): string {
  const { delaysMs, written, seconds, lostBytes, readings, readingsWritten, lagMs, stopMs } = found;
  const mean = Math.round(delaysMs.reduce((sum, ms) => sum + ms, 0) / delaysMs.length);
  const rate = Math.round(written / seconds);
  return [
    `${inProcess ? 'in the reading thread' : 'in its own thread'} (seed ${seed}): ${fault} ${delaysMs.length} times, for ${mean} ms`,
    `${written} bytes at ${rate} B/s, ${lostBytes} lost`,
    `${readings} of ${readingsWritten} readings`,
    `loop stopped for ${lagMs} ms at most, SIGTERM took ${stopMs} ms`,
  ].join('; ');
}
