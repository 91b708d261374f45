/** A program as systemd would keep it: what ends by itself is started again, and how it ended is noted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export interface Supervised {
  readonly name: string;
  /** What it said on stdout and stderr, over all its lives. */
  readonly log: string;
  readonly pid: number | null;
  /** Ends that nobody asked for, in order: `code 74`, `SIGABRT`. */
  readonly ends: readonly string[];
  start(): void;
  /** True when SIGKILL ended it. */
  kill(): Promise<boolean>;
  /** SIGTERM; resolves with its exit code (null: a signal ended it) and how long that took. */
  stop(): Promise<{ readonly code: number | null; readonly ms: number }>;
  /** True when the system shows it as stopped. */
  freeze(): boolean;
  thaw(): void;
  rssBytes(): number;
}

export interface SupervisedOptions {
  readonly name: string;
  readonly log: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Infinity: what has ended stays so. */
  readonly restartMs?: number;
}

/** A service keeps no cache of what Node.js compiled: it is written at the end of the program, hundreds of files. */
const { NODE_COMPILE_CACHE: _, ...asOfService } = process.env;

export function createSupervised(options: SupervisedOptions): Supervised {
  const { name, log, command, env = {}, restartMs = 300 } = options;
  const [program = '', ...args] = command;
  const ends: string[] = [];
  let child: ChildProcess | null = null;
  let wanted = false;
  const begin = () => {
    const started = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...asOfService, ...env } });
    const file = createWriteStream(log, { flags: 'a' });
    started.stdout.pipe(file, { end: false });
    started.stderr.pipe(file, { end: false });
    const orphan = () => started.kill('SIGKILL');
    process.once('exit', orphan);
    started.once('close', () => file.end());
    started.once('exit', (code, signal) => {
      process.removeListener('exit', orphan);
      if (child !== started) return;
      child = null;
      ends.push(signal ?? `code ${code}`);
      if (restartMs === Number.POSITIVE_INFINITY) return;
      void pause(restartMs).then(() => {
        if (wanted && child === null) begin();
      });
    });
    child = started;
  };
  const end = async (signal: NodeJS.Signals): Promise<ChildProcess | null> => {
    wanted = false;
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return null;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
    return running;
  };
  return {
    name,
    log,
    get pid() {
      return child?.pid ?? null;
    },
    ends,
    start() {
      wanted = true;
      if (child === null) begin();
    },
    kill: async () => (await end('SIGKILL'))?.signalCode === 'SIGKILL',
    async stop() {
      const began = performance.now();
      const ended = await end('SIGTERM');
      return { code: ended?.exitCode ?? null, ms: performance.now() - began };
    },
    freeze: () => child?.pid !== undefined && child.kill('SIGSTOP') && isStopped(child.pid),
    thaw() {
      child?.kill('SIGCONT');
    },
    rssBytes: () => (child?.pid === undefined ? 0 : rssOf(child.pid)),
  };
}

/** The state letter stands behind the name of the program, which may hold anything. */
function isStopped(pid: number): boolean {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    if (stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'T') return true;
  }
  return false;
}

export function rssOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    // It has just ended.
    return 0;
  }
}
