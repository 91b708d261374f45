/** What `collard doctor` looks at on this machine: Node.js, folder and disk, SQLite, ports, clock. */
import { constants } from 'node:fs';
import { access, mkdtemp, readFile, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type AskSynchronised, openClock } from '../agent/clock.ts';
import type { SourceConfig } from '../agent/config.ts';
import { filesystemOf, isForgetful } from '../agent/forgetful.ts';
import { whyReadOnly } from '../agent/log/mount.ts';
import { openEventLog } from '../agent/log/open-event-log.ts';
import { readSigningKey } from '../agent/publisher/signing-key.ts';
import { lookAtPort } from '../agent/source/explain-port.ts';
import { type GpioSystem, lookAtLines } from '../agent/source/gpio-kernel.ts';
import { openLibc } from '../agent/source/gpio-libc.ts';
import type { LinesRequest } from '../agent/source/gpio-lines.ts';
import { newEvent } from '../contract/event.ts';
import { assertRuntime } from '../lib/runtime-guard.ts';

export interface Finding {
  readonly check: string;
  readonly result: 'ok' | 'warn' | 'fail';
  readonly message: string;
  readonly fix: string | null;
}

export const ok = (check: string, message: string): Finding => ({ check, result: 'ok', message, fix: null });
export const warn = (check: string, message: string, fix: string): Finding => ({ check, result: 'warn', message, fix });
export const fail = (check: string, message: string, fix: string): Finding => ({ check, result: 'fail', message, fix });

const LOW_BYTES = 500_000_000;
const EMPTY_BYTES = 50_000_000;
const SLOW_FLUSH_MS = 200;
const CLOCK_MS = 6_000;
const MODEL = '/proc/device-tree/model';
/** What SQLite cannot lock on. */
const REMOTE = ['nfs', 'nfs4', 'cifs', 'smb3', 'fuse.sshfs', '9p'];

/** Those that the database and the ports have programs for. */
const ARCHES: readonly string[] = ['x64', 'arm64'];

export function checkRuntime(version: string = process.version, arch: string = process.arch): Finding {
  if (!ARCHES.includes(arch)) {
    const fix = 'install a 64-bit system, such as Raspberry Pi OS (64-bit)';
    return fail('runtime', `this system is ${arch}: collard needs 64 bit (x64 or arm64)`, fix);
  }
  try {
    assertRuntime(version);
    return ok('runtime', `Node.js ${version} on ${process.platform} ${arch}`);
  } catch {
    return fail('runtime', `Node.js ${version} cannot run this program`, 'install Node.js 24, or run "npm ci" again');
  }
}

/** The key that signs: there and whole, and nobody else's to read. It is made at the first start, not here. */
export async function checkKey(path: string): Promise<Finding> {
  try {
    const found = await readSigningKey(path);
    if (found === null) return ok('key', `${path} will be made at the first start`);
    if (found.key === null) {
      const fix = 'after the next start: collard agent key, and collard central enroll';
      return warn('key', `${path} is damaged: the next start makes another, which central does not know`, fix);
    }
    if (found.exposed) return warn('key', `others may read the signing key ${path}`, `chmod 600 ${path}`);
    return ok('key', `events are signed with key ${found.key.keyId}`);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return fail('key', text, 'set signing.key to a path of its own that this user may read');
  }
}

/** The folder of a database: there, writable, on a disk that lasts, with room. */
export async function checkFolder(file: string, mountinfo?: string): Promise<Finding[]> {
  const folder = dirname(file);
  try {
    if (!(await stat(folder)).isDirectory()) return [fail('folder', `${folder} is no folder`, 'move that file away')];
  } catch {
    return [fail('folder', `${folder} is not there`, `sudo install -d -o ${user()} ${folder}`)];
  }
  const readOnly = whyReadOnly(folder, mountinfo);
  if (readOnly !== null) return [fail('folder', `${folder} cannot be written to: ${readOnly.what}`, readOnly.fix)];
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    return [fail('folder', `${folder} is not writable for this user`, `sudo chown ${user()} ${folder}`)];
  }
  const kind = await filesystemOf(folder, mountinfo);
  const { bavail, bsize } = await statfs(folder);
  return [kindFinding(folder, kind), roomFinding(folder, bavail * bsize)];
}

export function kindFinding(folder: string, kind: string | null): Finding {
  const fix = 'set the path to a folder on a local disk or card (ext4, f2fs, xfs)';
  if (kind !== null && isForgetful(kind)) return warn('folder', `${folder} is on ${kind}: lost with the power`, fix);
  if (kind !== null && REMOTE.includes(kind)) return fail('folder', `${folder} is on ${kind}: locks do not hold`, fix);
  return ok('folder', `${folder} is writable${kind === null ? '' : `, on ${kind}`}`);
}

