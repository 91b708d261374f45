/** A Debian of its own in a folder, booted with systemd as PID 1 by systemd-nspawn. Needs root and systemd-container. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** On a machine that is full of other work. */
const BOOT_MS = 180_000;
const STOP_MS = 30_000;

export interface Machine {
  readonly bootMs: number;
  /** What it wrote on stdout. Throws with all that it said where it ends with another code than 0. */
  run(script: string): string;
  /** Asks again until it holds, or throws with what came last. */
  until(what: string, script: string, holds: (out: string) => boolean, withinMs?: number): Promise<string>;
  copy(from: string, to: string): void;
  stop(): Promise<void>;
}

/** `checkout` is seen read-only below /src. */
export async function boot(tar: string, checkout: string): Promise<Machine> {
  const root = mkdtempSync('/var/tmp/collard-lab-');
  const undo: (() => Promise<void>)[] = [async () => rmSync(root, { recursive: true, force: true })];
  const stop = async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    execFileSync('tar', ['-C', root, '-xf', tar]);
    return await start(root, checkout, undo, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  root: string,
  checkout: string,
  undo: (() => Promise<void>)[],
  stop: () => Promise<void>,
): Promise<Machine> {
  const flags = [
    '--register=no',
    '--keep-unit',
    '--private-network',
    '--console=passive',
    `--bind-ro=${checkout}:/src`,
  ];
  const startedAt = performance.now();
  const child = spawn('systemd-nspawn', ['-q', '-D', root, ...flags, '--boot'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
  });
  let told = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part) => {
      told = (told + part).slice(-4_000);
    });
  const orphan = () => {
    child.kill('SIGKILL');
    rmSync(root, { recursive: true, force: true });
  };
  process.once('exit', orphan);
  let leader = 0;
  undo.push(async () => {
    await powerOff(child, leader);
    process.removeListener('exit', orphan);
  });
  leader = await leaderOf(child, () => told);
  const enter = (script: string) =>
    spawnSync('nsenter', ['-t', String(leader), '-a', 'sh', '-c', script], {
      encoding: 'utf8',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      maxBuffer: 64e6,
    });
  const until: Machine['until'] = async (what, script, holds, withinMs = 300_000) => {
    const end = performance.now() + withinMs;
    while (true) {
      const { stdout, stderr } = enter(script);
      if (holds(stdout)) return stdout;
      if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}; last: ${stdout}${stderr}`);
      await pause(200);
    }
  };
  await until('systemd runs', 'systemctl is-system-running', (out) => /running|degraded/.test(out), BOOT_MS);
  return {
    bootMs: performance.now() - startedAt,
    run(script) {
      const { stdout, stderr, status } = enter(script);
      if (status !== 0) throw new Error(`${script}: ended with ${status}: ${stdout}${stderr}`);
      return stdout;
    },
    until,
    copy: (from, to) => void execFileSync('cp', [from, join(root, to)]),
    stop,
  };
}

/** `leader` is its PID 1, or 0 where it never came up. */
async function powerOff(child: ChildProcess, leader: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  // SIGRTMIN+4 is poweroff to systemd as PID 1.
  if (leader > 0) spawnSync('kill', ['-s', 'RTMIN+4', String(leader)]);
  else child.kill('SIGKILL');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(timer);
}

/** PID 1 of the machine, as the host counts. */
async function leaderOf(child: ChildProcess, told: () => string): Promise<number> {
  const end = performance.now() + BOOT_MS;
  while (performance.now() < end) {
    if (child.exitCode !== null) throw new Error(`systemd-nspawn ended with ${child.exitCode}: ${told()}`);
    if (child.pid === undefined) throw new Error('systemd-nspawn cannot run: apt-get install systemd-container');
    const inner = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0] ?? '';
    if (inner !== '' && readFileSync(`/proc/${inner}/comm`, 'utf8').trim() === 'systemd') return Number(inner);
    await pause(50);
  }
  throw new Error(`no machine has booted: ${told()}`);
}
