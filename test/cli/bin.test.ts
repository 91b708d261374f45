/** The bin under old versions of Node.js: real ones that are found on this machine, and 24 that says it is old. */
import { type ChildProcess, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundledNode, isSuitable } from '../../src/lib/runtime-guard.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PRETEND_OLD = "Object.defineProperty(process, 'version', { value: 'v20.1.0' })";
const PACKAGES = dirname(dirname(dirname(bundledNode() ?? '')));
let folder = '';

/** A package as it is installed: `dist` with the guard and a program that shows what it was given. */
function install(at: string): string {
  mkdirSync(join(at, 'dist', 'cli'), { recursive: true });
  mkdirSync(join(at, 'dist', 'lib'));
  writeFileSync(join(at, 'package.json'), '{"name":"collard","type":"module"}');
  const sources = ['src/cli/bin.ts', 'src/lib/runtime-guard.ts'].map((path) => join(ROOT, path));
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--ignoreConfig', '--noCheck', '--outDir', join(at, 'dist'), '--rootDir', join(ROOT, 'src')];
  const language = ['--target', 'es2023', '--module', 'nodenext', '--rewriteRelativeImportExtensions'];
  execFileSync(process.execPath, [tsc, ...options, ...language, '--noResolve', ...sources]);
  writeFileSync(join(at, 'dist', 'cli', 'main.js'), PROGRAM);
  return join(at, 'dist', 'cli', 'bin.js');
}

const PROGRAM = `export async function main(args) {
  const [verb, value] = args;
  if (verb === 'show') {
    console.log(JSON.stringify({ version: process.version, args, options: process.execArgv, mark: process.env.COLLARD_RUNTIME_REEXEC }));
  }
  if (args.includes('--litter')) {
    const kept = [];
    for (let i = 0; i < 2_000_000; i += 1) if (kept.push([i, 'x' + i]) > 50_000) kept.splice(0, 25_000);
    const { getHeapSpaceStatistics } = await import('node:v8');
    console.log(getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size);
  }
  if (verb === 'exit') process.exit(Number(value));
  if (verb === 'die') process.kill(process.pid, value);
  if (verb === 'echo') process.stdin.pipe(process.stdout);
  if (verb === 'wait') {
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => { console.log(name); process.exit(7); });
    setInterval(() => 1, 1000);
    console.log('ready');
  }
}
`;

const oldNodes = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin']
  .map((path) => join(path, 'node'))
  .filter((path, i, all) => existsSync(path) && all.indexOf(path) === i)
  .filter((path) => !isSuitable(execFileSync(path, ['--version'], { encoding: 'utf8' })));

/** What stands for an old version: its executable and options, and how it knows that it is old. */
const runtimes = [
  { name: 'a Node.js that says it is v20.1.0', node: process.execPath, options: ['--import', './old-once.mjs'] },
  ...oldNodes.map((node) => ({ name: `the real ${node}`, node, options: [] as string[] })),
];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-bin-'));
  install(join(folder, 'own'));
  symlinkSync(PACKAGES, join(folder, 'own', 'node_modules'));
  install(join(folder, 'alone'));
  mkdirSync(join(folder, 'project', 'node_modules'), { recursive: true });
  install(join(folder, 'project', 'node_modules', 'collard'));
  const name = `node-${process.platform}-${process.arch}`;
  symlinkSync(join(PACKAGES, name), join(folder, 'project', 'node_modules', name));
  writeFileSync(join(folder, 'old-once.mjs'), `if (!process.env.COLLARD_RUNTIME_REEXEC) ${PRETEND_OLD};`);
  writeFileSync(join(folder, 'old-always.mjs'), PRETEND_OLD);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bin = (where: string) => join(folder, where, 'dist', 'cli', 'bin.js');

describe.each(runtimes)('under $name', ({ node, options }) => {
  const run = (where: string, args: string[], input = ''): SpawnSyncReturns<string> =>
    spawnSync(node, [...options, bin(where), ...args], { cwd: folder, encoding: 'utf8', input });
  const start = (args: string[]): ChildProcess =>
    spawn(node, [...options, bin('own'), ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });

  test('the program runs on the Node.js that came along, with its arguments and without the mark', () => {
    const { stdout, status } = run('own', ['show', 'a b', '--x']);
    const shown = JSON.parse(stdout) as { version: string; args: string[]; mark?: string };
    expect(isSuitable(shown.version)).toBe(true);
    expect(shown.args).toEqual(['show', 'a b', '--x']);
    expect(shown.mark).toBeUndefined();
    expect(status).toBe(0);
  });

  test('options of Node.js go along', () => {
    const args = [...options, '--max-old-space-size=96', bin('own'), 'show'];
    const { stdout } = spawnSync(node, args, { cwd: folder, encoding: 'utf8' });
    expect(JSON.parse(stdout).options).toContain('--max-old-space-size=96');
  });

  test('it is found from inside the node_modules of another project', () => {
    expect(run('project/node_modules/collard', ['show']).status).toBe(0);
  });

  test('stdin and stdout are handed on', () => {
    expect(run('own', ['echo'], 'over and out').stdout).toBe('over and out');
  });

  test.each([0, 1, 64, 78])('exit code %i comes back', (code) => {
    expect(run('own', ['exit', String(code)]).status).toBe(code);
  });

  test.each(['SIGKILL', 'SIGTERM', 'SIGABRT'])('death by %s comes back', (signal) => {
    expect(run('own', ['die', signal]).signal).toBe(signal);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s reaches the program once', async (signal) => {
    const child = start(['wait']);
    const { stdout } = child;
    if (stdout === null) throw new Error('no pipe');
    const first = await once(stdout, 'data');
    expect(String(first[0])).toBe('ready\n');
    const rest = text(stdout);
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([7, null]);
    expect(await rest).toBe(`${signal}\n`);
  });

  test('alone, it explains and exits with 78', () => {
    const { status, stderr, signal } = run('alone', ['show']);
    expect({ status, signal }).toEqual({ status: 78, signal: null });
    expect(stderr).toMatch(/cannot run this program.*fix: run "npm ci".*fix: or install Node\.js 24/s);
  });
});

test('a runtime that stays old is tried once, not for ever', () => {
  const args = ['--import', './old-always.mjs', bin('own'), 'show'];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: 10_000 });
  expect(status).toBe(78);
  expect(stderr.match(/cannot run this program/g)).toHaveLength(1);
});

test('the young generation of a daemon stays small, that of other commands may grow', () => {
  const youngBytes = (verb: string) =>
    Number(spawnSync(process.execPath, [bin('own'), verb, '--litter'], { cwd: folder, encoding: 'utf8' }).stdout);
  // Side by side, the smallest of three: a collection that runs just now counts old and new space together.
  const smallest = (verb: string) => Math.min(...[1, 2, 3].map(() => youngBytes(verb)));
  const other = smallest('detect');
  for (const daemon of ['agent', 'central']) expect(smallest(daemon)).toBeLessThan(other / 2);
});
