/** The whole program as its users run it: agent, broker and central as processes, collars on a pseudo-terminal. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openPty } from '../../src/simulator/pty.ts';
import { freePort, until } from '../servers.ts';

export const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const run = promisify(execFile);

/** A program that can be killed and started again with the same arguments. */
export interface Part {
  readonly name: string;
  readonly log: string;
  start(): void;
  kill9(): Promise<void>;
  stop(): Promise<number | null>;
  rssBytes(): number;
  /** 0 before it was started. */
  pid(): number;
  /** Null while it runs. */
  exitCode(): number | null;
}

export interface Stack {
  readonly folder: string;
  readonly agentYaml: string;
  readonly centralYaml: string;
  readonly logPath: string;
  readonly http: string;
  readonly agent: Part;
  readonly central: Part;
  /** Writes what `collard simulate` writes to the port at real time. Resolves with its summary when it has ended. */
  simulate(options: { collars: number; rate: number; seconds: number; seed: number }): {
    done: Promise<{ frames: number; readings: number; overflowBytes: number }>;
    stop(): void;
  };
  /** Writes bytes to the agent's port as the wire would: what the kernel's buffer does not take now is written a little later. */
  write(bytes: Uint8Array): Promise<void>;
  /** The newest health message of the agent that central has, or null. */
  health(): Promise<AgentHealth | null>;
  /** Runs a command of the program and gives its exit code and output. */
  collard(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Resolves when the agent's log and central's store agree; rejects with the last verdict. */
  agreed(timeoutMs?: number): Promise<Verdict>;
  close(): Promise<void>;
}

export interface AgentHealth {
  readonly protocol: string;
  readonly sources: readonly {
    readonly state: string;
    readonly readings: number;
    readonly discarded: Readonly<Record<string, number>>;
  }[];
}

export interface Verdict {
  readonly agent: string;
  readonly status: 'agree' | 'missing' | 'conflicting' | 'expired';
  readonly epoch: string;
  readonly seq: number;
  readonly chain: string;
}

export interface StackOptions {
  readonly brokerUrl: string;
  readonly agentExtra?: string;
  readonly centralExtra?: string;
  readonly format?: 'frame' | 'json';
  readonly agentName?: string;
  /** Of the agent, beside that of this process. */
  readonly agentEnv?: Readonly<Record<string, string>>;
}

export async function openStack(options: StackOptions): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-e2e-'));
  const pty = openPty();
  const port = await freePort();
  const logPath = join(folder, 'events.db');
  const agentYaml = join(folder, 'agent.yaml');
  const centralYaml = join(folder, 'central.yaml');
  const name = options.agentName ?? 'porch';
  writeFileSync(
    agentYaml,
    `agent: ${name}
simulated: true
sources:
  - serial: ${pty.path}
    format: ${options.format ?? 'frame'}
    place: kitchen
log: { path: ${logPath} }
mqtt: { url: "${options.brokerUrl}", retryFirstMs: 100, retryMaxMs: 1000, keepaliveSeconds: 5 }
health: { everyMs: 1000 }
${options.agentExtra ?? 'forward: { syncAfterMs: 1000, stalledAfterMs: 10000 }'}
`,
  );
  writeFileSync(
    centralYaml,
    `store: { url: "sqlite:${join(folder, 'central.db')}" }
mqtt: { url: "${options.brokerUrl}", retryFirstMs: 100, retryMaxMs: 1000, keepaliveSeconds: 5 }
http: { port: ${port} }
${options.centralExtra ?? ''}
`,
  );
  const agent = createPart('agent', folder, ['agent', '--config', agentYaml], options.agentEnv);
  const central = createPart('central', folder, ['central', '--config', centralYaml]);
  const collard: Stack['collard'] = async (...args) => {
    try {
      const { stdout, stderr } = await run(process.execPath, [bin, ...args], { maxBuffer: 1 << 28 });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const failed = error as { code?: number; stdout?: string; stderr?: string };
      return { code: failed.code ?? -1, stdout: failed.stdout ?? '', stderr: failed.stderr ?? String(error) };
    }
  };
  return {
    folder,
    agentYaml,
    centralYaml,
    logPath,
    http: `http://127.0.0.1:${port}`,
    agent,
    central,
    collard,
    simulate: (load) => feed(pty, load),
    write: async (bytes) => {
      let from = 0;
      while (from < bytes.length) {
        const part = bytes.subarray(from, from + 2_000);
        from += part.length - (await pty.write(part));
        await pause(2);
      }
    },
    health: () => health(`http://127.0.0.1:${port}`),
    agreed: (timeoutMs = 60_000) =>
      agreed(() => collard('verify', '--agent', name, '--config', centralYaml, '--log', logPath, '--json'), timeoutMs),
    close: async () => {
      await Promise.all([agent.stop(), central.stop()]);
      await pty.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function health(http: string): Promise<AgentHealth | null> {
  const response = await fetch(`${http}/api/v1/agents`).catch(() => null);
  if (response === null || !response.ok) return null;
  const { agents } = (await response.json()) as { agents: { health: AgentHealth | null }[] };
  return agents[0]?.health ?? null;
}

async function agreed(verify: () => ReturnType<Stack['collard']>, timeoutMs: number): Promise<Verdict> {
  let last = '';
  let verdict: Verdict | null = null;
  await until(
    'agent and central agree',
    async () => {
      const { code, stdout, stderr } = await verify();
      last = `exit ${code} ${stdout}${stderr}`;
      if (code !== 0) return false;
      verdict = JSON.parse(stdout) as Verdict;
      return verdict.status === 'agree';
    },
    timeoutMs,
  ).catch((cause: unknown) => {
    throw new Error(`no agreement: ${last}`, { cause });
  });
  if (verdict === null) throw new Error(last);
  return verdict;
}

export function createPart(
  name: string,
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Part {
  const log = join(folder, `${name}.log`);
  let child: ChildProcess | null = null;
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> => {
    const running = child;
    child = null;
    if (running === null) return null;
    if (running.exitCode !== null || running.signalCode !== null) return running.exitCode;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
    return running.exitCode;
  };
  return {
    name,
    log,
    start() {
      const started = spawn(process.execPath, [bin, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      });
      const file = createWriteStream(log, { flags: 'a' });
      started.stdout.pipe(file, { end: false });
      started.stderr.pipe(file, { end: false });
      const orphan = () => started.kill('SIGKILL');
      process.once('exit', orphan);
      started.once('exit', () => process.removeListener('exit', orphan));
      child = started;
    },
    async kill9() {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
    exitCode: () => child?.exitCode ?? null,
    pid: () => child?.pid ?? 0,
    rssBytes() {
      if (child?.pid === undefined) return 0;
      const pages = Number(readFileSync(`/proc/${child.pid}/statm`, 'utf8').split(' ')[1]);
      return pages * 4096;
    },
  };
}

function feed(pty: ReturnType<typeof openPty>, load: { collars: number; rate: number; seconds: number; seed: number }) {
  const { collars, rate, seconds, seed } = load;
  const args = [
    'simulate',
    '--format',
    'frame',
    '--realtime',
    '--out',
    '-',
    '--collars',
    `${collars}`,
    '--rate',
    `${rate}`,
  ];
  const child = spawn(process.execPath, [bin, ...args, '--seconds', `${seconds}`, '--seed', `${seed}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  child.stderr.on('data', (text) => {
    told = (told + text).slice(-4_000);
  });
  const done = (async () => {
    let overflowBytes = 0;
    for await (const bytes of child.stdout) overflowBytes += await pty.write(bytes as Buffer);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const number = (word: string) =>
      Number(new RegExp(`(\\d+) ${word}`).exec(told.replaceAll(/[\u00a0,](?=\d{3})/g, ''))?.[1] ?? Number.NaN);
    return { frames: number('frames'), readings: number('readings'), overflowBytes };
  })();
  return { done, stop: () => void child.kill('SIGTERM') };
}
