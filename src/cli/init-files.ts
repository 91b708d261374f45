/** Where `collard init` writes: a file that appears whole, with the owner and the mode of the one that it replaces, which is kept. */
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { CommandError, EXIT } from './exit.ts';
import type { Side } from './init-settings.ts';

const SYSTEM = '/etc/collard';

export interface Written {
  readonly side: Side;
  readonly path: string;
  /** The file that was there before, under its new name. */
  readonly kept: string | null;
  /** Where the password went, where there is one. */
  readonly password: string | null;
}

export function homeOf(folder: string | undefined): string {
  if (folder !== undefined) return resolve(folder);
  try {
    accessSync(SYSTEM, constants.W_OK);
    return SYSTEM;
  } catch {
    return process.cwd();
  }
}

/** Those that are there. Throws CommandError for the first of them, unless somebody will be asked. */
export function refuseExisting(home: string, sides: readonly Side[], willAsk: boolean): string[] {
  const there = sides.map((side) => join(home, `${side}.yaml`)).filter((path) => existsSync(path));
  if (there.length === 0 || willAsk) return there;
  const fix = 'choose another folder with --dir, or replace it with --force: it is kept beside it';
  throw new CommandError(EXIT.usage, `${there[0]} is there already`, fix);
}

/** `text` is asked whether it is to hold the password: only where no folder of credentials is beside it. Throws CommandError. */
export function writeConfig(
  home: string,
  side: Side,
  text: (withPassword: boolean) => string,
  password: string | null,
): Written {
  const path = join(home, `${side}.yaml`);
  const credentials = join(home, 'credentials');
  const isApart = password !== null && existsSync(credentials);
  try {
    mkdirSync(home, { recursive: true });
    if (home !== SYSTEM) mkdirSync(join(home, 'data'), { recursive: true, mode: 0o700 });
    const kept = keep(path);
    const isSecret = password !== null && !isApart;
    replace(path, text(isSecret), isSecret || home !== SYSTEM ? 0o600 : 0o640);
    const secret = join(credentials, side === 'agent' ? 'mqtt.password' : 'central.mqtt.password');
    if (isApart) replace(secret, password, 0o600);
    return { side, path, kept, password: password === null ? null : isApart ? secret : path };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    const fix = 'name a folder that this user may write with --dir, or run it with sudo';
    throw new CommandError(EXIT.io, `cannot write ${path}: ${code}`, fix, { cause });
  }
}

/** Under the first name that is free. */
function keep(path: string): string | null {
  if (!existsSync(path)) return null;
  for (let n = 1; ; n++) {
    const kept = `${path}.${n}.old`;
    if (existsSync(kept)) continue;
    copyFileSync(path, kept, constants.COPYFILE_EXCL);
    const { mode, uid, gid } = statSync(path);
    chmodSync(kept, mode & 0o777);
    if (process.getuid?.() === 0) chownSync(kept, uid, gid);
    return kept;
  }
}

function replace(path: string, text: string, mode: number): void {
  const part = `${path}.${process.pid}.part`;
  const before = existsSync(path) ? statSync(path) : null;
  try {
    writeFileSync(part, text, { mode, flush: true });
    // A file that others could not read before stays so; a secret never becomes readable.
    chmodSync(part, before === null ? mode : before.mode & 0o777 & (mode | 0o040));
    if (before !== null && process.getuid?.() === 0) chownSync(part, before.uid, before.gid);
    renameSync(part, path);
  } finally {
    rmSync(part, { force: true });
  }
}
