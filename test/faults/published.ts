/**
 * What full runs have found, kept in `published.json`, and the table of README made of it. A row is of one state of the program: runs of
 * another one take the place of what was known of a scenario, runs of the same are added up.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Row, ruleOfThree, type Scenario, whyBad } from './frame.ts';
import type { Outcome } from './run-faults.ts';

const ROOT = join(import.meta.dirname, '../..');
const FILE = join(import.meta.dirname, 'published.json');
export const README = join(ROOT, 'README.md');
const BEGIN = '<!-- npm run faults -- --publish: begin -->\n';
const END = '<!-- npm run faults -- --publish: end -->\n';
const HEAD = ['fault', 'injected', 'acknowledged', 'lost', 'doubled', 'bound at 95 %', 'recovery: median, at most'];

/** One run of a scenario. */
export interface Published {
  readonly scenario: string;
  /** The state of the program: git's name of the folder `src`. */
  readonly program: string;
  /** As it was asked for, `--seed`. */
  readonly seed: number;
  readonly minutes: number;
  readonly day: string;
  readonly rows: readonly Omit<Row, 'notes' | 'breaches' | 'bound'>[];
}

/** Git's name of `src` as it is committed. Throws where what would run is another one. */
export function programOf(): string {
  const changed = git('status', '--porcelain', '--', 'src', 'test/faults', ':!test/faults/published.json');
  if (changed !== '') throw new Error(`commit first what is to be published of:\n${changed}`);
  return git('rev-parse', '--short=10', 'HEAD:src');
}

function git(...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trimEnd();
}

/** With the new ones. Two runs with one seed are one: the later one. */
export function withRuns(known: readonly Published[], more: readonly Published[]): readonly Published[] {
  const isOver = (one: Published) =>
    more.some(
      ({ scenario, program, seed }) => scenario === one.scenario && (program !== one.program || seed === one.seed),
    );
  return [...known.filter((one) => !isOver(one)), ...more];
}

export function asPublished(
  outcomes: readonly Outcome[],
  about: Pick<Published, 'program' | 'seed' | 'day'>,
): Published[] {
  return outcomes.map(({ scenario, seconds, rows }) => ({
    scenario,
    ...about,
    minutes: Math.round(seconds / 6) / 10,
    rows: rows.map(({ notes: _, breaches: __, bound: ___, ...row }) => row),
  }));
}

/** The rows of a scenario one below the other, each the sum of its runs. Empty where there is none. */
export function publishedTable(scenarios: readonly Scenario[], runs: readonly Published[]): string {
  if (runs.length === 0) return '';
  const lines = [HEAD, HEAD.map(() => '---')];
  for (const { name, recovery } of scenarios) {
    const own = runs.filter(({ scenario }) => scenario === name);
    const faults = new Map(own.flatMap(({ rows }) => rows.map((row) => [`${row.control} ${row.fault}`, row])));
    for (const { fault, control } of faults.values()) {
      const rows = own.flatMap((run) => run.rows.filter((row) => row.fault === fault && row.control === control));
      lines.push(cellsOf(rows, recovery));
    }
    if (own.length > 0) lines.push([aboutOf(name, own, recovery), '', '', '', '', '', '']);
  }
  return `${lines.map((line) => `| ${line.join(' | ')} |`).join('\n')}\n`;
}

function aboutOf(name: string, runs: readonly Published[], recovery: string | null): string {
  const minutes = runs.reduce((sum, run) => sum + run.minutes, 0);
  const days = [...new Set(runs.map(({ day }) => day))];
  const seeds = runs.map(({ seed }) => seed).join(', ');
  const time = `${minutes.toFixed(1)} minutes`;
  const how = recovery === null ? '' : `; recovery: ${recovery}`;
  return `*above: \`${name}\`, seed ${seeds}, ${time}, ${days.join(', ')}, program ${runs[0]?.program}${how}*`;
}

function cellsOf(rows: readonly Published['rows'][number][], recovery: string | null): string[] {
  const [first] = rows;
  if (first === undefined) return [];
  const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((all, row) => all + of(row), 0);
  const [injected, losing] = [sum((row) => row.injected), sum((row) => row.losing)];
  const bound = ruleOfThree(injected, losing);
  const medians = rows.map(({ recoveryMs }) => recoveryMs.median).sort((a, b) => a - b);
  const most = Math.max(...rows.map(({ recoveryMs }) => recoveryMs.max));
  return [
    first.control ? `*control:* ${first.fault}` : first.fault,
    spaced(injected),
    spaced(sum((row) => row.acked)),
    spaced(sum((row) => row.lost)),
    spaced(sum((row) => row.doubled)),
    bound === null ? `${spaced(losing)} break` : `≤ ${Number((100 * bound).toPrecision(2))} %`,
    recovery === null ? '' : `${time(medians[medians.length >> 1] ?? 0)}, ${time(most)}`,
  ];
}

/** 129668 as 129 668. */
function spaced(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ');
}

function time(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** What is wrong with what is published: a row that broke, or a control that did not. */
export function whyNotPublished(runs: readonly Published[]): readonly string[] {
  return runs.flatMap(({ scenario, seed, rows }) =>
    rows.flatMap((row) => {
      const why = whyBad({ ...row, notes: [], breaches: [], bound: ruleOfThree(row.injected, row.losing) });
      return why === null ? [] : [`${scenario}, seed ${seed}, ${row.fault}: ${why}`];
    }),
  );
}

export function readPublished(): readonly Published[] {
  return JSON.parse(readFileSync(FILE, 'utf8')) as readonly Published[];
}

/** README with this table between its marks. Throws where it has none. */
export function withTable(readme: string, table: string): string {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`README.md has no ${BEGIN.trim()} and ${END.trim()}`);
  return readme.slice(0, from + BEGIN.length) + table + readme.slice(to);
}

export function publish(scenarios: readonly Scenario[], runs: readonly Published[]): void {
  writeFileSync(FILE, `${JSON.stringify(runs, null, 2)}\n`);
  writeFileSync(README, withTable(readFileSync(README, 'utf8'), publishedTable(scenarios, runs)));
}
