/** Starts a program under fault and listens to what it acknowledges. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ChildPlan } from './child.ts';

export const realChild = fileURLToPath(new URL('./child.ts', import.meta.url));
export const controlChild = fileURLToPath(new URL('./control-child.ts', import.meta.url));

/** What a child has said, as far as whole lines have arrived. */
export interface Heard {
  /** The last seq that was acknowledged; 0 before the first. */
  acked: number;
  /** The highest seq that the log was allowed to trim. */
  marked: number;
  errors: string[];
  /** Acknowledged after an error. */
  afterError: number;
}

export interface RunningChild {
  readonly process: ChildProcess;
  readonly heard: Heard;
  /** Resolves when its output has ended too. */
  readonly ended: Promise<{
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly stderr: string;
  }>;
  /** Resolves at the first acknowledgement, or when it ends. */
  readonly acking: Promise<unknown>;
}

export interface ChildOptions {
  readonly program?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A command before it, such as strace with its arguments. */
  readonly wrap?: readonly string[];
  readonly heard?: Heard;
}

export function nothingHeard(): Heard {
  return { acked: 0, marked: 0, errors: [], afterError: 0 };
}

export function startChild(plan: ChildPlan | object, options: ChildOptions = {}): RunningChild {
  const { program = realChild, wrap = [], heard = nothingHeard() } = options;
  const [command = '', ...args] = [...wrap, process.execPath, '--no-warnings', program, JSON.stringify(plan)];
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  const orphan = () => child.kill('SIGKILL');
  process.once('exit', orphan);
  let first: () => void = () => undefined;
  const acked = new Promise<void>((resolve) => {
    first = resolve;
  });
  let text = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    stderr = (stderr + part).slice(-4_000);
  });
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    const lines = (text + part).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) hear(heard, line);
    if (heard.acked > 0) first();
  });
  const ended = once(child, 'close').then(([code, signal]: (number | NodeJS.Signals | null)[]) => {
    process.removeListener('exit', orphan);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, stderr };
  });
  return { process: child, heard, ended, acking: Promise.race([acked, ended]) };
}

export function hear(heard: Heard, line: string): void {
  const value = line.slice(2);
  if (line.startsWith('a ')) heard.acked = Number(value);
  if (line.startsWith('m ')) heard.marked = Math.max(heard.marked, Number(value));
  if (line.startsWith('x ')) heard.errors.push(value);
  if (line.startsWith('v ')) heard.afterError += 1;
}
