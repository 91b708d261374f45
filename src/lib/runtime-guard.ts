/**
 * Keeps the program off a Node.js that cannot run it: the SQLite driver needs Node-API 10 and dies with a bare SIGSEGV below
 * 22.14. Imports nothing that is installed, so that it may run first, and keeps to syntax that old versions read.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Set for the re-executed process: an unsuitable version that finds it does not try again. */
export const REEXEC_MARK = 'COLLARD_RUNTIME_REEXEC';

/** EX_CONFIG of sysexits(3). */
const EXIT_CONFIG = 78;
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export type RuntimeDecision =
  | { readonly type: 'suitable' }
  | { readonly type: 'reexec'; readonly node: string }
  | { readonly type: 'explain'; readonly message: string };

/** The range of `engines` in package.json: ^22.14.0 || ^24.0.0 || >=26.0.0. */
export function isSuitable(version: string): boolean {
  const match = /^v?(\d+)\.(\d+)\./.exec(version);
  if (match === null) return false;
  const major = Number(match[1]);
  return (major === 22 && Number(match[2]) >= 14) || major === 24 || major >= 26;
}

/** What to do on `version`, with the path of the Node.js that came along (or null). */
export function decideRuntime(version: string, bundled: string | null, marked: boolean): RuntimeDecision {
  if (isSuitable(version)) return { type: 'suitable' };
  if (bundled !== null && !marked) return { type: 'reexec', node: bundled };
  return { type: 'explain', message: explanation(version) };
}

/** The executable of the package node-<platform>-<arch>, looked up as imports are: also from inside another project. */
export function bundledNode(
  from: string = import.meta.url,
  platform: string = process.platform,
  arch: string = process.arch,
): string | null {
  try {
    const manifest = createRequire(from).resolve(`node-${platform}-${arch}/package.json`);
    const node = join(dirname(manifest), 'bin', 'node');
    return existsSync(node) ? node : null;
  } catch {
    return null;
  }
}

/** For what must not load on an unsuitable version. Throws an Error with code RUNTIME_TOO_OLD that names the two fixes. */
export function assertRuntime(version: string = process.version): void {
  if (!isSuitable(version)) throw Object.assign(new Error(explanation(version)), { code: 'RUNTIME_TOO_OLD' });
}

/**
 * True when this process may go on. Else false: the program runs in a child on the bundled Node.js and this process ends as
 * that one does, or it has said what to do and ends with 78. The caller must then load nothing more.
 */
export function guardRuntime(): boolean {
  const decision = decideRuntime(process.version, bundledNode(), process.env[REEXEC_MARK] !== undefined);
  if (decision.type === 'suitable') {
    delete process.env[REEXEC_MARK];
    return true;
  }
  if (decision.type === 'explain') refuse(decision.message);
  else reexec(decision.node);
  return false;
}

function reexec(node: string): void {
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [REEXEC_MARK]: '1' },
  });
  const forwarders = FORWARDED.map((signal) => ({ signal, forward: () => forward(child, signal) }));
  for (const { signal, forward } of forwarders) process.on(signal, forward);
  child.on('error', (error) => refuse(`cannot start ${node}: ${error.message}\n${explanation(process.version)}`));
  child.on('exit', (code, signal) => {
    for (const { signal, forward } of forwarders) process.removeListener(signal, forward);
    process.exitCode = code ?? 1;
    if (signal !== null) process.kill(process.pid, signal);
  });
}

/** Ctrl-C reaches every process of the terminal's foreground group: passing it on would interrupt the child twice. */
function forward(child: ChildProcess, signal: NodeJS.Signals): void {
  if (signal === 'SIGINT' && inForeground()) return;
  child.kill(signal);
}

/** Is our process group the one that the terminal talks to? proc(5): fields 5 (pgrp) and 8 (tpgid), after the name. */
function inForeground(): boolean {
  try {
    const fields = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    return fields[2] !== undefined && fields[2] === fields[5];
  } catch {
    return false;
  }
}

function refuse(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = EXIT_CONFIG;
}

function explanation(version: string): string {
  return [
    `collard: Node.js ${version} cannot run this program: it needs 22.14 or later, 24, or 26 and later`,
    `fix: run "npm ci" without --omit=optional: it brings a Node.js that fits (64-bit Linux)`,
    'fix: or install Node.js 24 and put it first on PATH',
  ].join('\n');
}
