/** A child of the bench that says when it reads, and goes when the bench goes. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { until } from '../../servers.ts';
import type { Running } from '../contender.ts';

const TOLD_LIMIT = 16_384;

export interface Child extends Running {
  readonly process: ChildProcess;
  /** Resolves when its output matches; where that does not come, or it ends before, it is stopped and what it said is the error. */
  says(pattern: RegExp, timeoutMs: number): Promise<void>;
}

/** In a group of its own, so that all it has begun ends with it. */
export function begin(program: string, args: readonly string[], options: SpawnOptions = {}): Child {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
  let told = '';
  const hear = (text: Buffer) => {
    told = (told + text.toString()).slice(-TOLD_LIMIT);
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  const lives = () => child.exitCode === null && child.signalCode === null;
  const send = (signal: NodeJS.Signals) => {
    if (child.pid !== undefined && lives()) process.kill(-child.pid, signal);
  };
  const orphan = () => send('SIGKILL');
  process.once('exit', orphan);
  child.once('exit', () => process.removeListener('exit', orphan));
  const end = async (signal: NodeJS.Signals) => {
    if (!lives()) return;
    const gone = once(child, 'exit');
    send(signal);
    const late = setTimeout(() => send('SIGKILL'), 10_000);
    await gone;
    clearTimeout(late);
  };
  return {
    process: child,
    pids: [child.pid ?? 0],
    async says(pattern, timeoutMs) {
      try {
        await until(`${program} says ${pattern}`, () => pattern.test(told) || !lives(), timeoutMs);
        if (!lives()) throw new Error(`${program} ended`);
      } catch (cause) {
        await end('SIGKILL');
        throw new Error(`${program} ${args.join(' ')} does not start: ${told.slice(-2_000)}`, { cause });
      }
    },
    stop: () => end('SIGTERM'),
    kill9: () => end('SIGKILL'),
  };
}
