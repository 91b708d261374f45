/** Roots of Debian, made once from its packages and kept. Needs root and mmdebstrap. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { withArm64 } from './binfmt.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** What a machine that runs the agent has. */
const DEVICE = 'systemd,systemd-sysv,systemd-timesyncd,dbus,udev,kmod,procps,init-system-helpers,socat';
const ATTEMPTS = 4;
const AGAIN_MS = 5_000;

/** The tar of a fresh Debian, in `cache`. */
export async function makeRoot(suite: string, cache: string, arch?: 'arm64'): Promise<string> {
  // The database of udev's hardware takes an emulated processor minutes, and no name of a port comes from it.
  const foreign = arch === undefined ? [] : [`--arch=${arch}`, '--dpkgopt=path-exclude=/usr/lib/udev/hwdb.d/*'];
  const tar = join(cache, `${[suite, ...(arch === undefined ? [] : [arch])].join('-')}.tar`);
  if (existsSync(tar) && statSync(tar).size > 0) return tar;
  mkdirSync(cache, { recursive: true });
  const made = `${tar}.${process.pid}`;
  try {
    const make = () => mmdebstrap(suite, made, ['--format=tar', `--include=${DEVICE}`, ...foreign]);
    await (arch === undefined ? make() : withArm64(make));
    renameSync(made, tar);
  } finally {
    rmSync(made, { force: true });
  }
  return tar;
}

/** Makes a Debian for what the shell commands do in it (its folder is their $1), and keeps nothing else of it. */
export async function runHooks(suite: string, packages: string, hooks: readonly string[]): Promise<void> {
  const given = hooks.map((hook) => `--customize-hook=${hook}`);
  await mmdebstrap(suite, '-', ['--format=null', ...given, `--include=${packages}`]);
}

/** A mirror that fails is asked again. */
async function mmdebstrap(suite: string, target: string, more: readonly string[]): Promise<void> {
  const args = [
    '--variant=minbase',
    '--mode=root',
    `--keyring=${KEYRING}`,
    ...['man', 'doc', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
    ...proxies().map((line) => `--aptopt=${line}`),
    '--aptopt=Acquire::Retries "5"',
    // What the power would take is made again.
    '--dpkgopt=force-unsafe-io',
    ...more,
  ];
  for (let attempt = 1; ; attempt += 1) {
    const { status, stderr, error } = spawnSync('mmdebstrap', [...args, suite, target, mirror()], {
      encoding: 'utf8',
      maxBuffer: 64e6,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (status === 0) return;
    if (error !== undefined) throw new Error('mmdebstrap cannot run: apt-get install mmdebstrap', { cause: error });
    if (attempt === ATTEMPTS) throw new Error(`no Debian ${suite} was made: ${stderr.slice(-4_000)}`);
    process.stderr.write(`Debian ${suite}: attempt ${attempt} failed, again: ${stderr.slice(-300)}\n`);
    await pause(AGAIN_MS * attempt);
  }
}

/** That of this machine, where it is a Debian. */
function mirror(): string {
  const named = process.env.DEBIAN_MIRROR;
  if (named !== undefined) return named;
  const lists = ['/etc/apt/sources.list', ...listed('/etc/apt/sources.list.d')].filter((path) => existsSync(path));
  const lines = lists.flatMap((path) => readFileSync(path, 'utf8').split('\n')).filter((line) => !/^\s*#/.test(line));
  const found = lines.map((line) => /https?:\/\/\S+\/debian\/?(?=\s|$)/.exec(line)?.[0]);
  return found.find((url) => url !== undefined) ?? 'http://deb.debian.org/debian';
}

function listed(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

/** What apt is told here about the way out. */
function proxies(): string[] {
  const { stdout } = spawnSync('apt-config', ['dump', 'Acquire::http::Proxy'], { encoding: 'utf8' });
  return (stdout ?? '')
    .split('\n')
    .map((line) => line.replace(/;$/, ''))
    .filter((line) => /^Acquire::http::Proxy \S*"\S+"$/.test(line));
}
