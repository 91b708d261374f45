/** A Debian of its own in a folder, booted with systemd as PID 1 by systemd-nspawn. Needs root, mmdebstrap and systemd-container. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const MIRROR = process.env.DEBIAN_MIRROR ?? 'http://deb.debian.org/debian';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const PACKAGES = 'systemd,systemd-sysv,dbus,udev,procps,init-system-helpers,socat';
const BOOT_MS = 60_000;

export interface Machine {
  readonly bootMs: number;
  /** What it wrote on stdout. Throws with all that it said where it ends with another code than 0. */
  run(script: string): string;
  /** Asks again until it holds, or throws with what came last. */
  until(what: string, script: string, holds: (out: string) => boolean, withinMs?: number): Promise<string>;
  copy(from: string, to: string): void;
  stop(): Promise<void>;
}

/** The root of a fresh Debian, made once and kept in `cache`. */
export function makeRoot(suite: string, cache: string): string {
  const tar = join(cache, `${suite}.tar`);
  if (!existsSync(tar) || statSync(tar).size === 0) {
    mkdirSync(dirname(tar), { recursive: true });
    const slim = ['man', 'doc', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
    const args = ['--variant=minbase', '--mode=root', `--keyring=${KEYRING}`, ...slim, `--include=${PACKAGES}`];
    const { status, stderr } = spawnSync('mmdebstrap', [...args, suite, tar, MIRROR], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`no Debian was made: ${stderr.slice(-2_000)}`);
  }
  return tar;
}

/** `checkout` is seen read-only below /src. */
export async function boot(tar: string, checkout: string): Promise<Machine> {
  const root = mkdtempSync('/var/tmp/collard-lab-');
  execFileSync('tar', ['-C', root, '-xf', tar]);
  const args = [
    '-q',
    '-D',
    root,
    '--register=no',
    '--keep-unit',
    '--private-network',
    `--bind-ro=${checkout}:/src`,
    '--boot',
    '--console=passive',
  ];
  const startedAt = performance.now();
  const child = spawn('systemd-nspawn', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
  });
  let told = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part) => {
      told = (told + part).slice(-4_000);
    });
  const leader = await leaderOf(child, () => told);
  const enter = (script: string) =>
    spawnSync('nsenter', ['-t', String(leader), '-a', 'sh', '-c', script], {
      encoding: 'utf8',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      maxBuffer: 64e6,
    });
  const until: Machine['until'] = async (what, script, holds, withinMs = 30_000) => {
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
    async stop() {
      const gone = child.exitCode === null ? once(child, 'exit') : null;
      // SIGRTMIN+4 is poweroff to systemd as PID 1.
      spawnSync('kill', ['-s', 'RTMIN+4', String(leader)]);
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await gone;
      clearTimeout(timer);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** PID 1 of the machine, as the host counts. */
async function leaderOf(child: ChildProcess, told: () => string): Promise<number> {
  const end = performance.now() + BOOT_MS;
  while (performance.now() < end) {
    if (child.exitCode !== null) throw new Error(`systemd-nspawn ended with ${child.exitCode}: ${told()}`);
    const inner = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0] ?? '';
    if (inner !== '' && readFileSync(`/proc/${inner}/comm`, 'utf8').trim() === 'systemd') return Number(inner);
    await pause(50);
  }
  throw new Error(`no machine has booted: ${told()}`);
}
