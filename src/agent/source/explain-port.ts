/** Why a port cannot be opened, in words that name the fix. Asks the system, never the text of the error. */
import { constants, type Stats } from 'node:fs';
import { access, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';

/** The script of this program, as npm and the package name it. */
const OURS = /(^|\/)(collard|cli\/bin\.js)$/;

export interface PortSystem {
  readonly byId: string;
  readonly proc: string;
  readonly groups: string;
  readonly mayOpen: (path: string) => Promise<boolean>;
}

export const SYSTEM: PortSystem = {
  byId: '/dev/serial/by-id',
  proc: '/proc',
  groups: '/etc/group',
  mayOpen: (path) =>
    access(path, constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    ),
};

export interface Holder {
  readonly pid: number;
  readonly program: string;
}

/** Why a port cannot be opened, and what to do about it. */
export interface PortProblem {
  readonly reason: string;
  readonly fix: string;
  /** The other process that has it open. */
  readonly holder: Holder | null;
}

/** `fallback` is what the driver said, for what we cannot tell better. */
export async function explainPort(path: string, fallback: string, system: PortSystem = SYSTEM): Promise<string> {
  const problem = await lookAtPort(path, system);
  return problem === null ? `${path}: ${fallback}` : `${problem.reason}: ${problem.fix}`;
}

/** Null where nothing keeps this user from opening it. */
export async function lookAtPort(path: string, system: PortSystem = SYSTEM): Promise<PortProblem | null> {
  const problem = (reason: string, fix: string, holder: Holder | null = null) => ({ reason, fix, holder });
  const real = await realpath(path).catch(() => null);
  if (real === null) return problem(`${path} is not there`, await whatIsPlugged(system));
  const info = await stat(real);
  if (!info.isCharacterDevice()) return problem(`${path} is not a device`, 'give the path of a port');
  if (!(await system.mayOpen(real))) {
    const reason = `no permission for ${path}`;
    if (info.gid === 0) return problem(reason, "it is root's alone, and needs a udev rule that gives it a group");
    const group = await groupName(info.gid, system);
    return problem(reason, `sudo usermod -aG ${group} ${userName()}, then log in again`);
  }
  const holder = await findHolder(real, info, system);
  if (holder === null) return null;
  return problem(`${path} is held by ${holder.program} (pid ${holder.pid})`, 'stop it', holder);
}

async function whatIsPlugged(system: PortSystem): Promise<string> {
  const names = await readdir(system.byId).catch(() => []);
  if (names.length === 0) return 'plug the receiver in (no serial device is under /dev/serial/by-id)';
  return `plug it in, or use one of ${names.map((name) => `${system.byId}/${name}`).join(', ')}`;
}

/** The other process that has the device locked, else one that has it open, as far as we may look. */
async function findHolder(
  device: string,
  node: Pick<Stats, 'dev' | 'ino'>,
  system: PortSystem,
): Promise<Holder | null> {
  const pid = (await lockHolder(node, system)) ?? (await openHolder(device, node, system));
  if (pid === null) return null;
  return { pid, program: await programOf(pid, system) };
}

/** What a person calls it: an interpreter by its script, since Node names its process after a thread (`MainThread`). */
async function programOf(pid: number, { proc }: PortSystem): Promise<string> {
  const line = await readFile(`${proc}/${pid}/cmdline`, 'utf8').catch(() => '');
  const [command = '', ...words] = line.split('\0');
  if (/(^|\/)(node|nodejs|python[\d.]*|perl|ruby)$/.test(command)) return scriptOf(lastOf(command), words);
  const name = (await readFile(`${proc}/${pid}/comm`, 'utf8').catch(() => '')).trim();
  if (name !== '' && name !== 'MainThread') return name;
  return command === '' ? 'another program' : lastOf(command);
}

/** Nothing else of the line: there may be secrets in it. */
function scriptOf(interpreter: string, words: readonly string[]): string {
  const at = words.findIndex((word) => !word.startsWith('-'));
  const script = words[at] ?? '';
  const isText = words.slice(0, at).some((word) => /^(-[cempr]+|--eval|--print|--require|--import)$/.test(word));
  if (script === '' || isText) return interpreter;
  const verb = words[at + 1] ?? '';
  if (OURS.test(script)) return /^[a-z]+$/.test(verb) ? `collard ${verb}` : 'collard';
  return `${interpreter} ${script.split('/').slice(-2).join('/')}`;
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** From lines such as `1: FLOCK  ADVISORY  WRITE 1234 00:18:5 0 EOF`: the file system's device in hex, and the inode. */
async function lockHolder(node: Pick<Stats, 'dev' | 'ino'>, system: PortSystem): Promise<number | null> {
  const wanted = lockName(node);
  const lines = (await readFile(`${system.proc}/locks`, 'utf8').catch(() => '')).split('\n');
  for (const line of lines) {
    const [, kind, , , pid, file] = line.trim().split(/\s+/);
    if (kind === 'FLOCK' && file === wanted && Number(pid) !== process.pid) return Number(pid);
  }
  return null;
}

/** How /proc/locks names a file. An inode alone is one in each file system. */
function lockName({ dev, ino }: Pick<Stats, 'dev' | 'ino'>): string {
  const hex = (part: number) => part.toString(16).padStart(2, '0');
  // As makedev(3) puts them together, for numbers below 2^32.
  return `${hex((dev >>> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >>> 12) & 0xfff00))}:${ino}`;
}

async function openHolder(
  device: string,
  node: Pick<Stats, 'dev' | 'ino'>,
  system: PortSystem,
): Promise<number | null> {
  const names = await readdir(system.proc).catch(() => []);
  for (const name of names) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const open = await readdir(`${system.proc}/${name}/fd`).catch(() => []);
    for (const fd of open) {
      const target = await readlink(`${system.proc}/${name}/fd/${fd}`).catch(() => null);
      if (target !== device) continue;
      // In a container the same name is another device.
      const opened = await stat(`${system.proc}/${name}/fd/${fd}`).catch(() => null);
      if (opened?.dev === node.dev && opened.ino === node.ino) return Number(name);
    }
  }
  return null;
}

async function groupName(gid: number, system: PortSystem): Promise<string> {
  const lines = (await readFile(system.groups, 'utf8').catch(() => '')).split('\n');
  return lines.find((line) => line.split(':')[2] === String(gid))?.split(':')[0] ?? String(gid);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without a name (containers): the number works with usermod's readers as well.
    return String(process.getuid?.() ?? 'USER');
  }
}
