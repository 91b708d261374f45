/** A person at a real terminal: the program has a pseudo-terminal for its questions, we read what it shows and type. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { openPty } from '../../src/simulator/pty.ts';
import { until } from '../servers.ts';
import { BARE_ENV } from './run.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
const PATIENCE_MS = 60_000;

export interface Terminal {
  /** All that it has shown so far, without colours. */
  shown(): string;
  /** Waits for a question, then types this and Enter. What was shown before it does not count again. */
  answer(question: RegExp, line: string): Promise<void>;
  type(keys: string): Promise<unknown>;
  waitFor(what: RegExp): Promise<void>;
  /** What it ended with, and its stdout. */
  ended(): Promise<{ readonly status: number | null; readonly stdout: string }>;
}

export function openTerminal(
  args: readonly string[],
  options: {
    cwd?: string;
    env?: Record<string, string> /** Its stdout goes to the terminal, too. */;
    screen?: true;
  } = {},
): Terminal {
  const pty = openPty();
  const slave = openSync(pty.path, 'r+');
  const child = spawn(process.execPath, [BIN, ...args], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...BARE_ENV, TERM: 'xterm', ...options.env },
    stdio: [slave, options.screen === true ? slave : 'pipe', slave],
  });
  closeSync(slave);
  const stdout = child.stdout === null ? Promise.resolve('') : text(child.stdout);
  const closed = once(child, 'close');
  let shown = '';
  let seen = 0;
  const buffer = Buffer.alloc(65_536);
  const read = () => {
    try {
      for (;;) shown += buffer.toString('utf8', 0, readSync(pty.fd, buffer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') clearInterval(reading);
    }
  };
  const reading = setInterval(read, 20);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    clearInterval(reading);
    await pty.close();
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes of a terminal
  const plain = () => shown.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '');
  const waitFor = async (what: RegExp) => {
    await until(
      `${what} in ${JSON.stringify(plain().slice(-600))}`,
      () => child.exitCode !== null || what.test(plain().slice(seen)),
      PATIENCE_MS,
    );
    const found = what.exec(plain().slice(seen));
    if (found === null) throw new Error(`it ended without ${what}: ${plain().slice(-800)}`);
    seen += found.index + found[0].length;
  };
  return {
    shown: plain,
    waitFor,
    type: (keys) => pty.write(Buffer.from(keys)),
    async answer(question, line) {
      await waitFor(question);
      await pty.write(Buffer.from(`${line}\r`));
    },
    async ended() {
      const [status] = (await closed) as [number | null];
      read();
      return { status, stdout: await stdout };
    },
  };
}