export function roomFinding(folder: string, free: number): Finding {
  const text = `${Math.floor(free / 1e6)} MB free at ${folder}`;
  if (free < EMPTY_BYTES) return fail('disk', text, 'free space on that disk');
  return free < LOW_BYTES ? warn('disk', text, 'free space, or lower log.budgetBytes') : ok('disk', text);
}

/** Writes a log beside the real one: it opens only where synchronous=FULL and psow=0 are proved to work. Leaves nothing behind. */
export async function checkSqlite(file: string): Promise<Finding> {
  const folder = await mkdtemp(join(dirname(file), '.doctor-')).catch(() => null);
  if (folder === null) return fail('sqlite', 'cannot be tried: the folder is not writable', 'see "folder"');
  try {
    const limits = { keepDays: 0, keepBytes: 1e6, budgetBytes: 1e6 };
    const when = () => ({ time: new Date().toISOString(), clock: 'synced', boot: null, monoMs: null }) as const;
    const log = await openEventLog({ path: join(folder, 'probe.db'), agent: 'doctor', ...limits }, { when });
    const event = newEvent('sensor.recovered', null, { source: 'doctor', reason: 'probe' }, when());
    const startMs = performance.now();
    for (let n = 0; n < 5; n++) await log.append([event]);
    const flushMs = Math.ceil((performance.now() - startMs) / 5);
    await log.close();
    const text = `a commit with synchronous=FULL and psow=0 takes ${flushMs} ms`;
    return flushMs > SLOW_FLUSH_MS ? warn('sqlite', text, 'use a faster card, or a disk') : ok('sqlite', text);
  } catch (error) {
    return fail('sqlite', messageOf(error), 'set the path to a folder on a local disk');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A port that another program holds is a warning: it may be the agent itself. */
export async function checkSource(source: SourceConfig): Promise<Finding> {
  if ('gpio' in source) return checkGpio({ chip: source.gpio, lines: source.lines });
  if ('file' in source) {
    const readable = await access(source.file, constants.R_OK).then(...truth);
    return readable
      ? ok('source', `${source.file} is readable`)
      : fail('source', `${source.file} cannot be read`, 'correct its path, or let this user read it');
  }
  const problem = await lookAtPort(source.serial);
  if (problem === null) return portFinding(source.serial, await readFile(MODEL, 'utf8').catch(() => ''));
  const { reason, fix, holder } = problem;
  return holder === null
    ? fail('source', reason, fix)
    : warn('source', reason, 'nothing, if that is the agent; else stop it');
}

/** On a Pi 5 /dev/serial0 is the debug connector, and not the pins of the header. */
export function portFinding(path: string, model: string): Finding {
  if (path === '/dev/serial0' && /Raspberry Pi 5/.test(model))
    return warn(
      'source',
      `${path} is the debug connector of a Raspberry Pi 5`,
      'for the pins of the header: /dev/ttyAMA0',
    );
  return ok('source', `${path} is free and may be opened`);
}

/** Lines that another program holds are a warning: it may be the agent itself. */
export async function checkGpio(request: LinesRequest, system?: GpioSystem | null): Promise<Finding> {
  const libc = system === undefined ? await openLibc() : system;
  if (libc === null) {
    return warn('gpio', 'the C library cannot be called here: gpiomon is used', 'sudo apt-get install gpiod');
  }
  try {
    const { chip, held } = await lookAtLines(libc, request);
    if (held !== null) return warn('gpio', held, 'nothing, if that is the agent');
    return ok('gpio', `${request.lines.length} lines of ${chip.label} are free and may be watched`);
  } catch (error) {
    return fail('gpio', messageOf(error), 'gpiodetect and gpioinfo (package gpiod) list what is there');
  }
}

export async function checkClock(timesync?: string, ask?: AskSynchronised): Promise<Finding> {
  const clock = openClock(timesync, ask);
  await clock.look(AbortSignal.timeout(CLOCK_MS));
  if (clock.quality() === 'synced') return ok('clock', `is set: ${new Date().toISOString()}`);
  const fix = 'sudo timedatectl set-ntp true; with chrony: chronyc tracking, with ntpd: ntpq -p';
  return warn('clock', 'is not synchronised: events are marked so and corrected later', fix);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const truth = [() => true, () => false] as const;

function user(): string {
  return process.env.USER ?? String(process.getuid?.() ?? 'USER');
}
