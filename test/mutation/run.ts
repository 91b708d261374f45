/**
 * npm run mutation -- [--only envelope] [--lanes 2] [--changed] [--json]
 * Changes one thing of the source after the other and counts the changes that no test notices. Stryker does the work; this
 * runs it for each group and prints one table. Ends with 1 where a group is below the lowest score. `--changed` tries only what
 * an earlier run with `--changed` does not know.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GROUPS, LOWEST_SCORE } from './groups.ts';

interface Score {
  readonly group: string;
  readonly file: string;
  readonly mutants: number;
  readonly killed: number;
  /** Of those: by a wait that ended. On a busy machine it may have been slowness. */
  readonly byTime: number;
  readonly survived: number;
  readonly uncovered: number;
  /** Killed or timed out, of all that compile. */
  readonly percent: number;
}

interface Mutant {
  readonly status: string;
  /** Of a killed one: what the test said. */
  readonly statusReason?: string;
}

/** What Stryker's report holds of what we read, schema 2. */
interface Report {
  readonly files: Readonly<Record<string, { readonly mutants: readonly Mutant[] }>>;
}

const MEMORY = '/dev/shm';
const folder = import.meta.dirname;
const root = join(folder, '../..');
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    lanes: { type: 'string', default: '2' },
    changed: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const wanted = values.only ?? Object.keys(GROUPS);
const unknown = wanted.filter((name) => groupsOf(name).length === 0);
if (unknown.length > 0) {
  process.stderr.write(`no group ${unknown.join(', ')}: there are ${Object.keys(GROUPS).join(', ')}\n`);
  process.exit(64);
}
install();
const scores = wanted.flatMap(groupsOf).flatMap(scoresOf);
process.stdout.write(values.json ? `${JSON.stringify(scores, null, 2)}\n` : asTable(scores));
process.exitCode = scores.some(({ file, percent }) => file === 'all' && percent < LOWEST_SCORE) ? 1 : 0;

/** `log` is all of `log-file`, `log-rows`, … */
function groupsOf(name: string): string[] {
  return Object.keys(GROUPS).filter((group) => group === name || group.startsWith(`${name}-`));
}

/** Stryker has packages of its own, so that nobody else has to install them. */
function install(): void {
  if (existsSync(join(folder, 'node_modules/@stryker-mutator/core'))) return;
  must('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], folder);
}

function scoresOf(group: string): Score[] {
  const report = join(folder, `node_modules/.mutation/${group}.json`);
  rmSync(report, { force: true });
  const stryker = join(folder, 'node_modules/@stryker-mutator/core/bin/stryker.js');
  // Stryker runs tests in threads, and no thread can set what SQLite reads from the environment of the process.
  const env = {
    COLLARD_MUTATION_GROUP: group,
    COLLARD_MUTATION_LANES: values.lanes,
    COLLARD_MUTATION_CHANGED: values.changed ? '1' : '0',
    SQLITE_USE_URI: '1',
    // Where flushes cost nothing: what is asked here is what the tests notice, not what a disk keeps.
    TMPDIR: existsSync(MEMORY) ? MEMORY : tmpdir(),
  };
  must(process.execPath, [stryker, 'run', join(folder, 'stryker.config.mjs')], root, env);
  const { files } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const each = Object.entries(files).map(([file, { mutants }]) => scoreOf(group, file, mutants));
  const all = Object.values(files).flatMap(({ mutants }) => mutants);
  return [...each, scoreOf(group, 'all', all)];
}

function scoreOf(group: string, file: string, mutants: readonly Mutant[]): Score {
  const count = (...states: readonly string[]) => mutants.filter(({ status }) => states.includes(status)).length;
  const killed = count('Killed', 'Timeout');
  const waited = mutants.filter(
    ({ status, statusReason = '' }) => status === 'Killed' && /timed out/.test(statusReason),
  );
  const byTime = count('Timeout') + waited.length;
  const survived = count('Survived');
  const uncovered = count('NoCoverage');
  const sum = killed + survived + uncovered;
  const percent = sum === 0 ? 100 : (killed * 100) / sum;
  return { group, file, mutants: sum, killed, byTime, survived, uncovered, percent };
}

function asTable(rows: readonly Score[]): string {
  const head = ['group', 'file', 'mutants', 'killed', 'of them by time', 'survived', 'no test', 'score'];
  const cells = rows.map((row) => [
    row.group,
    row.file,
    ...[row.mutants, row.killed, row.byTime, row.survived, row.uncovered].map(String),
    `${row.percent.toFixed(1)} %`,
  ]);
  return `${[head, head.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`).join('\n')}\n`;
}

/** Its stdout goes to our stderr: stdout is for the result. */
function must(command: string, args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): void {
  const { status, error } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', process.stderr, 'inherit'],
  });
  if (status === 0) return;
  process.stderr.write(`${command} ${args.join(' ')} failed: ${error?.message ?? `exit code ${status}`}\n`);
  process.exit(1);
}
