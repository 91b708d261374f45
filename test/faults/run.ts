/** Runs faults and prints their table: see `USAGE`. Ends with 1 where a row broke, with 69 where something could not be run. */
import { parseArgs } from 'node:util';
import { whyBad } from './frame.ts';
import { asPublished, programOf, publish, readPublished, withRuns } from './published.ts';
import { runFaults, SCENARIOS } from './run-faults.ts';
import { asTable } from './table.ts';

const USAGE = `npm run faults -- [--minutes 10] [--seed 1] [--only NAME ...] [--count N] [--full] [--publish] [--keep] [--json]

  --minutes M  shared among the scenarios; one that cannot be shorter takes what it needs
  --only NAME  may be given several times; without it: all that need no cluster of servers
  --count N    at most so many faults in each row
  --full       as often as the published table asks for, however long it takes: --only splits it over several runs
  --publish    writes what was found to test/faults/published.json, and the table of README.md of all that is there
  --keep       the folders stay, for whoever looks into a breach
  --json       for programs

Scenarios: ${SCENARIOS.map(({ name }) => name).join(', ')}
`;

const values = parsed();
if (values.help) {
  process.stdout.write(USAGE);
  process.exit();
}
const unknown = (values.only ?? []).filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown.length > 0) misused(`no scenario ${unknown.join(', ')}`);
const [seed, minutes, count] = [number('seed', 0), number('minutes', 0.01), number('count', 1)];
const program = values.publish ? committedProgram() : '';
// The programs and disks of a scenario are ended with us: only an exit of our own tells them.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const outcomes = await runFaults({
  minutes: minutes ?? (values.full ? Number.POSITIVE_INFINITY : 10),
  seed: seed ?? 1,
  count: count ?? (values.full ? 'full' : Number.POSITIVE_INFINITY),
  only: values.only ?? SCENARIOS.filter(({ alone }) => alone !== true).map(({ name }) => name),
  keep: values.keep,
  tell: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(values.json ? `${JSON.stringify(outcomes, null, 2)}\n` : asTable(outcomes));
const isBad = outcomes.some(({ failed, rows }) => failed !== null || rows.some((row) => whyBad(row) !== null));
const skipped = outcomes.filter((outcome) => outcome.skipped !== null);
if (skipped.length > 0) {
  const names = skipped.map(({ scenario }) => scenario).join(', ');
  process.stderr.write(`not run, and so nothing is said of them: ${names}\n`);
}
if (isBad) process.exitCode = 1;
else {
  if (skipped.length > 0) process.exitCode = 69;
  if (values.publish) {
    const run = outcomes.filter((outcome) => outcome.skipped === null);
    const day = new Date().toISOString().slice(0, 10);
    publish(SCENARIOS, withRuns(readPublished(), asPublished(run, { program, seed: seed ?? 1, day })));
  }
}

function parsed() {
  try {
    return parseArgs({
      options: {
        minutes: { type: 'string' },
        full: { type: 'boolean', default: false },
        seed: { type: 'string' },
        count: { type: 'string' },
        only: { type: 'string', multiple: true },
        publish: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return misused(error instanceof Error ? error.message : String(error));
  }
}

function number(name: 'seed' | 'minutes' | 'count', least: number): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value >= least ? value : misused(`--${name} ${text} is no number from ${least} on`);
}

function committedProgram(): string {
  try {
    return programOf();
  } catch (error) {
    return misused(error instanceof Error ? error.message : String(error));
  }
}

function misused(what: string): never {
  process.stderr.write(`${what}\n\n${USAGE}`);
  process.exit(64);
}
